"""An image: what a file says about one partition, as pieces of bytes at places. Pure.

What lies between the pieces is not part of it. Every image has one canonical form, so that files which define the same
bytes are the same image, whatever their format.
"""

import hashlib
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise

from flashdeck.geometry import Range

BLANK = 0xFF
"""The byte that erased flash reads as."""
PREFIX = b"\x93flashdeck pieces 1\r\n\x1a\n"
"""The bytes with which the encoded form of an image in several pieces begins. No raw image may begin so."""
_COUNT = struct.Struct("<I")
_ENTRY = struct.Struct("<II")  # offset, size


class ContradictionError(ValueError):
    """Two different contents for one place."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"two contents for the byte at offset 0x{offset:x}")
        self.offset = offset
        """The first byte that is given twice, and differs."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes without a gap."""

    offset: int
    """Their place: bytes from the partition's start."""
    data: bytes = field(repr=False)

    @property
    def end(self) -> int:
        """The first offset behind them."""
        return self.offset + len(self.data)

    @property
    def span(self) -> Range:
        """Their offsets."""
        return Range(self.offset, self.end)


@dataclass(frozen=True)
class Image:
    """Pieces in canonical form: in ascending order, none empty, no two that touch. Make one with `of` or `raw`.

    All offsets, and every `Range` here, count from the partition's start.
    """

    pieces: tuple[Piece, ...] = ()

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> "Image":
        """Return the image that these pieces make, in any order; equal bytes may be given more than once.

        Raises ContradictionError where two pieces have different bytes for one place, ValueError for one below 0.
        """
        joined: list[tuple[int, bytearray]] = []
        for piece in sorted((each for each in pieces if each.data), key=lambda each: each.offset):
            if piece.offset < 0:
                raise ValueError(f"a piece begins at offset {piece.offset}")
            if not joined or piece.offset > joined[-1][0] + len(joined[-1][1]):
                joined.append((piece.offset, bytearray(piece.data)))
                continue
            start, data = joined[-1]
            at = piece.offset - start
            common = min(len(data) - at, len(piece.data))
            if bytes(data[at : at + common]) != piece.data[:common]:
                raise ContradictionError(piece.offset + _first_difference(data[at : at + common], piece.data))
            data += piece.data[common:]
        return cls(tuple(Piece(start, bytes(data)) for start, data in joined))

    @classmethod
    def raw(cls, data: bytes) -> "Image":
        """Return the image that these bytes make from the partition's start."""
        return cls((Piece(0, data),) if data else ())

    @classmethod
    def decode(cls, data: bytes) -> "Image":
        """Return the image whose `encoded` form this is; raises ValueError where it is none."""
        if not data.startswith(PREFIX):
            return cls.raw(data)
        at = len(PREFIX)
        try:
            (count,) = _COUNT.unpack_from(data, at)
            at += _COUNT.size
            bodies = at + count * _ENTRY.size
            entries = list(_ENTRY.iter_unpack(data[at:bodies]))
        except struct.error as error:
            raise ValueError("the table of an image's pieces is cut off") from error
        ends = list(accumulate((size for _, size in entries), initial=bodies))
        if len(entries) != count or ends[-1] != len(data):
            raise ValueError("an image's pieces are cut off")
        spans = zip(entries, pairwise(ends), strict=True)
        image = cls(tuple(Piece(offset, data[start:end]) for (offset, _), (start, end) in spans))
        if image != cls.of(image.pieces):
            raise ValueError("an image's pieces are not in canonical form")
        return image

    @cached_property
    def encoded(self) -> bytes:
        """The bytes that `sha256` is of: those of the image itself where it is raw, else a table and the pieces."""
        if self.is_raw:
            return self.pieces[0].data
        entries = (_ENTRY.pack(piece.offset, len(piece.data)) for piece in self.pieces)
        bodies = (piece.data for piece in self.pieces)
        return b"".join((PREFIX, _COUNT.pack(len(self.pieces)), *entries, *bodies))

    @cached_property
    def sha256(self) -> str:
        """The image's name: lower-case hexadecimal. Of a raw image, the hash of its bytes."""
        return hashlib.sha256(self.encoded).hexdigest()

    @property
    def is_raw(self) -> bool:
        """Tell whether it is one piece from the partition's start: such an image is its bytes, and nothing more."""
        return len(self.pieces) == 1 and not self.pieces[0].offset

    @property
    def is_program(self) -> bool:
        """Tell whether it defines the partition's first word; an image that does not is a patch.

        A file shorter than a word counts as a program too: it takes the place of one.
        """
        return bool(self.pieces) and not self.pieces[0].offset

    @cached_property
    def size(self) -> int:
        """The number of bytes that it defines."""
        return sum(len(piece.data) for piece in self.pieces)

    @property
    def end(self) -> int:
        """The first offset behind all pieces; 0 where there are none."""
        return self.pieces[-1].end if self.pieces else 0

    def touches(self, span: Range) -> bool:
        """Tell whether it defines at least one byte of `span`."""
        return bool(self._overlapping(span))

    def covers(self, span: Range) -> bool:
        """Tell whether it defines every byte of `span`."""
        pieces = self._overlapping(span)
        return bool(pieces) and pieces[0].span.covers(span)

    def within(self, span: Range) -> "Image":
        """Return what it defines in `span`, at the same places."""
        return Image(tuple([_cut(piece, span) for piece in self._overlapping(span)]))

    def extent(self, span: Range) -> Range | None:
        """Return the addresses from the first to the last byte that it defines in `span`; None where it has none."""
        pieces = self._overlapping(span)
        return Range(max(pieces[0].offset, span.start), min(pieces[-1].end, span.end)) if pieces else None

    def count(self, span: Range) -> int:
        """Return the number of bytes that it defines in `span`."""
        return sum([min(piece.end, span.end) - max(piece.offset, span.start) for piece in self._overlapping(span)])

    def without(self, spans: Iterable[Range]) -> "Image":
        """Return what it defines outside `spans`, which are in ascending order and do not overlap."""
        kept: list[Piece] = []
        at = 0
        for span in (*spans, Range(max(self.end, at), max(self.end, at))):
            if at < span.start:
                kept += self.within(Range(at, span.start)).pieces
            at = max(at, span.end)
        kept += self.within(Range(at, self.end)).pieces if at < self.end else ()
        return Image(tuple(kept))

    def over(self, below: "Image") -> "Image":
        """Return what is there once this image was laid over `below`."""
        return Image.of((*self.pieces, *below.without(piece.span for piece in self.pieces).pieces))

    def read(self, span: Range, fill: int = BLANK) -> bytes:
        """Return the bytes of `span`, with `fill` for those that it does not define."""
        pieces = self._overlapping(span)
        if len(pieces) == 1 and pieces[0].offset <= span.start and span.end <= pieces[0].end:  # as mostly
            return pieces[0].data[span.start - pieces[0].offset : span.end - pieces[0].offset]
        data = bytearray([fill]) * span.size
        for piece in pieces:
            start, end = max(piece.offset, span.start), min(piece.end, span.end)
            data[start - span.start : end - span.start] = piece.data[start - piece.offset : end - piece.offset]
        return bytes(data)

    def satisfies(self, other: "Image") -> bool:
        """Tell whether it has every byte that `other` defines, at the same place. An empty image satisfies nothing."""
        return bool(self.pieces) and all(self._has(piece) for piece in other.pieces)

    def difference(self, offset: int, data: bytes) -> int | None:
        """Return the first offset at which `data`, read at `offset`, is not what it defines there; None: it all is."""
        span = Range.sized(offset, len(data))
        for piece in self._overlapping(span):
            start, end = max(piece.offset, span.start), min(piece.end, span.end)
            seen = data[start - offset : end - offset]
            wanted = piece.data[start - piece.offset : end - piece.offset]
            if seen != wanted:
                return start + _first_difference(seen, wanted)
        return None

    def padded(self, unit: int) -> "Image":
        """Return it with each piece drawn out to whole multiples of `unit` bytes, what is new being as erased flash."""
        spans: list[Range] = []
        for piece in self.pieces:
            start, end = piece.offset - piece.offset % unit, -(-piece.end // unit) * unit
            if spans and start <= spans[-1].end:
                spans[-1] = Range(spans[-1].start, end)
            else:
                spans.append(Range(start, end))
        return Image(tuple(Piece(span.start, self.read(span)) for span in spans))

    def _has(self, wanted: Piece) -> bool:
        span = wanted.span
        pieces = self._overlapping(span)
        if not pieces or not pieces[0].span.covers(span):
            return False
        piece = pieces[0]
        at = wanted.offset - piece.offset
        return piece.data[at : at + len(wanted.data)] == wanted.data

    @cached_property
    def _bounds(self) -> tuple[list[int], list[int]]:
        """The places where the pieces begin, and those where they end: an image is asked for many spans."""
        return [piece.offset for piece in self.pieces], [piece.end for piece in self.pieces]

    def _overlapping(self, span: Range) -> tuple[Piece, ...]:
        if span.end <= span.start:
            return ()
        starts, ends = self._bounds
        first = bisect_right(ends, span.start)
        return self.pieces[first : bisect_left(starts, span.end, first)]


NOTHING = Image()
"""No byte is defined: contents that are not known."""


def _cut(piece: Piece, span: Range) -> Piece:
    offset, end = piece.offset, piece.end
    if span.start <= offset and end <= span.end:
        return piece
    start = max(offset, span.start)
    return Piece(start, piece.data[start - offset : min(end, span.end) - offset])


def _first_difference(one: bytes | bytearray, other: bytes | bytearray) -> int:
    """Return the first index at which two byte strings differ, one of which may be the longer."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
