"""The comparison of what was read with what should be there. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from flashdeck.geometry import Range
from flashdeckd.images.image import Image

STRIDE = 1024
"""Bytes that are looked at one by one where they differ at all: equal ones are compared at once."""


@dataclass(frozen=True, slots=True)
class Difference:
    """All that is not as it should be. Offsets count from the partition's start."""

    first: int
    """The first byte that differs."""
    count: int
    """The number of bytes that differ."""
    places: tuple[Range, ...]
    """The stretches in which they lie, in ascending order; not every byte of them differs."""


def difference(wanted: Image, read: Image) -> Difference | None:
    """Return how `read` differs from what `wanted` defines; None where it does not. What was not read is left out."""
    first, count = -1, 0
    places: list[Range] = []
    for at, seen, right in _stretches(wanted, read):
        if seen == right:
            continue
        wrong = [index for index, (one, other) in enumerate(zip(seen, right, strict=True)) if one != other]
        first = at + wrong[0] if first < 0 else first
        count += len(wrong)
        places.append(Range(at + wrong[0], at + wrong[-1] + 1))
    return Difference(first, count, tuple(places)) if count else None


def _stretches(wanted: Image, read: Image) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield offset, seen and wanted bytes of everything that both define, a stretch at a time."""
    for piece in wanted.pieces:
        for seen in read.within(piece.span).pieces:
            for at in range(0, len(seen.data), STRIDE):
                part = seen.data[at : at + STRIDE]
                start = seen.offset + at
                yield start, part, piece.data[start - piece.offset : start - piece.offset + len(part)]
