"""The facts of a configuration that decide what may be done, in a compact form that outlives the daemon. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, cast

import msgspec
from msgspec import field

from flashdeck.config import APP_PORT, Board, Config, Hooks, Host, Partition, Profile, ProfileKeys
from flashdeck.config_tables import PartitionTable, ProfileTable
from flashdeck.geometry import Range, joined
from flashdeck.toml.tables import keys_of
from flashdeck.toml.writer import literal, plain_value
from flashdeck.value import Value

RECORD_NAME = "configuration.json"
"""The file in the daemon's state directory."""
_GUARDS = next(key for key in keys_of(PartitionTable) if key.name == "guards")


class PartitionRecord(Value, frozen=True, kw_only=True):
    """One partition: its place, and what keeps bytes out of it."""

    start: int = 0
    size: int
    alternate: int | str | None = None
    protected: bool = False
    guards: tuple[Any, ...] = ()
    """As the file writes them."""

    @property
    def span(self) -> Range:
        """Its addresses."""
        return Range.sized(self.start, self.size)

    @property
    def place(self) -> tuple[int, int | str | None]:
        """The part that says where its first byte is."""
        return (self.start, self.alternate)

    @property
    def words(self) -> str:
        """Its place, for people."""
        if self.alternate is None:
            return str(self.span)
        return f"alternate setting {self.alternate} ({self.size} bytes)"


class ProfileRecord(Value, frozen=True, kw_only=True):
    """One profile: how its boards show themselves, where their partitions are, and what else it lets the daemon do."""

    dfu: str
    app: str = ""
    partitions: dict[str, PartitionRecord] = field(default_factory=dict[str, PartitionRecord])
    kept: tuple[tuple[int, int], ...] = ()
    """Start and end of addresses that were protected beside the partitions."""
    keys: dict[str, Any] = field(default_factory=dict[str, Any])
    """Its keys that let the daemon do more than flash, as the file writes them."""

    @property
    def protected(self) -> tuple[Range, ...]:
        """The addresses that are never written, in ascending order."""
        spans = [each.span for each in self._protected if each.alternate is None]
        return joined((*spans, *(Range(*span) for span in self.kept)))

    @property
    def protected_alternates(self) -> frozenset[int | str]:
        """The alternate settings that are never written."""
        return frozenset(each.alternate for each in self._protected if each.alternate is not None)

    @property
    def _protected(self) -> Iterator[PartitionRecord]:
        return (each for each in self.partitions.values() if each.protected)


class BoardRecord(Value, frozen=True, kw_only=True):
    """One board: what it is recognised by, and the profile that it had."""

    serial: str = ""
    port: str = ""
    pinned: str = ""
    """The identity that `adopt` saw; "" where there is none."""
    slot: bool = False
    """True for a slot: whatever is in its port is a unit."""
    profile: ProfileRecord


def may_be_one(was: BoardRecord, now: BoardRecord | Board) -> bool:
    """Return whether two boards can be one device: they have a serial in common, or a port and no two serials."""
    if was.serial and now.serial:
        return was.serial == now.serial
    return bool(was.port) and was.port == now.port


