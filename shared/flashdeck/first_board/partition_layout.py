"""The map of a flash that follows from the builds that were found: which partition lies where. Pure.

Nothing is invented: a partition begins where a build is linked for, and ends where the next one begins (one that gets
no partition, too), or its bank of the flash does. What lies below the lowest build belongs to the bootloader, and is
protected. What is behind a build is unknown, so the room of a partition is told beside the size of its build.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise

from flashdeck.first_board.found import HEADER_SIZES, FoundBuild, FoundImage
from flashdeck.geometry import Geometry, Range, Sector
from flashdeck.memory_map import Access, MemoryMap
from flashdeck.names import few
from flashdeck.text import clean, counted, format_size

BOOTLOADER = "bootloader"
MAX_PARTITIONS = 32
"""Partitions that are proposed at most: more builds than any product has programs."""
LONGEST_NAME = 32
"""Characters of a partition's name."""
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)
_DEFAULT = "app"


@dataclass(frozen=True, slots=True)
class PlannedPartition:
    """A partition as it would stand in the configuration."""

    name: str
    span: Range
    """Whole sectors."""
    build: FoundBuild | None = None
    """The build that it is for; None where only what is there already is protected."""
    protected: bool = False

    @property
    def image(self) -> str:
        """The file to watch; "" where none is flashed there."""
        return "" if self.build is None or self.protected else self.build.best.path

    @property
    def build_size(self) -> int:
        """Bytes from the first to the last of its build; 0 where it has none, or none is flashed there."""
        return 0 if self.build is None or self.protected else _reach(self.build).size


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A build that has no partition."""

    build: FoundBuild
    reason: str


@dataclass(frozen=True, slots=True)
class PartitionLayout:
    """All partitions in ascending order."""

    partitions: tuple[PlannedPartition, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    known: tuple[tuple[int, FoundBuild], ...] = ()
    """The places at which bytes begin that are known to belong to somebody else, ascending."""
    flash_start: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that a person should read before saying yes."""
        return tuple(_notes(self.partitions, self.known, self.flash_start))

    @property
    def room(self) -> str:
        """The room behind each build, which may have anything in it, in a sentence or two; "" where there is none."""
        room = [
            f"{each.name} {format_size(each.build_size)} of {format_size(each.span.size)}"
            for each in self.partitions
            if 0 < each.build_size < each.span.size
        ]
        if not room:
            return ""
        return (
            f"Partitions have room for larger builds: {', '.join(room)}. What lies behind a build is kept until a "
            "build reaches it; where it must stay, set a smaller size."
        )


def lay_out(
    builds: Iterable[FoundBuild],
    geometry: Geometry,
    maps: Sequence[MemoryMap] = (),
    others: Iterable[FoundBuild] = (),
) -> PartitionLayout:
    """Return the partitions that `builds` need on a flash of that geometry; `maps` are the device's own.

    No partition grows over bytes of `others`, which were found and get none, nor over those of what is left out.
    Where two builds are for one place, the newer one counts. A build is left out, with the reason, where no address is
    known, where it does not begin with a sector, lies outside the flash, or where the device does not let it be
    written.
    """
    sectors = tuple(geometry.sectors())
    left_out: list[LeftOut] = []
    taken: list[tuple[Range, FoundBuild]] = []
    found = tuple(builds)
    starts = frozenset(build.best.start for build in found if build.best.start is not None)
    for build in sorted(found, key=lambda each: _merit(each, starts)):
        reason = _unfit(build, sectors, maps) or _in_the_way(build, taken)
        if not reason and len(taken) == MAX_PARTITIONS:
            reason = f"it is more than the {counted(MAX_PARTITIONS, 'partition')} that are proposed"
        if reason:
            left_out.append(LeftOut(build, reason))
        else:
            taken.append((_reach(build), build))
    taken.sort(key=lambda each: each[0])
    known = _without_partition((*(each.build for each in left_out), *others), taken, starts)
    partitions = _partitions(taken, sectors, maps, [start for start, _ in known])
    return PartitionLayout(partitions, tuple(left_out), tuple(known), sectors[0].span.start if sectors else 0)


def _merit(build: FoundBuild, starts: Collection[int]) -> tuple[bool, bool, float, str]:
    """Return the order in which builds get a place: the newest first, but guesses after those whose address is sure.

    A file that several programs were merged into comes after all others.
    """
    return _is_merged(build, starts), build.best.start_is_guess, -build.modified_at, build.best.path


