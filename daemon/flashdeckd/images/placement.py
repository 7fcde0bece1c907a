"""From a file with addresses to the bytes of one partition. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from flashdeck.config import Outside, Partition, PartitionKind, Profile
from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import ADDRESS_SPACE, Range
from flashdeck.text import counted
from flashdeckd.images.addresses import MemoryKind, locate, partition_at
from flashdeckd.images.guards import is_program_for
from flashdeckd.images.image import ContradictionError, Image, Piece
from flashdeckd.images.segments import FileContents

NAMED = 3
"""Ranges of addresses that a message names."""
_APART = frozenset(
    (MemoryKind.PARTITION, MemoryKind.UNASSIGNED, MemoryKind.OPTION_BYTES, MemoryKind.OTP, MemoryKind.EXTERNAL)
)
"""Places of data beside a program. Data elsewhere, as in RAM, is likely a part of the program itself."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's part for one partition."""

    image: Image
    notes: tuple[str, ...] = ()
    """Notes on all that was passed over or left out, for log and plan."""


def place(shown: str, contents: FileContents, profile: Profile, partition: Partition) -> Parsed:
    """Return what the file `shown` has for `partition`.

    Bytes for other places are refused or, with `outside = "leave-out"`, left out. What the file has in one piece across
    the partition's border could be an image that is too large. It is cut there only where both sides are partitions
    with programs, and what lies there has the vector table of one: then these are two programs that touch.

    Raises RefusedError; of kind `outside-partition` also where the file has nothing for the partition.
    """
    whole = whole_image(shown, contents)
    own = _part(whole, partition.span)
    strays = whole.without([partition.span]).pieces
    if strays and partition.outside is Outside.REFUSE:
        raise _refused(shown, contents, whole, profile, partition)
    if not own.pieces:
        raise _nothing(shown, strays, profile, partition)
    cuts = tuple(_cuts(shown, whole, profile, partition))
    units = partition.span.size // profile.geometry.program_unit
    if len(own.pieces) > units:
        raise RefusedError(
            f"{shown} is in {len(own.pieces)} pieces, and partition {partition.name} is programmed in {units} units",
            hint="look at what wrote the file: is this firmware?",
        )
    left_out = (f"{shown}: left out {places(strays, profile)}",) if strays else ()
    return Parsed(own, (*contents.notes, *left_out, *cuts))


def whole_image(shown: str, contents: FileContents) -> Image:
    """Return all that the file has, at its addresses; raises RefusedError where that is nothing, or contradictory."""
    for each in contents.segments:
        if each.address + len(each.data) > ADDRESS_SPACE:
            raise RefusedError(
                f"{shown} has {len(each.data)} bytes from 0x{each.address:08x}, which is beyond 32-bit addresses",
                hint="look at what wrote the file",
            )
    try:
        whole = Image.of(Piece(each.address, bytes(each.data)) for each in contents.segments)
    except ContradictionError as error:
        raise RefusedError(
            f"{shown} has two contents for 0x{error.offset:08x}", hint="look at what wrote or merged the file"
        ) from error
    if not whole.pieces:
        raise RefusedError(f"{shown} has no bytes for a flash", hint="look at the build: is this a linked program?")
    return whole


def _part(whole: Image, span: Range) -> Image:
    """Return what lies at the addresses `span`, with offsets from its start."""
    return Image(tuple(Piece(each.offset - span.start, each.data) for each in whole.within(span).pieces))


def _cuts(shown: str, whole: Image, profile: Profile, partition: Partition) -> Iterator[str]:
    """Yield a note for each border of the partition that a piece crosses; raises RefusedError where none may."""
    span = partition.span
    for border, beyond in ((span.start, span.start - 1), (span.end, span.end)):
        if not whole.covers(Range(border - 1, border + 1)):
            continue
        other = partition_at(beyond, profile)
        if other is None or not all(_has_program(whole, profile, each) for each in (partition, other)):
            raise _too_large(shown, whole, border, profile, partition)
        yield f"{shown}: cut at 0x{border:08x}, between the programs of {partition.name} and {other.name}"


def _has_program(whole: Image, profile: Profile, partition: Partition) -> bool:
    return partition.holds is PartitionKind.PROGRAM and is_program_for(_part(whole, partition.span), profile, partition)


def _refused(shown: str, contents: FileContents, whole: Image, profile: Profile, partition: Partition) -> RefusedError:
    """Return what to raise about a file with bytes outside the partition."""
    strays = whole.without([partition.span]).pieces
    if not whole.touches(partition.span):
        return _nothing(shown, strays, profile, partition)
    try:
        tuple(_cuts(shown, whole, profile, partition))
    except RefusedError as error:
        return error
    own_part = f'outside = "leave-out" for {partition.name} in the configuration takes its own part of such a file'
    locations = (locate(each.offset, profile) for each in strays)
    astray = next((each for each in locations if each.place not in _APART), None)
    first = locate(strays[0].offset, profile)
    if astray is not None:
        section = next(
            (each.section for each in contents.segments if each.span.start <= astray.address < each.span.end), ""
        )
        hint = f"section {section}: {astray.hint}" if section else astray.hint
    elif first.place is MemoryKind.PARTITION:
        hint = own_part
    else:
        hint = f"{first.hint}. Or: {own_part}"
    return _outside(
        f"{shown} has bytes for {places(strays, profile)} beside those for {partition.name} ({partition.span})",
        hint=hint,
    )


def _nothing(shown: str, strays: tuple[Piece, ...], profile: Profile, partition: Partition) -> RefusedError:
    return _outside(
        f"{shown} has nothing for {partition.name} ({partition.span}); it has bytes for {places(strays, profile)}",
        hint=locate(strays[0].offset, profile).hint,
    )


def _too_large(shown: str, whole: Image, border: int, profile: Profile, partition: Partition) -> RefusedError:
    """Return what to raise about the piece that crosses `border`."""
    span = next(each.span for each in whole.pieces if each.span.start < border < each.span.end)
    if border == partition.span.start:
        where, excess, beyond = "begins {} before", border - span.start, border - 1
    else:
        where, excess, beyond = "ends {} behind", span.end - border, border
    return _outside(
        f"{shown} has {span} in one piece, which {where.format(counted(excess, 'byte'))} {partition.name} "
        f"({partition.span}), in {locate(beyond, profile).words}: it is too large",
        hint="build a smaller image, or look at the linker script; if these are several things in one file, give a "
        ".hex whose pieces are apart",
    )


def _outside(problem: str, *, hint: str) -> RefusedError:
    return RefusedError(problem, hint=hint, kind=ErrorKind.OUTSIDE_PARTITION)


def places(pieces: tuple[Piece, ...], profile: Profile) -> str:
    """Return the addresses of pieces, and what lives there."""
    named = [f"{each.span} ({locate(each.offset, profile).words})" for each in pieces[:NAMED]]
    more = len(pieces) - NAMED
    return ", ".join(named) + (f" and {counted(more, 'more piece')}" if more > 0 else "")
