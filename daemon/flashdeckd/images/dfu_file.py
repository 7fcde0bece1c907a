"""DFU files, plain or DfuSe.

Both end in a suffix that says which device they are for (USB DFU 1.1, appendix B). In ST's DfuSe files (UM0391) a
container with addresses stands before it, in plain ones the raw binary.
"""

import struct
import zlib
from collections.abc import Collection, Iterator

from flashdeck.config import UsbId
from flashdeck.errors import RefusedError
from flashdeckd.images.segments import MAX_SEGMENTS, Segment

FILL = 0xFF
"""What lies between elements: as erased flash."""

_SUFFIX = struct.Struct("<HHHH3sBI")  # bcdDevice, idProduct, idVendor, bcdDFU, "UFD", its length, CRC-32
_PREFIX = struct.Struct("<5sBIB")  # "DfuSe", version, bytes up to the suffix, number of targets
_TARGET = struct.Struct("<6sBI255sII")  # "Target", alternate setting, is named, name, bytes of elements, their number
_ELEMENT = struct.Struct("<II")  # address, bytes
_ANY = 0xFFFF
_MADE_AGAIN = "copy or make the file again, or name the .bin of the build"


def payload(shown: str, data: bytes, ids: Collection[UsbId]) -> memoryview:
    """What stands before the suffix, once its CRC was checked and that it names one of the devices `ids` (or any).

    Raises RefusedError.
    """
    if len(data) < _SUFFIX.size:
        raise RefusedError(f"{shown} is too short for a DFU suffix", hint=_MADE_AGAIN)
    *_, product, vendor, _, signature, length, crc = _SUFFIX.unpack(data[-_SUFFIX.size :])
    if signature != b"UFD" or length != _SUFFIX.size:
        raise RefusedError(f"{shown} has no DFU suffix: it may have been cut off", hint=_MADE_AGAIN)
    whole = memoryview(data)
    found = zlib.crc32(whole[:-4]) ^ 0xFFFFFFFF  # the standard leaves out the last inversion
    if found != crc:
        raise RefusedError(
            f"{shown} is damaged: its DFU suffix says CRC 0x{crc:08x}, and it has 0x{found:08x}", hint=_MADE_AGAIN
        )
    if not any(vendor in (_ANY, each.vendor) and product in (_ANY, each.product) for each in ids):
        raise RefusedError(
            f"{shown} is for the device {UsbId(vendor, product)}, not for {' or '.join(sorted(map(str, ids)))}",
            hint="is this the right file? If it is, give its DFU suffix the right ids (dfu-suffix --add)",
        )
    return whole[: -_SUFFIX.size]


def elements(shown: str, content: memoryview) -> tuple[Segment, ...]:
    """The elements of all targets of a DfuSe file, given without its suffix.

    Raises RefusedError for a broken file, and for one that has something for several alternate settings: in DfuSe
    these are different memories, as the flash and the option bytes.
    """
    try:
        found = tuple(_elements(content))
    except (struct.error, ValueError) as error:
        problem = str(error) if isinstance(error, ValueError) else "it is shorter than it says"
        raise RefusedError(f"{shown} is a broken DfuSe file: {problem}", hint=_MADE_AGAIN) from error
    alternates = sorted({alternate for alternate, _ in found})
    if len(alternates) > 1:
        raise RefusedError(
            f"{shown} has bytes for the alternate settings {', '.join(map(str, alternates))}: these are different "
            "memories, and one partition is to be flashed",
            hint="make a file of the program alone, or name the .bin of the build",
        )
    return tuple(segment for _, segment in found)


def _elements(content: memoryview) -> Iterator[tuple[int, Segment]]:
    """Each with its alternate setting. Raises ValueError, or struct.error where the file ends early."""
    signature, version, size, targets = _PREFIX.unpack_from(content)
    if signature != b"DfuSe" or version != 1:
        raise ValueError(f"version {version} is not known")
    if size != len(content):
        raise ValueError(f"it says {size} bytes and has {len(content)}")
    at, count = _PREFIX.size, 0
    for _ in range(targets):
        mark, alternate, *_, target_size, number = _TARGET.unpack_from(content, at)
        if mark != b"Target":
            raise ValueError(f"there is no target at byte {at}")
        at += _TARGET.size
        end = at + target_size
        count += number
        if count > MAX_SEGMENTS:
            raise ValueError(f"it has more than {MAX_SEGMENTS} elements")
        for _ in range(number):
            address, length = _ELEMENT.unpack_from(content, at)
            at += _ELEMENT.size
            if at + length > len(content):
                raise ValueError(f"the element for 0x{address:08x} goes beyond its end")
            yield int(alternate), Segment(address, content[at : at + length])
            at += length
        if at != end:
            raise ValueError(f"the elements of a target have {at - end + target_size} bytes, and it says {target_size}")
    if at != len(content):
        raise ValueError(f"{len(content) - at} bytes follow the last target")
