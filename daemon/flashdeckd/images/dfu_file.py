"""DFU files, plain or DfuSe.

Both end in a suffix that says which device they are for (USB DFU 1.1, appendix B). In ST's DfuSe files (UM0391) a
container with addresses stands before it, in plain ones the raw binary.
"""

import struct
import zlib
from collections.abc import Iterator

from flashdeck.config import Profile, UsbId
from flashdeck.errors import RefusedError
from flashdeck.text import counted
from flashdeckd.images.segments import FileContents, Segment, bounded, joined

_SUFFIX = struct.Struct("<HHHH3sBI")  # bcdDevice, idProduct, idVendor, bcdDFU, "UFD", its length, CRC-32
_SIGNATURE = b"UFD" + bytes((_SUFFIX.size,))
_CRC = struct.Struct("<I")
_PREFIX = struct.Struct("<5sBIB")  # "DfuSe", version, bytes up to the suffix, number of targets
_TARGET = struct.Struct("<6sBI255sII")  # "Target", alternate setting, is named, name, bytes of elements, their number
_ELEMENT = struct.Struct("<II")  # address, bytes
_DFUSE = b"DfuSe"
_ANY = 0xFFFF
_MADE_AGAIN = "copy or make the file again, or name the .bin of the build"


def has_suffix(data: bytes | memoryview) -> bool:
    """Tell whether `data` ends in a DFU suffix, by its signature and its length."""
    return bytes(data[-8:-4]) == _SIGNATURE


def device_of(data: bytes) -> UsbId | None:
    """Return the device that a DFU suffix says the file is for; None where there is no suffix."""
    if len(data) < _SUFFIX.size or not has_suffix(data):
        return None
    _, product, vendor, *_ = _SUFFIX.unpack(data[-_SUFFIX.size :])
    return UsbId(vendor, product)


def is_dfuse(data: bytes) -> bool:
    """Tell whether `data` is a DfuSe file by its first bytes."""
    return data.startswith(_DFUSE)


def payload(shown: str, data: bytes, profile: Profile) -> memoryview:
    """Return what stands before the suffix, once its CRC was checked and that it names a device of `profile` (or any).

    Raises RefusedError.
    """
    if len(data) < _SUFFIX.size:
        raise RefusedError(f"{shown} is too short for a DFU suffix", hint=_MADE_AGAIN)
    if not has_suffix(data):
        raise RefusedError(f"{shown} has no DFU suffix: it may have been cut off", hint=_MADE_AGAIN)
    *_, product, vendor, _, _, _, crc = _SUFFIX.unpack(data[-_SUFFIX.size :])
    whole = memoryview(data)
    found = _crc(whole)
    if found != crc:
        end = data.find(_SIGNATURE) + len(_SIGNATURE) + _CRC.size
        if end < len(data) and _CRC.unpack(data[end - _CRC.size : end]) == (_crc(whole[:end]),):
            raise RefusedError(
                f"{shown} ends at byte {end} and goes on: two files in one",
                hint="take the two files apart, or make one DfuSe file of both",
            )
        raise RefusedError(
            f"{shown} is damaged: its DFU suffix says CRC 0x{crc:08x}, and it has 0x{found:08x}", hint=_MADE_AGAIN
        )
    content = whole[: -_SUFFIX.size]
    if has_suffix(content):
        raise RefusedError(
            f"{shown} has two DFU suffixes",
            hint="a step of the build adds one to a file that has one already: run dfu-suffix --add once only",
        )
    ids = {each for each in (profile.dfu, profile.app) if each is not None}
    if not any(vendor in (_ANY, each.vendor) and product in (_ANY, each.product) for each in ids):
        raise RefusedError(
            f"{shown} is for the device {UsbId(vendor, product)}, not for {' or '.join(sorted(map(str, ids)))}",
            hint="is this the right file? If it is, give its DFU suffix the right ids (dfu-suffix --add)",
        )
    return content


def _crc(whole: memoryview) -> int:
    """Return what the CRC at the end of `whole` must be; the standard leaves out the last inversion."""
    return zlib.crc32(whole[: -_CRC.size]) ^ 0xFFFFFFFF


def read_dfuse(shown: str, content: memoryview) -> FileContents:
    """Return the elements of all targets of a DfuSe file, given without its suffix.

    Their addresses say where they belong, not the alternate settings, which devices number as they like. Elements say
    their own sizes; where the sums in the headers say something else, that is a note: they carry no bytes. Raises
    RefusedError for a broken file.
    """
    notes: list[str] = []
    try:
        segments = bounded(shown, joined(_elements(content, notes)))
    except (struct.error, ValueError) as error:
        problem = str(error) if isinstance(error, ValueError) else "it is shorter than it says"
        raise RefusedError(f"{shown} is a broken DfuSe file: {problem}", hint=_MADE_AGAIN) from error
    return FileContents(segments, tuple(f"{shown}: {note}" for note in notes))


def _elements(content: memoryview, notes: list[str]) -> Iterator[Segment]:
    """Yield the elements. Raises ValueError, or struct.error where the file ends early."""
    _, version, size, targets = _PREFIX.unpack_from(content)
    if version != 1:
        raise ValueError(f"version {version} is not known")
    if size != len(content):
        notes.append(f"its DfuSe header says {size} bytes, and it has {len(content)} before the suffix")
    at, wrong = _PREFIX.size, 0
    for _ in range(targets):
        mark, _, _, _, target_size, number = _TARGET.unpack_from(content, at)
        if mark != b"Target":
            raise ValueError(f"there is no target at byte {at}")
        at += _TARGET.size
        start = at
        for _ in range(number):
            address, length = _ELEMENT.unpack_from(content, at)
            at += _ELEMENT.size
            if at + length > len(content):
                raise ValueError(f"the element for 0x{address:08x} goes beyond its end")
            yield Segment(address, content[at : at + length])
            at += length
        wrong += at - start != target_size
    if at != len(content):
        raise ValueError(f"{len(content) - at} bytes follow the last target")
    if wrong:
        notes.append(f"{counted(wrong, 'target')} of it with another size than its elements have together")
