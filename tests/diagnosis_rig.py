"""A profile for the emulated boards of `flash_rig`, and the doctor's look at one: what its tests share."""

from dataclasses import replace
from typing import Any

from flash_rig import APP1, BOOTLOADER, GEOMETRY, PARTITION2, Rig
from flashdeck.config import Partition, Profile, UsbId
from flashdeck.diagnosis import BoardReport, Finding
from flashdeck.memory_map import parse_memory_map
from flashdeck.model import Presence
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.diagnosis.judge import judge
from flashdeckd.diagnosis.observation import Alternate, Case, Observation
from flashdeckd.diagnosis.probe import observe
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.virtual.spec import HONEST_MAP

PROFILE = Profile(
    name="product",
    dfu=UsbId(0x0483, 0xDF11),
    geometry=GEOMETRY,
    partitions={
        "bootloader": Partition("bootloader", BOOTLOADER, protected=True),
        "app1": Partition("app1", APP1),
        "partition2": Partition("partition2", PARTITION2),
    },
)
RAW_FUNCTIONAL = bytes([9, 0x21, 0x0B, 0xFF, 0, 0, 4, 0x1A, 1])
FUNCTIONAL = FunctionalDescriptor(
    can_upload=True, will_detach=True, detach_timeout_ms=255, transfer_size=1024, version=0x011A
)


def alternate(text: str = HONEST_MAP, number: int = 0) -> Alternate:
    """An alternate setting in DFU mode with a map."""
    return Alternate(number, 2, text, parse_memory_map(text))


def observation(**changes: Any) -> Observation:
    """A device with nothing odd about it, unless `changes` say otherwise; `functional` may be a dict of changes."""
    functional = replace(FUNCTIONAL, **changes.pop("functional", {}))
    plain = Observation(RAW_FUNCTIONAL, functional, first_state=2, alternates=(alternate(),), claims=(1,))
    return replace(plain, **changes)


def case(seen: Observation | None = None, **changes: Any) -> Case:
    """A board of the profile in DFU mode."""
    return replace(Case("left", PROFILE, Presence.DFU, seen=seen or observation()), **changes)


def look(rig: Rig, history: BootloaderHistory = UNKNOWN, profile: Profile = PROFILE) -> tuple[Observation, BoardReport]:
    """The doctor's look at an emulated board, through pyusb."""
    with rig.open() as pipe:
        seen = observe(pipe, profile, history, rig.nap)
    board = Case("board", profile, Presence.DFU, rig.device, seen, history=history)
    return seen, judge(board)


def codes(report: BoardReport) -> list[str]:
    """The findings' names, the gravest first."""
    return [finding.code for finding in report.findings]


def finding(report: BoardReport, code: str) -> Finding:
    """The first finding of that name."""
    found = [each for each in report.findings if each.code == code]
    assert found, codes(report)
    return found[0]