class HostRecord(Value, frozen=True, kw_only=True):
    """Another machine, as a file has it."""

    ssh: str = ""
    command: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Its keys as a file has them, in one line."""
        values = (("ssh", self.ssh), ("command", list(self.command)), ("hosts", list(self.hosts)))
        return ", ".join(f"{key} = {literal(value)}" for key, value in values if value)


class ConfigRecord(Value, frozen=True, kw_only=True):
    """A configuration that a daemon ran with, and what a person has confirmed of the files that it includes."""

    profiles: dict[str, ProfileRecord] = field(default_factory=dict[str, ProfileRecord])
    boards: dict[str, BoardRecord] = field(default_factory=dict[str, BoardRecord])
    former: dict[str, BoardRecord] = field(default_factory=dict[str, BoardRecord])
    """Boards of earlier configurations, as they were last."""
    confirmed: dict[str, dict[str, ProfileRecord]] = field(default_factory=dict[str, dict[str, ProfileRecord]])
    """By the path of an included file: its profiles as they were confirmed."""
    hooks: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict[str, dict[str, tuple[str, ...]]])
    """The same for its hooks: program and arguments by name."""
    hosts: dict[str, dict[str, HostRecord]] = field(default_factory=dict[str, dict[str, HostRecord]])
    """The same for the other machines that it names."""


def record_from(data: bytes) -> ConfigRecord:
    """Return the record that was kept as these bytes; raises ValueError where they are none."""
    return msgspec.json.decode(data, type=ConfigRecord)


def record_of(config: Config) -> ConfigRecord:
    """Return what is kept of a configuration; nothing of it is confirmed, and no earlier one is known."""
    profiles = {name: profile_record(profile) for name, profile in config.profiles.items()}
    boards = {name: _board_record(board, profiles[board.profile.name]) for name, board in config.boards.items()}
    return ConfigRecord(profiles=profiles, boards=boards)


def profile_record(profile: Profile) -> ProfileRecord:
    """Return what is kept of a profile."""
    return ProfileRecord(
        dfu=str(profile.dfu),
        app=str(profile.app or ""),
        partitions={name: partition_record(partition) for name, partition in profile.partitions.items()},
        kept=tuple((span.start, span.end) for span in profile.kept),
        keys=wide_keys(profile),
    )


def partition_record(partition: Partition) -> PartitionRecord:
    """Return what is kept of a partition."""
    return PartitionRecord(
        start=partition.span.start,
        size=partition.span.size,
        alternate=partition.alternate,
        protected=partition.protected,
        guards=tuple(plain_value(_GUARDS, partition.guards)),  # pyright: ignore[reportArgumentType] - a list, by its type
    )


def hooks_record(hooks: Hooks) -> dict[str, tuple[str, ...]]:
    """Return what is kept of hooks: program and arguments by name."""
    found = {key.name: getattr(hooks, key.attribute) for key in keys_of(Hooks)}
    return {name: argv for name, argv in found.items() if argv is not None}


def hosts_record(hosts: Mapping[str, Host]) -> dict[str, HostRecord]:
    """Return what is kept of other machines."""
    return {
        name: HostRecord(hosts=host.hosts) if host.hosts else HostRecord(ssh=host.ssh, command=host.command)
        for name, host in hosts.items()
    }


def _board_record(board: Board, profile: ProfileRecord) -> BoardRecord:
    pinned = "" if board.pins is None else f"bcdDevice {board.pins.bcd_device:04x}, map {board.pins.map!r}"
    is_slot = board.slot is not None
    return BoardRecord(serial=board.serial, port=board.port, pinned=pinned, slot=is_slot, profile=profile)


# Keys that let the daemon do more than flash what it is given

NARROW: Mapping[str, object] = {"enter": "manual", "hooks": None, "power": None, "console": None}
"""Keys of a profile that may name a command, a hook, a port that is switched or a file that is opened, and the value
that names none."""


ON_CRASH = "on_crash"
"""The key of a console by which its board may be flashed without a build and without a person."""
WIDE_ON_CRASH = f"console.{ON_CRASH}"
"""Its name among the keys that are kept: it is confirmed by itself, whatever the console is."""


def is_wide(name: str, plain: object) -> bool:
    """Return whether a value (as the file writes it) of one of these keys lets the daemon do more than flash.

    The ways into DFU mode that have a name do no more than that; a table names a command. The console of the
    application is found like the board itself; a path may be any file.
    """
    if name == "enter":
        return isinstance(plain, dict)
    if name == "console" and isinstance(plain, dict):
        return cast("dict[str, object]", plain).get("port") != APP_PORT
    return plain not in (None, "", {}, [])


def wide_keys(profile: Profile) -> dict[str, Any]:
    """Return the keys of a profile that let the daemon do more than flash, as the file writes them."""
    taken = {each.name for each in fields(ProfileKeys)}
    keys = [key for key in keys_of(ProfileTable) if key.name in NARROW and key.attribute in taken]
    plain = {key.name: plain_value(key, getattr(profile, key.attribute)) for key in keys}
    on_crash = cast("dict[str, Any]", plain.get("console") or {}).pop(ON_CRASH, None)
    wide = {name: value for name, value in plain.items() if is_wide(name, value)}
    return {**wide, WIDE_ON_CRASH: on_crash} if profile.console and profile.console.goes_back_after else wide
