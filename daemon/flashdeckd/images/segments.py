"""Runs of bytes, each with its address: the form that readers of formats with addresses give a file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flashdeck.errors import RefusedError
from flashdeck.geometry import PROGRAM_UNIT, Range
from flashdeck.image_formats import MAX_IMAGE
from flashdeck.text import format_size

MAX_SEGMENTS = MAX_IMAGE // PROGRAM_UNIT
"""Runs of bytes of one file: more than any flash can be programmed in."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes, and the address that the file gives them."""

    address: int
    data: bytes | memoryview
    section: str = ""
    """Their name in the linker script, where the file has it."""

    @property
    def span(self) -> Range:
        """The addresses of the bytes."""
        return Range.sized(self.address, len(self.data))


@dataclass(frozen=True, slots=True)
class FileContents:
    """The bytes of a file that are for a flash."""

    segments: tuple[Segment, ...]
    """In the file's order, none empty. They may overlap."""
    notes: tuple[str, ...] = ()
    """Notes on all that was passed over, for log and plan."""


def joined(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Return the segments with those made one that follow each other in address and order."""
    start, data = 0, bytearray()
    for each in segments:
        if data and each.address != start + len(data):
            yield Segment(start, bytes(data))
            data.clear()
        if not data:
            start = each.address
        data += each.data
    if data:
        yield Segment(start, bytes(data))


def bounded(shown: str, segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return the segments that are not empty; raises RefusedError for more than a file may have."""
    kept: list[Segment] = []
    size = 0
    for each in segments:
        if not len(each.data):
            continue
        size += len(each.data)  # one part of a file may be read twice
        if size > MAX_IMAGE:
            raise _too_much(f"{shown} has more than {format_size(MAX_IMAGE)}")
        if len(kept) >= MAX_SEGMENTS:
            raise _too_much(f"{shown} is in more than {MAX_SEGMENTS} pieces")
        kept.append(each)
    return tuple(kept)


def _too_much(problem: str) -> RefusedError:
    return RefusedError(problem, hint="look at what wrote the file: is this firmware?")
