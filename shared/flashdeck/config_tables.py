"""The tables of the configuration and of boards.toml: the keys that only a file has, and what goes together. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import combinations
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from flashdeck.chips import find_chip
from flashdeck.config import (
    APP_PORT,
    DEFAULT_GUARDS,
    Alternate,
    AnyGuard,
    BoardKeys,
    Console,
    CrcGuard,
    DaemonKeys,
    Enter,
    EnterCommand,
    Guard,
    Hooks,
    Host,
    Metrics,
    Partition,
    PartitionKeys,
    PartitionKind,
    Pins,
    Profile,
    ProfileKeys,
    SlotKeys,
)
from flashdeck.config_labgrid import LabgridTable
from flashdeck.config_screen import ScreenTable
from flashdeck.geometry import ADDRESS_SPACE, Geometry, Range
from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.spellings import Address, ChipName, Name, Ranges, Sectors, SizeAbove0, in_file
from flashdeck.toml.tables import Mistake, Table, key
from flashdeck.trustzone import FLASH_OFFSET, SECURE_FLASH, secure_view

_NEED_ADDRESS = (Guard.RESET, Guard.STACK)
"""Guards that look at addresses in the image; alternate settings have none."""
_WORD = 4
_VECTORS = 8
"""Bytes of a vector table that are looked at: initial stack pointer and reset vector."""
_AGAIN = "take the board out of this file and adopt it again"


def _taken(table: object, kind: type) -> dict[str, Any]:
    """Return the values of the keys that `kind` has."""
    return {each.name: getattr(table, each.name) for each in fields(kind)}


@dataclass(frozen=True, kw_only=True)
class PartitionTable(PartitionKeys, Table):
    """A named piece of the flash: whole sectors, and no two overlap; or an alternate setting of a plain DFU device."""

    address: Annotated[Address | None, key("Start of it in the flash.")] = None
    alt: Annotated[
        Alternate | None,
        key("In place of `address` for plain DFU 1.1: the alternate setting, by its number or its name."),
    ] = None
    size: Annotated[SizeAbove0, key("Size of it.")]

    @classmethod
    def of(cls, partition: Partition) -> "PartitionTable":
        """Return the table that says what `partition` is."""
        return cls(
            **_taken(partition, PartitionKeys),
            address=partition.span.start if partition.alternate is None else None,
            alt=partition.alternate,
            size=partition.span.size,
        )

    @property
    def is_alternate(self) -> bool:
        """Return whether it is an alternate setting; also where that is wrong."""
        return self.alt is not None or self.place.mentions("alt")

    @property
    def span(self) -> Range | None:
        """Its addresses, those of an alternate setting counted from 0; None where they are wrong."""
        start = 0 if self.is_alternate else self.address
        if start is None or self.place.wrong & {"address", "size"}:
            return None
        return Range.sized(start, self.size)

    def meaningless(self) -> Iterator[Mistake]:
        """Yield the keys that say what is done to a protected partition, or where an alternate setting is."""
        if self.protected:
            for name in ("image", "auto", "guards", "version", "settle", "outside", "base"):
                problem = "this partition is protected and never written"
                yield self.place.mistake(name, problem, f"remove {name} or protected")
        elif self.is_alternate:
            for name in ("outside", "base"):
                problem = "is about addresses, and a partition with alt has none"
                yield self.place.mistake(name, problem, f"remove {name}")
        if self.is_alternate or self.holds is PartitionKind.DATA:
            data = 'holds = "data" says that there is no program'
            why = "a partition with alt has no address" if self.is_alternate else data
            yield self.place.mistake("vectors", f"tells where the vector table is, and {why}", "take it out")

    def mistakes(self) -> Iterator[Mistake]:
        """Yield guards that cannot be, and places outside the partition."""
        if "guards" in self.place.given:
            yield from self._guards_without_program()
        if "size" not in self.place.wrong:
            for guard in self.guards:
                yield from guard.outside(self.size) if isinstance(guard, CrcGuard) else ()
            yield from self._wrong_vectors()

    def _guards_without_program(self) -> Iterator[Mistake]:
        for guard in (each for each in _NEED_ADDRESS if each in self.guards):
            if self.is_alternate:
                yield self.place.mistake(
                    "guards",
                    f'"{guard}" needs an address, and a partition with alt has none',
                    '"fits", "mcuboot" and a CRC can be checked here',
                )
            elif self.holds is PartitionKind.DATA:
                yield self.place.mistake(
                    "guards",
                    f'"{guard}" looks for a program, and holds = "data" says that there is none',
                    f'take "{guard}" or holds out',
                )

    def _wrong_vectors(self) -> Iterator[Mistake]:
        if self.vectors is None:
            return
        if self.vectors % _WORD:
            problem = f"+0x{self.vectors:x} is not a multiple of {_WORD}"
            yield self.place.mistake("vectors", problem, "is it the size of the header?")
        elif self.vectors + _VECTORS > self.size:
            yield self.place.mistake(
                "vectors",
                f"+0x{self.vectors:x} is not inside the partition, which has 0x{self.size:x} bytes",
                'give the distance from the partition\'s start, as vectors = "+0x200"',
            )

    def resolved(self, name: str, *, has_ram: bool, settle: float) -> Partition:
        """Return the partition. The default guards are those that can be applied: `stack` only where RAM is known."""
        assert self.span is not None  # noqa: S101 - there are no mistakes any more
        taken = _taken(self, PartitionKeys)
        if "guards" not in self.place.given:
            taken["guards"] = default_guards(self, is_alternate=self.is_alternate, has_ram=has_ram)
        if "settle" not in self.place.given:
            taken["settle"] = settle
        return Partition(name, self.span, self.alt, **taken)


def default_guards(partition: PartitionKeys, *, is_alternate: bool, has_ram: bool) -> frozenset[AnyGuard]:
    """Return the guards of a partition that says nothing of them: all that can be applied, MCUboot and CRCs aside."""
    if is_alternate or partition.holds is PartitionKind.DATA:
        return frozenset((Guard.FITS,))
    return DEFAULT_GUARDS if has_ram else DEFAULT_GUARDS - {Guard.STACK}


@dataclass(frozen=True, kw_only=True)
class ProfileTable(ProfileKeys, Table):
    """The facts that all boards of one product share."""

    later: ClassVar[frozenset[str]] = frozenset({"hooks"})

    flash: Annotated[ChipName | None, key("Name of the chip: it tells where flash, sectors and RAM are.")] = None
    sectors: Annotated[
        Sectors | None,
        key("In place of `flash`: runs of sectors, as 4*16K@0x08000000, 1*64K. All count as one bank."),
    ] = None
    ram: Annotated[Ranges, key("Beside `sectors`, where a stack may lie, as START+SIZE.")] = ()
    partitions: Annotated[dict[Name, PartitionTable], key("Named pieces of the flash.")] = field(
        default_factory=dict[Name, PartitionTable]
    )

    @classmethod
    def of(cls, profile: Profile) -> "ProfileTable":
        """Return the table that says what `profile` is."""
        named = bool(profile.chip) or profile.is_plain
        return cls(
            **_taken(profile, ProfileKeys),
            flash=find_chip(profile.chip) if profile.chip else None,
            sectors=None if named else profile.geometry,
            ram=() if named else profile.geometry.ram,
            partitions={name: PartitionTable.of(each) for name, each in profile.partitions.items()},
        )

    @property
    def is_plain(self) -> bool:
        """Return whether it is for plain DFU 1.1 devices: its partitions are alternate settings."""
        return any(each.is_alternate for each in self.partitions.values())

    @cached_property
    def geometry(self) -> Geometry | None:
        """Its flash, at the kind of addresses that its partitions have; None where that is wrong or missing."""
        if self.is_plain:
            return Geometry(())
        if self.flash is None:
            return None if self.sectors is None else replace(self.sectors, ram=self.ram)
        secure = self.flash.secure_alias and self._secure_partition()
        return secure_view(self.flash.geometry) if secure else self.flash.geometry

    def _secure_partition(self) -> str:
        """Return the name of the first partition with a secure address; "" where there is none."""
        inside = (
            name
            for name, each in self.partitions.items()
            if each.address is not None and SECURE_FLASH.start <= each.address < SECURE_FLASH.end
        )
        return next(inside, "")

    def meaningless(self) -> Iterator[Mistake]:
        """Yield the keys about addresses where there are none, and those that say again what `flash` says."""
        if self.is_plain:
            for name in ("flash", "sectors", "ram", "map", "erase", "banks", "trust_cache"):
                problem = "means nothing for partitions with alt: plain DFU 1.1 has no addresses"
                yield self.place.mistake(name, problem, "take it out")
        elif self.place.mentions("flash"):
            yield self.place.mistake("sectors", "the geometry is already given by flash", "keep one of the two")
            yield self.place.mistake("ram", "the RAM is already given by flash", "keep one of the two")

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong with a profile as a whole: ids, geometry, and where its partitions lie."""
        if self.enter is not Enter.MANUAL and self.app is None and "app" not in self.place.wrong:
            way = "a command" if isinstance(self.enter, EnterCommand) else f'"{self.enter}"'
            yield self.place.mistake(
                "enter",
                f"{way} is for the running application, and there is no app to know it by",
                'add its USB id, as app = "0483:5740", or use enter = "manual"',
            )
        if self.console is not None and self.app is None and "app" not in self.place.wrong:
            yield from self._console_without_app(self.console)
        if self.console is not None and self.console.ready:
            yield from self._mistakes_of_verdicts(self.console)
        yield from self._plain_mistakes() if self.is_plain else self._flash_mistakes()
        for (one_name, one), (other_name, other) in combinations(self.partitions.items(), 2):
            if self.is_plain:
                yield from _same_alternate(one_name, one, other)
            elif one.span is not None and other.span is not None and one.span.overlaps(other.span):
                problem = f"{other_name} ({other.span}) overlaps {one_name} ({one.span})"
                yield other.place.mistake("address", problem, "move or shorten one of the two")

    @staticmethod
    def _console_without_app(console: Console) -> Iterator[Mistake]:
        if console.is_of_app and "port" not in console.place.wrong:
            yield console.place.mistake(
                "port",
                f'"{APP_PORT}" is the port of the running application, and there is no app to know it by',
                'add its USB id to the profile, as app = "0483:5740", or give the path of a port',
            )

    def _mistakes_of_verdicts(self, console: Console) -> Iterator[Mistake]:
        """Yield that it is not clear whose version is said."""
        if "partitions" in self.place.wrong or "partition" in console.place.wrong:
            return
        programs = [name for name, each in self.partitions.items() if each.is_open_program]
        named = " or ".join(f'"{name}"' for name in programs)
        if "partition" in console.place.given:
            if console.partition not in programs:
                problem = f'"{clean(console.partition, 60)}" is no partition with a program that is flashed here'
                yield console.place.mistake("partition", problem, f"name one of these: {named}" if named else "")
        elif len(programs) > 1 and "(?P<version>" in console.ready:
            problem = f"says a version, and there are {len(programs)} programs"
            yield console.place.mistake("ready", problem, f"say whose version it is, as partition = {named}")

    def _plain_mistakes(self) -> Iterator[Mistake]:
        for each in self.partitions.values():
            if "address" in each.place.given:
                either = "a device takes either addresses (DfuSe) or alternate settings (plain DFU 1.1)"
                yield each.place.mistake(
                    "address",
                    f"{either}, and alt is used here",
                    "keep the one that the device knows: bcdDFUVersion is 0x011a for DfuSe",
                )
            elif not each.is_alternate and "alt" not in each.place.wrong:
                yield each.place.mistake("alt", "is missing")

    def _flash_mistakes(self) -> Iterator[Mistake]:
        if not self.place.mentions("flash", "sectors") and "partitions" not in self.place.wrong:
            yield self.place.mistake(
                "flash",
                "is missing",
                'name the chip, as flash = "STM32H563RG", or give its sectors, as sectors = "128*8K@0x08000000"',
            )
        for each in self.partitions.values():
            if not each.place.mentions("address"):
                yield each.place.mistake("address", "is missing")
        if self.sectors is not None:
            yield from self._ram_in_flash(self.sectors)
        if self.geometry is not None:
            for each in self.partitions.values():
                yield from self._misplaced(each, self.geometry)

    def _ram_in_flash(self, flash: Geometry) -> Iterator[Mistake]:
        for area in self.ram:
            for region in flash.regions:
                if area.overlaps(region.span):
                    problem = f"{area} is flash by sectors ({region.span})"
                    yield self.place.mistake("ram", problem, "give the addresses of the RAM, as 0x20000000+640K")

    def _misplaced(self, partition: PartitionTable, geometry: Geometry) -> Iterator[Mistake]:
        place, span = partition.place, partition.span
        has_ram = bool(geometry.ram) or "ram" in self.place.wrong
        if Guard.STACK in partition.guards and "guards" in place.given and not has_ram:
            yield place.mistake(
                "guards",
                'there is no "stack" guard where nothing says where the RAM is',
                'add it beside sectors, as ram = "0x20000000+640K", or take "stack" out',
            )
        if span is None:
            return
        if self.flash and geometry is not self.flash.geometry and self.flash.geometry.sectors_in(span):
            problem = f"0x{span.start:08x} is not secure, and {self._secure_partition()} has a secure address"
            yield place.mistake(
                "address",
                f"{problem}: both name the same flash",
                f"use one kind in a profile: 0x{span.start + FLASH_OFFSET:08x} is the secure address of this one",
            )
        else:
            yield from _not_whole_sectors(partition, span, geometry)

    def resolved(self, name: str, settle: float) -> Profile:
        """Return the profile; `settle` is for partitions that say nothing of it."""
        assert self.geometry is not None  # noqa: S101 - there are no mistakes any more
        chip, taken = self.flash, _taken(self, ProfileKeys)
        has_ram = bool(self.geometry.ram)
        return Profile(
            name=name,
            geometry=self.geometry,
            chip=chip.name if chip else "",
            option_bytes=chip.option_bytes if chip else (),
            otp=chip.otp if chip else (),
            secure_alias=chip.secure_alias if chip else False,
            file=self.place.file,
            lines=self.place.lines,
            partitions={
                each: table.resolved(each, has_ram=has_ram, settle=settle) for each, table in self.partitions.items()
            },
            **taken,
        )


