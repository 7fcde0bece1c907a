"""Intel HEX files (Intel's Hexadecimal Object File Format Specification, 1988): text records with addresses."""

import io
import re

from intelhex import IntelHex, IntelHexError

from flashdeck.errors import RefusedError
from flashdeck.text import clean
from flashdeckd.images.segments import MAX_SEGMENTS, Segment

FILL = 0xFF
"""What lies between records: as erased flash."""

_BOM = b"\xef\xbb\xbf"
_RECORD = re.compile(rb":[0-9A-Fa-f]{6}(?P<type>[0-9A-Fa-f]{2})(?P<data>[0-9A-Fa-f]{0,510})[0-9A-Fa-f]{2}")
_DATA, _END_OF_FILE = b"00", b"01"
_LONGEST_FOR_A_BYTE = 16
"""Characters that a record of one byte takes, with its line end."""
_MADE_AGAIN = "make it again: arm-none-eabi-objcopy -O ihex PROGRAM.elf PROGRAM.hex"


def segments(shown: str, data: bytes, *, limit: int) -> tuple[Segment, ...]:
    """The runs of bytes in the file. Raises RefusedError for a broken file and for one of more than `limit` bytes."""
    lines = _records(shown, data, limit)
    decoded = IntelHex()
    try:
        decoded.loadhex(io.StringIO(b"\n".join(lines).decode("ascii")))
    except IntelHexError as error:
        raise RefusedError(f"{shown} is a broken Intel HEX file: {clean(str(error))}", hint=_MADE_AGAIN) from error
    runs = decoded.segments()
    if len(runs) > MAX_SEGMENTS:
        raise RefusedError(f"{shown} is in {len(runs)} pieces, more than {MAX_SEGMENTS}", hint=_MADE_AGAIN)
    return tuple(Segment(start, decoded.tobinstr(start=start, size=end - start)) for start, end in runs)


def _records(shown: str, data: bytes, limit: int) -> list[bytes]:
    """The lines of the file, of the form of records and with one end-of-file record at the end.

    Its size is judged here, because a decoded file takes a hundred times as much memory as its bytes.
    """
    lines: list[bytes] = []
    size = 0
    ended = False
    if len(data) > _LONGEST_FOR_A_BYTE * limit + 4096:
        raise _too_large(shown, f"{len(data)} characters", limit)
    for number, line in enumerate(data.removeprefix(_BOM).replace(b"\r", b"\n").split(b"\n"), start=1):
        text = line.strip()
        if not text:
            continue
        if ended:
            raise RefusedError(f"{shown} goes on after its end-of-file record", hint=_MADE_AGAIN)
        record = _RECORD.fullmatch(text)
        if record is None:
            raise RefusedError(f"line {number} of {shown} is no Intel HEX record", hint=_MADE_AGAIN)
        size += len(record["data"]) // 2 if record["type"] == _DATA else 0
        ended = record["type"] == _END_OF_FILE
        lines.append(text)
    if not ended:
        raise RefusedError(f"{shown} has no end-of-file record: it was cut off", hint=_MADE_AGAIN)
    if size > limit:
        raise _too_large(shown, f"{size} bytes", limit)
    return lines


def _too_large(shown: str, size: str, limit: int) -> RefusedError:
    return RefusedError(
        f"{shown} holds {size}, and the partition has {limit} bytes",
        hint="build a smaller image, or look whether this is the right file (one with the bootloader in it?)",
    )