def _is_merged(build: FoundBuild, starts: Collection[int]) -> bool:
    """Tell whether a file has another build in it, besides what it begins with."""
    return any(start in starts for start, _ in build.best.parts[1:])


def _without_partition(
    builds: Iterable[FoundBuild], taken: Sequence[tuple[Range, FoundBuild]], starts: Collection[int]
) -> list[tuple[int, FoundBuild]]:
    """Return where bytes begin that are known to belong to somebody else, ascending.

    Another build of a program that has a partition says nothing new.
    """
    own = {reach.start for reach, _ in taken}
    found: dict[int, FoundBuild] = {}
    for build in builds:
        if build.best.start in own and not _is_merged(build, starts):
            continue
        for start, _ in build.best.parts or ((build.best.start, 0),):
            if start is not None and start not in own:
                found.setdefault(start, build)
    return sorted(found.items(), key=lambda each: each[0])


def _reach(build: FoundBuild) -> Range:
    return Range(build.best.start or 0, max(build.best.end or 0, build.best.start or 0))


def _unfit(build: FoundBuild, sectors: Sequence[Sector], maps: Sequence[MemoryMap]) -> str:
    """Return why a build cannot have a partition; "" where it can."""
    return _no_program(build) or _no_place(_reach(build), sectors, maps, build)


def _no_program(build: FoundBuild) -> str:
    if build.best.start is None or build.best.end is None or build.best.end <= build.best.start:
        return "nothing says which address it is linked for"
    if build.best.header_room:
        return f"it has room for an MCUboot header and none in it, so it is not signed: {signed_file(build)}"
    return "" if build.best.is_program else "it does not begin with a vector table, so it is no program"


def _no_place(reach: Range, sectors: Sequence[Sector], maps: Sequence[MemoryMap], build: FoundBuild) -> str:
    own = [sector.span for sector in sectors if sector.span.overlaps(reach)]
    if not own or not _is_one_piece(own) or own[-1].end < reach.end or own[0].start > reach.start:
        return f"it is linked for {reach}, which is not in this flash"
    if own[0].start != reach.start:
        reason = f"it is linked for 0x{reach.start:08x}, and the sector there begins at 0x{own[0].start:08x}"
        is_room = reach.start - own[0].start in HEADER_SIZES
        return f"{reason}; if that leaves room for an MCUboot header, {signed_file(build)}" if is_room else reason
    if not all(_is_open(span, maps) for span in own):
        return f"the board's memory map does not let {reach} be written"
    return ""


def signed_file(build: FoundBuild) -> str:
    """Return which file to take of a build for MCUboot that is not signed, as "take zephyr.signed.bin"."""
    signed = max((each for each in build.others if each.has_header), key=lambda each: each.modified_at, default=None)
    if signed is None:
        return "take the signed file, zephyr.signed.bin or .hex, or what imgtool sign wrote"
    is_old = signed.modified_at < build.modified_at
    return f"sign it again, {_file_name(signed)} is older" if is_old else f"take {_file_name(signed)}"


def _file_name(image: FoundImage) -> str:
    return clean(image.path.rpartition("/")[2], 60)


def _in_the_way(build: FoundBuild, taken: Sequence[tuple[Range, FoundBuild]]) -> str:
    reach = _reach(build)
    for other, winner in taken:
        if other.overlaps(reach):
            where = "for the same place" if other.start == reach.start else f"for {other}, which overlaps it"
            why = "is newer" if winner.modified_at >= build.modified_at else "says better where it belongs"
            return f"{clean(winner.name)} is {where} and {why}"
    return ""


def _partitions(
    taken: Sequence[tuple[Range, FoundBuild]],
    sectors: Sequence[Sector],
    maps: Sequence[MemoryMap],
    foreign: Sequence[int],
) -> tuple[PlannedPartition, ...]:
    if not taken:
        return ()
    names: set[str] = set()
    first = taken[0][0].start
    # Beside others, a program at the very start of the flash is what starts them.
    is_bootloader = len(taken) > 1 and first == sectors[0].span.start
    borders = sorted([*(reach.start for reach, _ in taken), *foreign])
    below = [sector.span for sector in sectors if sector.span.end <= first]
    found = [PlannedPartition(free_name(BOOTLOADER, names), run, protected=True) for run in _runs(below)]
    for index, (reach, build) in enumerate(taken):
        own_end = max(sector.span.end for sector in sectors if sector.span.overlaps(reach))
        limit = next((start for start in borders if start >= own_end), None)
        if below or is_bootloader:
            limit = _end_of_bank(reach, limit, sectors)
        span = _grown(reach.start, limit, sectors, maps)
        if is_bootloader and not index:
            found.append(PlannedPartition(free_name(BOOTLOADER, names), span, build, protected=True))
        else:
            found.append(PlannedPartition(free_name(partition_name(build), names), span, build))
    return tuple(found)


