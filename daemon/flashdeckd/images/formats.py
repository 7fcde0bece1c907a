"""The formats of image files, as a table: how each is known, and what reads it.

A format is told by the file's contents. Flashed as they are, files of other formats would put headers and text where
the vector table belongs; so where the contents have no sign of any format, the file is a raw binary only if its name
does not promise another one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from flashdeck.config import Profile
from flashdeck.errors import RefusedError
from flashdeck.image_formats import TITLES_IN_WORDS, ImageFormat
from flashdeckd.images import dfu_file, elf, intel_hex, s_record
from flashdeckd.images.image import PREFIX
from flashdeckd.images.segments import FileContents


@dataclass(frozen=True, slots=True)
class Reader:
    """One format."""

    format: ImageFormat
    is_in: Callable[[bytes], bool]
    """Tells by its contents whether a file is of it. The first of `READERS` that says so counts."""
    read: Callable[[str, bytes, Profile], FileContents | bytes]
    """From the file's name for messages, its bytes and a profile: `FileContents` where the file says where its bytes
    belong, else the bytes of a raw binary. Raises RefusedError."""
    way_out: str = ""
    """A command that makes a raw binary of such a file; empty where there is none."""

    @property
    def has_addresses(self) -> bool:
        """Tell whether such files say where their bytes belong."""
        return self.format not in {ImageFormat.RAW, ImageFormat.DFU, ImageFormat.UF2}


def recognised(shown: str, data: bytes) -> Reader:
    """Return the format of a file.

    Text that does not begin with a record, in a file that is named as one of records, is a broken such file: its reader
    says which line is wrong.
    """
    found = next(each for each in READERS if each.is_in(data))
    if found.format is ImageFormat.RAW and data and _TEXT.issuperset(data[:TEXT_LOOKED_AT]):
        return next((each for each in READERS if each.format in _RECORDS and _is_named(shown, each.format)), found)
    return found


def only_raw(shown: str, data: bytes) -> bytes:
    """Return the bytes of a raw binary; raises RefusedError, with the way to one, for a file of another format."""
    found = recognised(shown, data)
    match found.format:
        case ImageFormat.RAW:
            return _raw(shown, data)
        case ImageFormat.UF2:
            raise _uf2(shown)
        case _:
            way_out = found.way_out.format(shown=shown, stem=PurePath(shown).stem)
            raise RefusedError(
                f"{shown} is a file of format {found.format.title}, not a raw binary",
                hint="without a partition to check it against, only a raw binary is taken"
                + (f"; this makes one: {way_out}" if way_out else ": take the .bin that the build writes"),
            )


def _raw(shown: str, data: bytes) -> bytes:
    named = next((each for each in ImageFormat if each is not ImageFormat.RAW and _is_named(shown, each)), None)
    if data and named:
        raise RefusedError(
            f"{shown} is named like a file of format {named.title}, but its contents are not",
            hint="if it is a raw binary, give it a name that ends in .bin; if not, look at what wrote it",
        )
    return _checked(shown, data)


def _dfu(shown: str, data: bytes, profile: Profile) -> bytes:
    content = bytes(dfu_file.payload(shown, data, profile))
    found = recognised("", content)  # the name is that of the file with the suffix
    if found.format is not ImageFormat.RAW:
        raise RefusedError(
            f"{shown} is a file of format {found.format.title} with a DFU suffix, not a raw binary with one",
            hint="take the file as it was without the suffix (dfu-suffix --delete)",
        )
    return _checked(shown, content)


def _checked(shown: str, data: bytes) -> bytes:
    """Return the bytes of a raw binary; raises RefusedError where there are none, or none that a build wrote."""
    if not data:
        raise RefusedError(f"{shown} is empty", hint="look at the build: it made the file and wrote nothing into it")
    if data.startswith(PREFIX):
        raise RefusedError(
            f"{shown} is from flashdeck's own store of images, and no build wrote it",
            hint="name the file that the build wrote",
        )
    return data


def _uf2(shown: str) -> RefusedError:
    return RefusedError(
        f"{shown} is a UF2 file, which is for bootloaders that show up as a USB drive; no DFU bootloader takes it",
        hint=f"take another file of the same build; what can be flashed: {TITLES_IN_WORDS}",
    )


def _refuse_uf2(shown: str, _data: bytes, _profile: Profile) -> bytes:
    raise _uf2(shown)


def _is_named(shown: str, kind: ImageFormat) -> bool:
    return shown.lower().endswith(kind.suffixes)


_TEXT = frozenset(b"\t\n\r" + bytes(range(0x20, 0x7F)))
TEXT_LOOKED_AT = 256
"""Bytes by which text is known."""
_RECORDS = frozenset((ImageFormat.INTEL_HEX, ImageFormat.S_RECORD))
_OBJCOPY = "arm-none-eabi-objcopy {} '{{shown}}' '{{stem}}.bin'"

READERS = (
    Reader(
        ImageFormat.ELF,
        elf.is_in,
        lambda shown, data, _: elf.read(shown, data),
        _OBJCOPY.format("-O binary"),
    ),
    Reader(
        ImageFormat.DFUSE,
        dfu_file.is_dfuse,
        lambda shown, data, profile: dfu_file.read_dfuse(shown, dfu_file.payload(shown, data, profile)),
    ),
    Reader(ImageFormat.DFU, dfu_file.has_suffix, _dfu, "dfu-suffix --delete '{shown}'"),
    Reader(ImageFormat.UF2, lambda data: data.startswith(b"UF2\n"), _refuse_uf2),
    Reader(
        ImageFormat.INTEL_HEX,
        intel_hex.is_in,
        lambda shown, data, _: intel_hex.read(shown, data),
        _OBJCOPY.format("-I ihex -O binary"),
    ),
    Reader(
        ImageFormat.S_RECORD,
        s_record.is_in,
        lambda shown, data, _: s_record.read(shown, data),
        _OBJCOPY.format("-I srec -O binary"),
    ),
    Reader(ImageFormat.RAW, lambda _: True, lambda shown, data, _: _raw(shown, data)),
)