def _same_alternate(name: str, one: PartitionTable, other: PartitionTable) -> Iterator[Mistake]:
    if one.alt is None or other.alt is None:
        return
    if one.alt == other.alt:
        yield other.place.mistake("alt", f"{name} is this alternate setting, too", "change one of the two")
    elif isinstance(one.alt, int) is not isinstance(other.alt, int):
        kinds = ["a number" if isinstance(each.alt, int) else "a name" for each in (other, one)]
        yield other.place.mistake(
            "alt",
            f"is {kinds[0]} here and {kinds[1]} for {name}: nobody could see that they are the same",
            "use either numbers or names in one profile",
        )


def _not_whole_sectors(table: PartitionTable, span: Range, geometry: Geometry) -> Iterator[Mistake]:
    if span.end > ADDRESS_SPACE:
        yield table.place.mistake("address", f"the partition would end at 0x{span.end:x}, outside 32-bit addresses")
        return
    if geometry.is_whole_sectors(span):
        return
    flash = "the flash is " + ", ".join(f"{region.span}" for region in geometry.regions[:8])
    first, last = (_sector_at(geometry, at) for at in (span.start, span.end - 1))
    if first is None:
        yield table.place.mistake("address", f"0x{span.start:08x} is not in the flash", flash)
    elif last is None:
        yield table.place.mistake("size", f"{span} goes beyond the flash", flash)
    elif first.start != span.start:
        yield table.place.mistake(
            "address",
            f"0x{span.start:08x} is inside the sector {first}, and a partition is whole sectors",
            f"start at 0x{first.start:08x} or 0x{first.end:08x}",
        )
    elif last.end != span.end:
        sizes = [size for size in (last.start - span.start, last.end - span.start) if size]
        yield table.place.mistake(
            "size",
            f"{span} ends inside the sector {last}, and a partition is whole sectors",
            f"use {' or '.join(map(in_file, sizes))}",
        )
    else:
        yield table.place.mistake("size", f"{span} goes across a hole in the flash", flash)


