"""The CRC that a post-build step puts into an image, and its check. Pure.

Kinds and their parameters are those of the RevEng catalogue of CRC algorithms. All of them are one of the two that the
standard library computes in C, read forwards or backwards.
"""

import binascii
import zlib

from flashdeck.config import ByteOrder, Crc, CrcField, CrcGuard, Partition
from flashdeck.errors import RefusedError
from flashdeck.geometry import Range
from flashdeckd.images.image import Image

_WORD = 4
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ONES = 0xFFFFFFFF


def crc(kind: Crc, data: bytes) -> int:
    """Return the CRC of `data`; of whole words only where `kind` is made of words."""
    match kind:
        case Crc.CRC32:
            return zlib.crc32(data)
        case Crc.CRC32_JAMCRC:
            return zlib.crc32(data) ^ _ONES
        case Crc.CRC32_BZIP2:
            return _forwards(data)
        case Crc.CRC32_MPEG2:
            return _forwards(data) ^ _ONES
        case Crc.STM32:
            return _forwards(_swapped(data)) ^ _ONES
        case Crc.CRC16_CCITT:
            return binascii.crc_hqx(data, 0xFFFF)
        case Crc.CRC16_XMODEM:
            return binascii.crc_hqx(data, 0)


def _forwards(data: bytes) -> int:
    """Return the CRC-32 that begins with the most significant bit of each byte: all bits mirrored, before and after."""
    return int(f"{zlib.crc32(data.translate(_MIRRORED)):032b}"[::-1], 2)


def _swapped(data: bytes) -> bytes:
    """Return `data` with the bytes of each word reversed."""
    swapped = bytearray(len(data))
    for index in range(_WORD):
        swapped[index::_WORD] = data[_WORD - 1 - index :: _WORD]
    return bytes(swapped)


def check_crc(image: Image, guard: CrcGuard, partition: Partition) -> None:
    """Raise RefusedError where the CRC in `image` is not that of the bytes which it covers."""
    place = _place(image, guard)
    covered = _covered(image, guard, place)
    at = f"+0x{place.start:x}"
    leave_out = f"or leave this CRC out of the guards of {partition.name}"
    if place.start < 0 or not image.covers(place):
        raise RefusedError(
            f"the image does not define the {guard.crc} at {at} that the guards of partition {partition.name} ask for",
            hint=f"take the file that the post-build step wrote, {leave_out}",
        )
    if covered.size <= 0:
        raise RefusedError(
            f"the image ends before the bytes that the {guard.crc} at {at} covers",
            hint=f"take the whole file, {leave_out}",
        )
    data = _read(image, guard, place, covered)
    if guard.crc is Crc.STM32 and len(data) % _WORD:
        raise RefusedError(
            f"the {guard.crc} at {at} covers {len(data)} bytes, and it is made of words of {_WORD} bytes",
            hint="fill the image to whole words before the CRC is made, or choose the kind that your post-build step uses",
        )
    found = image.read(place)
    if found != _stored(guard, data, guard.crc, guard.order):
        other = _other_kind(guard, data, found)
        raise RefusedError(
            f"the {guard.crc} at {at} is 0x{_number(found, guard.order):0{2 * len(found)}x}, and that of the bytes which it "
            f"covers (+0x{covered.start:x} to +0x{covered.end - 1:x}) is 0x{crc(guard.crc, data):0{2 * len(found)}x}",
            hint=f"the value there is that of {other}: correct the guard"
            if other
            else f"build again: the file was changed after its CRC was made, or the post-build step did not run. Else look at "
            f"what the CRC covers, {leave_out}",
        )


def _place(image: Image, guard: CrcGuard) -> Range:
    """Return the offsets of the CRC."""
    return Range.sized(image.end - guard.crc.size if guard.at is None else guard.at, guard.crc.size)


def _covered(image: Image, guard: CrcGuard, place: Range) -> Range:
    """Return the offsets that it covers."""
    if guard.end is not None:
        return Range(guard.start, guard.end)
    return Range(guard.start, place.start if place.start >= guard.start and guard.field is None else image.end)


def _read(image: Image, guard: CrcGuard, place: Range, covered: Range) -> bytes:
    if guard.field is None:
        return image.read(covered)
    inside = {CrcField.SKIPPED: b"", CrcField.ZEROS: bytes(place.size), CrcField.ONES: b"\xff" * place.size}
    before, behind = Range(covered.start, place.start), Range(place.end, covered.end)
    return image.read(before) + inside[guard.field] + image.read(behind)


def _other_kind(guard: CrcGuard, data: bytes, found: bytes) -> str:
    """Return the kind and order whose CRC of `data` is `found`, in words; "" where there is none."""
    whole_words = not len(data) % _WORD
    for kind in Crc:
        if kind.size == guard.crc.size and (whole_words or kind is not Crc.STM32):
            for order in ByteOrder:
                if found == _stored(guard, data, kind, order):
                    return f'crc = "{kind}" with order = "{order}"'
    return ""


def _stored(guard: CrcGuard, data: bytes, kind: Crc, order: ByteOrder) -> bytes:
    return crc(kind, data).to_bytes(guard.crc.size, order.value)


def _number(stored: bytes, order: ByteOrder) -> int:
    return int.from_bytes(stored, order.value)
