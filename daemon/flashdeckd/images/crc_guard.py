"""The CRC that a post-build step puts into an image, and its check. Pure.

Kinds and their parameters are those of the RevEng catalogue of CRC algorithms. All of them are one of the two that the
standard library computes in C, read forwards or backwards.
"""

import binascii
import zlib
from collections.abc import Callable, Mapping

from flashdeck.config import ByteOrder, Crc, CrcField, CrcGuard, Partition
from flashdeck.errors import RefusedError
from flashdeck.geometry import Range
from flashdeckd.images.image import Image

_WORD = 4
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ONES = 0xFFFFFFFF


def _forwards(data: bytes) -> int:
    """Return the CRC-32 that begins with the most significant bit of each byte: all bits mirrored, before and after."""
    return int(f"{zlib.crc32(data.translate(_MIRRORED)):032b}"[::-1], 2)


def _swapped(data: bytes) -> bytes:
    """Return `data` with the bytes of each word reversed."""
    swapped = bytearray(len(data))
    for index in range(_WORD):
        swapped[index::_WORD] = data[_WORD - 1 - index :: _WORD]
    return bytes(swapped)


_KINDS: Mapping[Crc, Callable[[bytes], int]] = {
    Crc.CRC32: zlib.crc32,
    Crc.CRC32_JAMCRC: lambda data: zlib.crc32(data) ^ _ONES,
    Crc.CRC32_BZIP2: _forwards,
    Crc.CRC32_MPEG2: lambda data: _forwards(data) ^ _ONES,
    Crc.STM32: lambda data: _forwards(_swapped(data)) ^ _ONES,
    Crc.CRC16_CCITT: lambda data: binascii.crc_hqx(data, 0xFFFF),
    Crc.CRC16_XMODEM: lambda data: binascii.crc_hqx(data, 0),
}


def crc(kind: Crc, data: bytes) -> int:
    """Return the CRC of `data`; of whole words only where `kind` is made of words."""
    return _KINDS[kind](data)


def check(image: Image, guard: CrcGuard, partition: Partition) -> None:
    """Raise RefusedError where the CRC in `image` is not that of the bytes which it covers."""
    place = Range.sized(image.end - guard.crc.size if guard.at is None else guard.at, guard.crc.size)
    what = f"the {guard.crc} {'at its end' if guard.at is None else f'at +0x{place.start:x}'}"
    leave_out = f"or leave this CRC out of the guards of {partition.name}"
    number = None if guard.length is None else Range.sized(guard.length, _WORD)
    if place.start < 0 or not image.covers(place) or (number is not None and not image.covers(number)):
        raise RefusedError(
            f"the image does not define {what}, which the guards of partition {partition.name} ask for"
            + ("" if number is None else f", or its length at +0x{number.start:x}"),
            hint=f"take the file that the post-build step wrote, {leave_out}",
        )
    covered = _covered(image, guard, place, number)
    if covered.size <= 0 or (number is not None and covered.end > image.end):
        raise RefusedError(
            f"the image ends at +0x{image.end:x}, and {what} covers {covered.size} bytes from +0x{covered.start:x} on",
            hint=f"take the whole file, {leave_out}",
        )
    if place.overlaps(covered) and guard.field is None:
        raise RefusedError(
            f"{what} lies in what it covers, which is +0x{covered.start:x} to +0x{covered.end - 1:x}",
            hint=f'say how its bytes counted when it was made, as field = "zeros", {leave_out}',
        )
    data = _read(image, guard, place, covered)
    if guard.crc is Crc.STM32 and len(data) % _WORD:
        raise RefusedError(
            f"{what} covers {len(data)} bytes, and it is made of words of {_WORD} bytes",
            hint=f"fill the image to whole words before the CRC is made, choose the kind that was used, {leave_out}",
        )
    found = image.read(place)
    if found != _stored(data, guard.crc, guard.order):
        digits = 2 * len(found)
        raise RefusedError(
            f"{what} is 0x{int.from_bytes(found, guard.order.value):0{digits}x}, and that of the bytes which it covers "
            f"(+0x{covered.start:x} to +0x{covered.end - 1:x}) is 0x{crc(guard.crc, data):0{digits}x}",
            hint=_advice(data, found, leave_out),
        )


def _covered(image: Image, guard: CrcGuard, place: Range, number: Range | None) -> Range:
    """Return the offsets that the CRC at `place` covers, as many as `number` says."""
    if number is not None:
        return Range.sized(guard.start, int.from_bytes(image.read(number), guard.order.value))
    if guard.end is not None:
        return Range(guard.start, guard.end)
    return Range(guard.start, place.start if place.start >= guard.start and guard.field is None else image.end)


def _read(image: Image, guard: CrcGuard, place: Range, covered: Range) -> bytes:
    """Return the bytes that the CRC at `place` covers, its own as they counted when it was made."""
    if guard.field is None or not place.overlaps(covered):
        return image.read(covered)
    own = Range(max(place.start, covered.start), min(place.end, covered.end))
    counted = {CrcField.SKIPPED: b"", CrcField.ZEROS: bytes(own.size), CrcField.ONES: b"\xff" * own.size}[guard.field]
    return image.read(Range(covered.start, own.start)) + counted + image.read(Range(own.end, covered.end))


def _advice(data: bytes, found: bytes, leave_out: str) -> str:
    for kind in Crc:
        if kind.size == len(found) and not (kind is Crc.STM32 and len(data) % _WORD):
            for order in ByteOrder:
                if found == _stored(data, kind, order):
                    return f'the value is that of crc = "{kind}" with order = "{order}": correct the guard'
    return (
        "build again: the file was changed after its CRC was made, or the post-build step did not run. Else look at "
        f"what the CRC covers, {leave_out}"
    )


def _stored(data: bytes, kind: Crc, order: ByteOrder) -> bytes:
    return crc(kind, data).to_bytes(kind.size, order.value)