def _sector_at(geometry: Geometry, address: int) -> Range | None:
    sectors = geometry.sectors_in(Range.sized(address, 1))
    return sectors[0].span if sectors else None


@dataclass(frozen=True, kw_only=True)
class BoardTable(BoardKeys, Table):
    """One device on a desk, told apart by its serial, by the USB port that it is plugged into, or by both."""

    profile: Annotated[str, key("The profile of its product.")]


@dataclass(frozen=True, kw_only=True)
class AdoptedTable(BoardTable):
    """A board that the daemon adopted."""

    hints: ClassVar[Mapping[str, str]] = {"pinned": _AGAIN, "profile": _AGAIN}

    pinned: Annotated[Pins, key("Identity of the device when it was adopted.")]

    def mistakes(self) -> Iterator[Mistake]:
        """Yield that nothing tells which device it is."""
        if not self.place.mentions("serial", "port"):
            yield self.place.mistake("", "an adopted board has a serial or a port, or both", _AGAIN)


@dataclass(frozen=True, kw_only=True)
class SlotTable(SlotKeys, Table):
    """A port that takes one unit after the other: whatever board of the profile appears there."""

    profile: Annotated[str, key("The profile of the units.")]

    @classmethod
    def of(cls, slot: SlotKeys, profile: str) -> "SlotTable":
        """Return the table that says what `slot` is."""
        return cls(**_taken(slot, SlotKeys), profile=profile)

    @property
    def resolved(self) -> SlotKeys:
        """Return the keys that the program takes as they are."""
        return SlotKeys(**_taken(self, SlotKeys))


