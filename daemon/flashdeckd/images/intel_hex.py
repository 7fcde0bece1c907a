"""Intel HEX files (Intel's Hexadecimal Object File Format Specification, 1988): text records with addresses.

They are decoded here, record by record: the usual library keeps every byte of a file as an entry of a dictionary, which
takes a hundred times the file's memory, and takes a byte that is given twice for a mistake even where both are equal.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from flashdeck.image_formats import ImageFormat
from flashdeckd.images.segments import FileContents, Segment, bounded, joined
from flashdeckd.images.text_records import Records, first_record

# The number of bytes, the address, the type, the bytes, a checksum.
_RECORD = re.compile(rb":(?:[0-9A-F]{2}){5,260}")
_MADE_AGAIN = "make it again: arm-none-eabi-objcopy -O ihex PROGRAM.elf PROGRAM.hex"


class _Type(IntEnum):
    DATA = 0
    END = 1
    SEGMENT = 2
    """Bits 4 to 19 of the addresses that follow."""
    START_SEGMENT = 3
    LINEAR = 4
    """Bits 16 to 31 of the addresses that follow."""
    START_LINEAR = 5


_LENGTHS: dict[int, int] = {
    _Type.END: 0,
    _Type.SEGMENT: 2,
    _Type.START_SEGMENT: 4,
    _Type.LINEAR: 2,
    _Type.START_LINEAR: 4,
}
"""Bytes in the records that carry none for the chip."""


def is_in(data: bytes) -> bool:
    """Tell whether `data` is such a file by its first record."""
    return _RECORD.fullmatch(first_record(data)) is not None


def read(shown: str, data: bytes) -> FileContents:
    """Return what the file holds. Raises RefusedError for a broken file."""
    records = Records(shown, ImageFormat.INTEL_HEX, _RECORD, _MADE_AGAIN)
    return FileContents(bounded(shown, joined(_segments(records, data))), records.notes)


@dataclass(frozen=True, slots=True)
class _HexRecord:
    type: int
    address: int
    """16 bits."""
    body: bytes


def _segments(records: Records, data: bytes) -> Iterator[Segment]:
    base = ended = 0
    for number, text in records.read(data):
        if ended:
            raise records.goes_on(ended)
        record = _record(records, number, text)
        match record.type:
            case _Type.DATA:
                yield Segment(base + record.address, record.body)
            case _Type.END:
                ended = number
            case _Type.SEGMENT:
                base = int.from_bytes(record.body) << 4
            case _Type.LINEAR:
                base = int.from_bytes(record.body) << 16
            case _Type.START_SEGMENT | _Type.START_LINEAR:
                pass  # where to start: for a debugger
            case _:
                records.passed_over[f"type 0x{record.type:02X} record"] += 1
    if not ended:
        raise records.cut_off("end-of-file record")


def _record(records: Records, number: int, text: bytes) -> _HexRecord:
    raw = bytes.fromhex(text[1:].decode())
    record = _HexRecord(raw[3], int.from_bytes(raw[1:3]), raw[4:-1])
    if len(record.body) != raw[0]:
        raise records.broken(number, f"says {raw[0]} bytes and has {len(record.body)}")
    if sum(raw) & 0xFF:
        raise records.broken(number, "has a wrong checksum")
    length = _LENGTHS.get(record.type)
    if length is not None and length != raw[0]:
        raise records.broken(number, f"has {raw[0]} bytes, and records of its type have {length}")
    return record
