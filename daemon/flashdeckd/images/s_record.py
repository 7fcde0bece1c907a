"""Motorola S-record files ("Motorola S-records", MC68000 Family reference): text records with addresses."""

import re
from collections.abc import Iterator

from flashdeck.image_formats import ImageFormat
from flashdeck.text import clean
from flashdeckd.images.segments import FileContents, Segment, bounded, joined
from flashdeckd.images.text_records import Records, first_record

# The type; the number of bytes that follow it; an address of 16, 24 or 32 bits, the bytes, a checksum.
_RECORD = re.compile(
    rb"S(?:[0159](?:[0-9A-F]{2}){4,256}|[268](?:[0-9A-F]{2}){5,256}|[37](?:[0-9A-F]{2}){6,256}|4(?:[0-9A-F]{2}){2,256})"
)
_MADE_AGAIN = "make it again: arm-none-eabi-objcopy -O srec PROGRAM.elf PROGRAM.srec"
_COUNTED = {"5": 0xFFFF, "6": 0xFFFFFF}
"""The records that say how many records with data came before, and how large that number can be."""


def is_in(data: bytes) -> bool:
    """Tell whether `data` is such a file by its first record."""
    return _RECORD.fullmatch(first_record(data)) is not None


def read(shown: str, data: bytes) -> FileContents:
    """Return what the file holds. Raises RefusedError for a broken file."""
    records = Records(shown, ImageFormat.S_RECORD, _RECORD, _MADE_AGAIN)
    return FileContents(bounded(shown, joined(_segments(records, data))), records.notes)


def _segments(records: Records, data: bytes) -> Iterator[Segment]:
    from bincopy import Error, unpack_srec  # noqa: PLC0415 -- it brings 9.5 MB into memory: only where such a file comes

    with_data = counted = ended = 0
    for number, text in records.read(data):
        if text[1:2] == b"4":
            records.passed_over["S4 record"] += 1
            continue
        try:
            kind, address, _, body = unpack_srec(text.decode())
        except Error as error:
            raise records.broken(number, f"is broken: {clean(str(error), 100)}") from error
        if ended or (counted and kind in "0123"):
            raise records.goes_on(ended or counted)
        if kind in "123":
            with_data += 1
            yield Segment(address, bytes(body))
        elif kind in _COUNTED:
            if address != with_data & _COUNTED[kind]:
                raise records.broken(number, f"says {address} records with data, and {with_data} came before it")
            counted = number
        elif kind in "789":
            ended = number
    if not ended and not counted:
        raise records.cut_off("record that ends it (S7, S8 or S9)")