@dataclass(frozen=True, kw_only=True)
class DaemonTable(DaemonKeys, Table):
    """The daemon itself."""

    @classmethod
    def of(cls, keys: DaemonKeys) -> "DaemonTable":
        """Return the table that says what `keys` are."""
        return cls(**_taken(keys, DaemonKeys))

    def resolved(self) -> DaemonKeys:
        """Return the keys that the program takes as they are."""
        return DaemonKeys(**_taken(self, DaemonKeys))


Paths = tuple[Annotated[str, Meta(max_length=MAX_PATH)], ...]


@dataclass(frozen=True, kw_only=True)
class ConfigTable(Table):
    """A configuration of flashdeck."""

    include: Annotated[Paths, key("Other files with profiles and boards of their own; each is read once.")] = ()
    daemon: Annotated[DaemonTable, key("The daemon itself; only in the main file.")] = field(default=DaemonTable())
    hooks: Annotated[Hooks, key("Commands that run when a job has ended; each in one file only.")] = field(
        default=Hooks()
    )
    metrics: Annotated[Metrics, key("Numbers of the daemon for Prometheus; only in the main file.")] = field(
        default=Metrics()
    )
    labgrid: Annotated[
        LabgridTable | None, key("The labgrid coordinator whose pool has these boards; only in the main file.")
    ] = None
    tui: Annotated[ScreenTable, key("The screen; only in the main file.")] = field(default=ScreenTable())
    profiles: Annotated[dict[Name, ProfileTable], key("Facts about boards of one product, by a name of yours.")] = (
        field(default_factory=dict[Name, ProfileTable])
    )
    boards: Annotated[dict[Name, BoardTable], key("The boards, by names of yours.")] = field(
        default_factory=dict[Name, BoardTable]
    )
    slots: Annotated[
        dict[Name, SlotTable],
        key("Ports that take one unit after the other, by names of yours; no board has the same."),
    ] = field(default_factory=dict[Name, SlotTable])
    hosts: Annotated[dict[Name, Host], key("Other machines for --host, by names of yours.")] = field(
        default_factory=dict[Name, Host]
    )


@dataclass(frozen=True, kw_only=True)
class BoardFileTable(Table):
    """boards.toml, which flashdeckd writes beside the configuration."""

    disarmed: Annotated[tuple[Name, ...], key("Boards to which builds are offered, not flashed.")] = ()
    once: Annotated[
        tuple[Name, ...], key("Boards that are armed for one job: the next build that is flashed by itself.")
    ] = ()
    boards: Annotated[dict[Name, AdoptedTable], key("The boards that `flashdeck adopt` made.")] = field(
        default_factory=dict[Name, AdoptedTable]
    )
