"""What an image file holds. Bytes in, image bytes out.

So far an image is a raw binary: what a linker's `objcopy -O binary` writes, to be flashed as it is from the first
address of its partition. Other formats are told by their contents first and by their name second, and refused with
the way to a raw binary; flashed as they are, they would put headers and text where the vector table belongs.
"""

import re
from pathlib import PurePath

from flashdeck.errors import RefusedError
from flashdeck.text import clean

_LONGEST_RECORD = 560
"""Characters of the longest record of either text format, with a byte order mark before it."""

_ELF = "ELF"
_HEX = "Intel HEX"
_SREC = "Motorola S-record"
_DFUSE = "DfuSe"
_DFU = "DFU (raw, with a DFU suffix)"
_UF2 = "UF2"

_BY_MAGIC = {
    b"\x7fELF": _ELF,
    b"DfuSe": _DFUSE,  # first field of a DfuSe file's prefix (UM0391)
    b"UF2\n": _UF2,
}
_BY_RECORD = {
    re.compile(rb"(?:\xef\xbb\xbf)?:[0-9A-Fa-f]{10,}\s*"): _HEX,
    re.compile(rb"(?:\xef\xbb\xbf)?S[0-9][0-9A-Fa-f]{6,}\s*"): _SREC,
}
_BY_SUFFIX = {
    ".elf": _ELF,
    ".axf": _ELF,
    ".hex": _HEX,
    ".ihex": _HEX,
    ".ihx": _HEX,
    ".srec": _SREC,
    ".s19": _SREC,
    ".s28": _SREC,
    ".s37": _SREC,
    ".mot": _SREC,
    ".dfu": _DFUSE,
    ".uf2": _UF2,
}


def parse(name: str, data: bytes) -> bytes:
    """The image in a file called `name` (used for its suffix and in messages only) with the contents `data`.

    Raises RefusedError for a file that is empty, looks like erased flash, or is not a raw binary; message and hint say
    what it is and how to get a raw binary out of it.
    """
    shown = clean(PurePath(name).name or name) or "the file"
    if not data:
        raise RefusedError(f"{shown} is empty", hint="look at the build: it made the file and wrote nothing into it")
    found = _by_contents(data)
    if found:
        raise RefusedError(f"{shown} is a file of format {found}, not a raw binary", hint=_way_out(found, shown))
    named = _BY_SUFFIX.get(PurePath(name).suffix.lower())
    if named:
        raise RefusedError(
            f"{shown} is named like a file of format {named}, but its contents are not",
            hint="if it is a raw binary, give it a name that ends in .bin; if not, look at what wrote it",
        )
    if data.count(data[0]) == len(data) and data[0] in (0x00, 0xFF):
        raise RefusedError(
            f"{shown} holds {len(data)} bytes and all of them are 0x{data[0]:02x}: that is no program",
            hint="0xff is what erased flash reads as, 0x00 what a file holds that was made longer but not written: "
            "look at the build",
        )
    return data


def _by_contents(data: bytes) -> str:
    for magic, found in _BY_MAGIC.items():
        if data.startswith(magic):
            return found
    first_line = data[:_LONGEST_RECORD].lstrip().split(b"\n", 1)[0].split(b"\r", 1)[0]
    for record, found in _BY_RECORD.items():
        if record.fullmatch(first_line):
            return found
    # USB DFU 1.1, appendix B: the last 16 bytes hold the signature "UFD" and their own length at these places.
    if data[-8:-5] == b"UFD" and data[-5:-4] == b"\x10":
        return _DFU
    return ""


def _way_out(found: str, shown: str) -> str:
    stem = PurePath(shown).stem
    objcopy = f"arm-none-eabi-objcopy -O binary '{shown}' '{stem}.bin'"
    ways = {
        _ELF: objcopy,
        _HEX: objcopy.replace(" -O", " -I ihex -O"),
        _SREC: objcopy.replace(" -O", " -I srec -O"),
        _DFU: f"dfu-suffix --delete '{shown}'",
    }
    way = ways.get(found)
    if way is None:
        return "raw binaries are what can be flashed: take the .bin that the build writes, or make it from the .elf"
    return f"raw binaries are what can be flashed; this makes one: {way}"
