"""The configuration file that the answers make, as text. Pure."""

import glob
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from flashdeck.chips import Chip
from flashdeck.config import MAX_SERIAL, AnyEnter, BankPolicy, Config, Enter, Partition, Profile, UsbId
from flashdeck.config_tables import BoardTable, PartitionTable, ProfileTable
from flashdeck.first_board.found import FoundBuild
from flashdeck.first_board.partition_layout import PlannedPartition
from flashdeck.geometry import Geometry
from flashdeck.model import DeviceState
from flashdeck.text import clean
from flashdeck.toml.writer import to_lines

PROFILE: Final = "product"
"""The name of a profile where nobody says another one."""
MAX_PROFILE: Final = 27
"""Characters of it that the board's name begins with: a number follows, and a name has at most 32."""
PLAIN_SIZE: Final = 1024 * 1024
"""Bytes that are taken to fit an alternate setting, which says nothing of its size; more where the image has more."""
_TITLE: Final = (
    "# Written by `flashdeck init`, and yours from now on: change it, and flashdeckd reads it again by itself.",
    "# `flashdeck config show` prints every key with its default.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The answers, as far as a file has them."""

    profile: str
    board: str
    dfu: UsbId
    app: UsbId | None = None
    flash: Chip | Geometry | None = None
    """None for a plain DFU device."""
    partitions: Mapping[str, PartitionTable] = field(default_factory=dict[str, PartitionTable])
    trusts_banks: bool = False
    enter: AnyEnter = Enter.MANUAL
    enter_hint: str = ""
    serial: str = ""
    port: str = ""


def text_of(draft: Draft) -> str:
    """Return the file."""
    profile = ProfileTable(
        dfu=draft.dfu,
        app=draft.app,
        enter=draft.enter,
        enter_hint=draft.enter_hint,
        banks=BankPolicy.TRUSTED if draft.trusts_banks else BankPolicy.CHECK,
        flash=draft.flash if isinstance(draft.flash, Chip) else None,
        sectors=draft.flash if isinstance(draft.flash, Geometry) else None,
        partitions=dict(draft.partitions),
    )
    board = BoardTable(profile=draft.profile, serial=draft.serial, port=draft.port)
    lines = [
        *_TITLE,
        *to_lines(profile, "profiles", draft.profile, brief=True),
        *to_lines(board, "boards", draft.board, brief=True),
    ]
    return "\n".join(lines) + "\n"


def partition_of(planned: PlannedPartition) -> PartitionTable:
    """Return the table of a partition of the flash."""
    return PartitionTable(
        address=planned.span.start,
        size=planned.span.size,
        protected=planned.protected,
        image=glob.escape(planned.image),
    )


def setting_of(build: FoundBuild, alternate: int | str) -> PartitionTable:
    """Return the table of an alternate setting, which takes a build."""
    return PartitionTable(alt=alternate, size=max(PLAIN_SIZE, 2 * build.best.size), image=glob.escape(build.best.path))


def identity(device: DeviceState) -> tuple[str, str]:
    """Return serial and port of which one tells the device: its serial, or its port where that is not its own."""
    has_own = bool(device.serial) and not device.serial_shared and clean(device.serial, MAX_SERIAL) == device.serial
    return (device.serial, "") if has_own else ("", device.port)


def names_for(wanted: str, config: Config) -> tuple[str, str]:
    """Return a name for the profile and one for the board that nothing has yet."""
    start = wanted or PROFILE
    profile = next(
        name for number in count(1) if (name := start + (f"{number}" if number > 1 else "")) not in config.profiles
    )
    board = next(name for number in count(1) if (name := f"{profile[:MAX_PROFILE]}-{number}") not in config.boards)
    return profile, board


def in_other_bank(profile: Profile) -> tuple[Partition, ...]:
    """Return the partitions in a bank that has nothing protected, while another one has."""
    homes = {bank for span in profile.protected for bank in profile.geometry.banks_of(span)}
    return tuple(
        each
        for each in profile.partitions.values()
        if homes and not each.protected and each.alternate is None and profile.geometry.banks_of(each.span) - homes
    )
