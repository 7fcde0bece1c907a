"""What an image file holds. Bytes in, image bytes out.

A raw binary, as a linker's `objcopy -O binary` writes it, is an image as it is, to be flashed from the first address of
its partition. ELF, Intel HEX and DfuSe files say themselves where their bytes belong, and DFU files which device they
are for; both is checked against the partition. A format is told by the file's contents first and by its name second:
flashed as they are, files of other formats would put headers and text where the vector table belongs.
"""

import re
from pathlib import PurePath

from flashdeck.config import Partition, Profile
from flashdeck.errors import RefusedError
from flashdeck.text import clean
from flashdeckd.images import dfu_file, elf, intel_hex
from flashdeckd.images.segments import place

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
    """The image in a raw binary called `name` (used for its suffix and in messages only) with the contents `data`.

    Raises RefusedError for a file that is empty, looks like erased flash, or is not a raw binary; message and hint say
    what it is and how to get a raw binary out of it.
    """
    shown = _shown(name)
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
    return _program(shown, data)


def parse_for(name: str, data: bytes, profile: Profile, partition: Partition) -> bytes:
    """The image in a file of any format that can be flashed, for `partition` of `profile`; see `parse`.

    Raises RefusedError, also where the file's own addresses or USB ids are not those of the partition and its profile.
    """
    shown = _shown(name)
    found = _by_contents(data)
    if partition.alternate is not None and found in (_ELF, _HEX, _DFUSE):
        raise RefusedError(
            f"{shown} is a file of format {found}, which says where its bytes belong, and partition {partition.name} "
            f"is alternate setting {partition.alternate}, which has no address to check that against",
            hint="name the raw binary that the build writes, or make one with objcopy -O binary",
        )
    if found == _ELF:
        return _program(shown, place(shown, elf.segments(shown, data), profile, partition, fill=elf.FILL))
    if found == _HEX:
        records = intel_hex.segments(shown, data, limit=partition.span.size)
        return _program(shown, place(shown, records, profile, partition, fill=intel_hex.FILL))
    if found in (_DFUSE, _DFU):
        content = dfu_file.payload(shown, data, {each for each in (profile.dfu, profile.app) if each is not None})
        if found == _DFU:
            return parse(PurePath(name).stem + ".bin", bytes(content))
        elements = dfu_file.elements(shown, content)
        return _program(shown, place(shown, elements, profile, partition, fill=dfu_file.FILL))
    return parse(name, data)


def _shown(name: str) -> str:
    return clean(PurePath(name).name or name) or "the file"


def _program(shown: str, image: bytes) -> bytes:
    if image.count(image[0]) == len(image) and image[0] in (0x00, 0xFF):
        raise RefusedError(
            f"{shown} holds {len(image)} bytes and all of them are 0x{image[0]:02x}: that is no program",
            hint="0xff is what erased flash reads as, 0x00 what a file holds that was made longer but not written: "
            "look at the build",
        )
    return image


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
    only = "without a partition to check it against, only a raw binary is taken"
    if found in (_SREC, _UF2):
        only = "raw binaries, ELF, Intel HEX and DFU files are what can be flashed"
    if way is None:
        return f"{only}: take the .bin that the build writes, or make it from the .elf"
    return f"{only}; this makes one: {way}"
