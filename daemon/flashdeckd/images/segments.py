"""Image files that say where their bytes belong: put together for one partition, or refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from flashdeck.config import Partition, Profile
from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Range
from flashdeck.text import format_size
from flashdeckd.images.addresses import partition_at

MAX_SEGMENTS = 256
"""Segments of one file that are looked at; firmware has a handful."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes, and the address that the file gives them."""

    address: int
    data: bytes | memoryview

    @property
    def span(self) -> Range:
        """The addresses of the bytes."""
        return Range.sized(self.address, len(self.data))


def place(shown: str, segments: Iterable[Segment], profile: Profile, partition: Partition, *, fill: int) -> bytes:
    """The image that `segments` of the file `shown` make in `partition`, gaps filled with the byte `fill`.

    The addresses decide where the bytes go, so all of them must be the partition's, no two the same, and the lowest
    must be the partition's first: there the vector table is looked for. Nothing is made larger than the partition.
    Raises RefusedError.
    """
    ordered = sorted((each for each in segments if len(each.data)), key=lambda each: each.address)
    if not ordered:
        raise RefusedError(f"{shown} holds no bytes for a flash", hint="look at the build: is this a linked program?")
    for each in ordered:
        if not partition.span.covers(each.span):
            raise _outside(shown, each.span, Range(ordered[0].address, ordered[-1].span.end), profile, partition)
    for one, other in pairwise(ordered):
        if one.span.overlaps(other.span):
            raise RefusedError(
                f"{shown} has two contents for 0x{other.span.start:08x}", hint="look at what wrote or merged the file"
            )
    start = partition.span.start
    if ordered[0].address != start:
        raise RefusedError(
            f"{shown} begins at 0x{ordered[0].address:08x}, and partition {partition.name} at 0x{start:08x}: what the "
            "bootloader starts would not be there",
            hint=f"link the image so that its vector table is at 0x{start:08x}",
        )
    image = bytearray([fill]) * (ordered[-1].span.end - start)
    for each in ordered:
        image[each.span.start - start : each.span.end - start] = each.data
    return bytes(image)


def _outside(shown: str, span: Range, whole: Range, profile: Profile, partition: Partition) -> RefusedError:
    """About the bytes at `span` of a file that spans `whole`."""
    stray = span.start if span.start < partition.span.start else max(span.start, partition.span.end)
    home = partition_at(stray, profile)
    where = f"{span}, where {home.name} is" if home else f"{span}, in no other partition of profile {profile.name}"
    if home is None:
        hint = f"link the image for {partition.span} ({format_size(partition.span.size)})"
    elif not home.span.covers(whole):
        hint = f"is this the right file for {partition.name}? A file of several programs can not be flashed as one"
    elif home.protected:
        hint = f"is this the right file for {partition.name}? It is one for {home.name}, which is protected"
    else:
        hint = f"flash it to {home.name}, or look at which file is configured for {partition.name}"
    return RefusedError(
        f"{shown} has bytes for {where}; it was about to go to {partition.name} ({partition.span})",
        hint=hint,
        kind=ErrorKind.OUTSIDE_PARTITION,
    )
