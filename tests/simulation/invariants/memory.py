"""The contents of a partition, as DESIGN defines them, and the name of an image. Offsets count from its start.

Contents are the sum of what was written: the newest image over what earlier ones left in the sectors that it did not
touch; in a sector that was erased for it, what the image does not define is 0xFF; unknown contents satisfy nothing.
"""

import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Sequence

from flashdeck.model import Layer
from simulation.seen import BLANK, Build, Span

Pieces = Sequence[tuple[int, bytes]]
BuildOf = Callable[[str], Build | None]
_SOME = re.compile(rb"[^\0]", re.DOTALL)
_IN_PIECES = b"\x93flashdeck pieces 1\r\n\x1a\n"


def name_of(pieces: Pieces) -> str:
    """Return an image's name: the hash of its bytes, or of a table of its pieces and these."""
    if len(pieces) == 1 and not pieces[0][0]:
        return hashlib.sha256(pieces[0][1]).hexdigest()
    table = b"".join(struct.pack("<II", offset, len(data)) for offset, data in pieces)
    bodies = b"".join(data for _, data in pieces)
    return hashlib.sha256(_IN_PIECES + struct.pack("<I", len(pieces)) + table + bodies).hexdigest()


def defined(pieces: Pieces, start: int, end: int) -> bytes:
    """Return what an image has from `start` to `end`, with 0xFF where it says nothing."""
    found = bytearray([BLANK]) * (end - start)
    for offset, data in pieces:
        first, last = max(offset, start), min(offset + len(data), end)
        if first < last:
            found[first - start : last - start] = data[first - offset : last - offset]
    return bytes(found)


def demanded(pieces: Pieces, size: int, *, erase_all: bool) -> Pieces:
    """Return what must be there for an image to count as there."""
    return ((0, defined(pieces, 0, size)),) if erase_all else pieces


def touched(pieces: Pieces, sectors: Iterable[Span], start: int) -> tuple[Span, ...]:
    """Return the sectors (by addresses) that some piece touches, of a partition that begins at `start`."""
    spans = [(start + offset, start + offset + len(data)) for offset, data in pieces]
    return tuple(each for each in sectors if any(overlap(each, span) for span in spans))


def overlap(one: Span, other: Span) -> bool:
    """Tell whether two spans have a byte in common."""
    return one[0] < other[1] and other[0] < one[1]


def inside(span: Span, outer: Span) -> bool:
    """Tell whether a span lies in another."""
    return outer[0] <= span[0] and span[1] <= outer[1]


class Memory:
    """The bytes of a partition as far as they are known."""

    def __init__(self, size: int) -> None:
        self.data = bytearray([BLANK]) * size
        self.known = bytearray(size)
        """For each byte 0xFF where it is known, and else 0."""

    @classmethod
    def of_layers(cls, layers: Sequence[Layer], size: int, build_of: BuildOf) -> "Memory":
        """Return what layers say, the newest of which is the first."""
        memory = cls(size)
        for layer in reversed(layers):
            build = build_of(layer.sha256) if layer.sha256 else None
            if layer.sha256 and build is None:
                memory.forget(0, size)  # it may have been laid over anything
                continue
            for start, end in layer.erased:
                if layer.sha256 or layer.blank:
                    memory.erase(start, end)
                else:
                    memory.forget(start, end)
            memory.lay(build.pieces if build is not None else ())
        return memory

    def forget(self, start: int, end: int) -> None:
        """Nothing is known from `start` to `end`."""
        self.known[start:end] = bytes(end - start)

    def erase(self, start: int, end: int) -> None:
        """It is 0xFF from `start` to `end`."""
        self.lay(((start, bytes([BLANK]) * (end - start)),))

    def lay(self, pieces: Pieces) -> None:
        """These bytes are there."""
        for offset, data in pieces:
            end = offset + len(data)
            self.data[offset:end] = data
            self.known[offset:end] = b"\xff" * len(data)

    def satisfies(self, pieces: Pieces) -> bool:
        """Tell whether it has every byte that an image defines."""
        return bool(pieces) and all(
            self.data.startswith(data, offset) and self.known.find(0, offset, offset + len(data)) < 0
            for offset, data in pieces
        )

    def differs_at(self, start: int, there: bytes) -> list[int]:
        """Return the offsets at which what is known is not what is there from an offset on."""
        end = start + len(there)
        different = (bits(self.data[start:end]) ^ bits(there)) & bits(self.known[start:end])
        return [start + at for at in offsets_of(different, len(there))]

    def differs(self, true: bytes) -> list[int]:
        """Return the offsets at which what is known is not what is there."""
        if self.data.startswith(true):
            return []
        size = len(true)  # a partition may have been resized since
        return offsets_of((bits(self.data[:size]) ^ bits(true)) & bits(self.known[:size]), size)


def bits(data: bytes | bytearray) -> int:
    """Return bytes as one number: what is asked of each byte is asked of all of them at once."""
    return int.from_bytes(data)


def offsets_of(different: int, size: int) -> list[int]:
    """Return at which of so many bytes a number is not 0."""
    return [found.start() for found in _SOME.finditer(different.to_bytes(size))] if different else []


def differing(there: bytes, wanted: bytes) -> list[int]:
    """Return the offsets at which two byte strings of one length differ."""
    return [] if there == wanted else offsets_of(bits(there) ^ bits(wanted), len(wanted))