def _end_of_bank(reach: Range, limit: int | None, sectors: Sequence[Sector]) -> int | None:
    """Return where a program ends at the latest that lies in one bank, beside a bootloader: where its bank does.

    What reaches into another bank than the bootloader waits until that is seen to erase the right one, and a program
    that has no need of the room should not.
    """
    banks = {sector.bank for sector in sectors if sector.span.overlaps(reach)}
    ends = [sector.span.end for sector in sectors if sector.bank in banks]
    return limit if len(banks) > 1 else min(max(ends), limit or max(ends))


def _grown(start: int, limit: int | None, sectors: Sequence[Sector], maps: Sequence[MemoryMap]) -> Range:
    """Return the sectors from `start` on, up to the next partition, a hole, or what may not be written."""
    end = start
    for sector in sectors:
        if sector.span.start < start:
            continue
        if (
            sector.span.start != end
            or (limit is not None and sector.span.end > limit)
            or not _is_open(sector.span, maps)
        ):
            break
        end = sector.span.end
    return Range(start, end)


def _runs(spans: Sequence[Range]) -> list[Range]:
    """Return sectors that touch as one."""
    runs: list[Range] = []
    for span in spans:
        if runs and runs[-1].end == span.start:
            runs[-1] = replace(runs[-1], end=span.end)
        else:
            runs.append(span)
    return runs


def _is_one_piece(spans: Sequence[Range]) -> bool:
    return all(one.end == other.start for one, other in pairwise(spans))


def _is_open(span: Range, maps: Sequence[MemoryMap]) -> bool:
    """Tell whether the device lets a sector be written; one without a map says nothing about it."""
    return not maps or any(each.permits(span, Access.ERASE | Access.WRITE) for each in maps)


def _notes(
    partitions: Sequence[PlannedPartition], known: Sequence[tuple[int, FoundBuild]], flash_start: int
) -> Iterator[str]:
    """Yield what a person should know of the map before saying yes."""
    own = [(each, each.build) for each in partitions if each.build is not None and not each.protected]
    if len(partitions) == 1 and own and own[0][0].span.start == flash_start:
        note = (
            f"{clean(own[0][1].name)} begins where the flash does: a bootloader that lies there would be overwritten."
        )
        yield f"{note} That is right where the chip's own ROM takes it."
    for planned in partitions:
        if planned.build is not None and planned.protected:
            note = f"{clean(planned.build.name)} begins where the flash does, so it is taken for the bootloader: it is "
            yield note + "protected, and never flashed. Where that is wrong, edit the file."
        inside = dict.fromkeys(clean(build.name) for start, build in known if _is_within(start, planned.span))
        if inside and planned.build is None:
            yield f"{few(inside)} in {planned.name} is protected: choose it, too, where it is to be flashed."
    for planned, _ in own:
        inside = dict.fromkeys(clean(build.name) for start, build in known if _is_within(start, planned.span))
        if inside:
            yield f"Flashing {planned.name} overwrites bytes of {few(inside)}."
        behind = next((build for start, build in known if start == planned.span.end), None)
        if behind is not None:
            yield f"{planned.name} ends at 0x{planned.span.end:08x}, where {clean(behind.name)} begins."


def _is_within(start: int, span: Range) -> bool:
    """Tell whether something begins in a partition, and not just where that does."""
    return span.start < start < span.end


def partition_name(build: FoundBuild) -> str:
    """Return the build's name as a partition may have it."""
    text = _NO_NAME.sub("-", build.name).strip("-._").lower()[:LONGEST_NAME].rstrip("-._")
    return _DEFAULT if not text or text == BOOTLOADER else text


def free_name(name: str, names: set[str]) -> str:
    """Return the name, or a longer one that nothing has yet, and take it."""
    for number in count(1):
        tail = "" if number == 1 else f"-{number}"
        if (free := name[: LONGEST_NAME - len(tail)] + tail) not in names:
            names.add(free)
            return free
    raise AssertionError  # count never ends
