"""A comparison by bytes: is an ELF file that of the image on a board? Pure.

The code has to be the same to the last byte. What else the file loads may differ in a few places, for a post-build step
may have put a checksum or a signature there.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from flashdeck.errors import RefusedError
from flashdeck.geometry import Range
from flashdeckd.images import elf, mcuboot
from flashdeckd.images.image import Image
from flashdeckd.images.segments import Segment

PATCHED_PLACES: Final = 8
"""Places of `PLACE` bytes, besides the code, that may differ."""
PLACE: Final = 64
"""Bytes that are compared at once: a hash, an Ed25519 signature."""
_LONGEST_HEADER: Final = 64


def difference(shown: str, data: bytes, known: Image, span: Range | None) -> str:
    """Return how an ELF file differs from what a partition is `known` to have, in words; "" where it is its build.

    Without `span`, as an alternate setting has no addresses, the file's lowest one counts as the partition's start.
    """
    try:
        loaded = elf.read(shown, data).segments
        code = elf.code(shown, data)
    except RefusedError as error:
        return error.message
    start = span.start if span is not None else min((each.address for each in loaded), default=0)
    own = Range(start, span.end) if span is not None else Range(start, start + known.end)
    header = _signed_header(known)
    is_any = False
    for at, piece in _pieces(code, own, header):
        is_any = True
        if not known.covers(Range.sized(at, len(piece))):
            return f"it has code at 0x{start + at:08x}, where the image has none"
        if (offset := known.difference(at, piece)) is not None:
            return f"its code differs at 0x{start + offset:08x}"
    if not is_any:
        return f"it has no code from 0x{own.start:08x} to 0x{own.end - 1:08x}"
    places = 0
    for at, piece in _pieces(loaded, own, header):
        for offset in _differing(known, at, piece):
            places += 1
            if places > PATCHED_PLACES:
                return f"its data differs at 0x{start + offset:08x}, and in more places"
    return ""


def _pieces(segments: Sequence[Segment], own: Range, header: int) -> Iterator[tuple[int, bytes]]:
    """Yield what of the segments lies in a partition, behind a header of so many bytes: offsets from its start."""
    for segment in segments:
        start = max(segment.address, own.start + header)
        end = min(segment.address + len(segment.data), own.end)
        if start < end:
            piece = segment.data[start - segment.address : end - segment.address]
            yield start - own.start, bytes(piece)


def _differing(known: Image, at: int, piece: bytes) -> Iterator[int]:
    """Yield the offset of each place that differs; what the image leaves open does not."""
    if known.difference(at, piece) is None:
        return
    for begin in range(0, len(piece), PLACE):
        if known.difference(at + begin, piece[begin : begin + PLACE]) is not None:
            yield at + begin


def _signed_header(known: Image) -> int:
    """Return the length of MCUboot's header, which is put before the program once it is linked; 0 for none."""
    found = mcuboot.header(known.read(Range(0, _LONGEST_HEADER)))
    return found.size if found is not None else 0
