"""The bytes that releases before pieces made of a file with gaps, which they filled.

They named a build by the hash of these bytes. After an upgrade this tells that a build is one that a board has already.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import PurePath

from flashdeck.config import Partition, Profile
from flashdeck.errors import RefusedError
from flashdeck.geometry import Range
from flashdeck.image_formats import ImageFormat
from flashdeck.text import clean
from flashdeckd.images import elf
from flashdeckd.images.formats import recognised
from flashdeckd.images.image import Image
from flashdeckd.images.placement import place
from flashdeckd.images.segments import FileContents, Segment

_FILLS = {ImageFormat.ELF: 0x00, ImageFormat.INTEL_HEX: 0xFF, ImageFormat.DFUSE: 0xFF}
_MOST_SEGMENTS = 256
_BLANK = (0x00, 0xFF)
"""An image of nothing but one of these was refused."""


def flattened_before(name: str, data: bytes, profile: Profile, partition: Partition) -> bytes | None:
    """Return those bytes, from the partition's start.

    None where those releases refused the file, and where it has no gaps: they made the same of it as is made now.
    """
    shown = clean(PurePath(name).name)
    reader = recognised(shown, data)
    fill = _FILLS.get(reader.format)
    if fill is None or partition.alternate is not None:
        return None
    try:
        read = reader.read(shown, data, profile)
        if not isinstance(read, FileContents) or read.notes:  # what is passed over now was a reason to refuse then
            return None
        segments = elf.whole_segments(shown, data) if reader.format is ImageFormat.ELF else read.segments
        now = place(shown, read, profile, partition).image
    except RefusedError:
        return None
    flat = _flattened(segments, partition.span, fill)
    return None if now == Image.raw(flat) else flat or None


def _flattened(segments: Iterable[Segment], span: Range, fill: int) -> bytes:
    """Return the bytes from the start of `span` with `fill` in the gaps; b"" where the file was refused."""
    ordered = sorted((Range.sized(each.address, len(each.data)), bytes(each.data)) for each in segments)
    if not ordered or len(ordered) > _MOST_SEGMENTS or ordered[0][0].start != span.start:
        return b""
    if not all(span.covers(each) for each, _ in ordered) or any(a.overlaps(b) for (a, _), (b, _) in pairwise(ordered)):
        return b""
    flat = bytearray([fill]) * (ordered[-1][0].end - span.start)
    for at, data in ordered:
        flat[at.start - span.start : at.end - span.start] = data
    return b"" if flat.count(flat[0]) == len(flat) and flat[0] in _BLANK else bytes(flat)
