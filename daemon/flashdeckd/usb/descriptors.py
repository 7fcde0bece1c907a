"""Reads DFU interfaces out of the raw descriptors that the kernel keeps of a device. Pure: bytes in, values out."""

from collections.abc import Iterator

from flashdeckd.dfu.descriptor import FUNCTIONAL_DESCRIPTOR, parse_functional
from flashdeckd.usb.device import InterfaceClass

MAX_BYTES = 1 << 17
"""Bytes looked at. One configuration may have 65,535 (wTotalLength); real devices have some hundred."""
MAX_INTERFACES = 256
"""Alternate settings taken from one device."""

# USB 2.0, 9.4 (table 9-5) and 9.6.5 (table 9-12).
_INTERFACE = 4
_INTERFACE_LENGTH = 9


def interfaces(raw: bytes) -> tuple[InterfaceClass, ...]:
    """All alternate settings of all configurations in `raw`, each once, in their order.

    `raw` is what sysfs has as `descriptors`: the device descriptor and then each configuration with all that belongs
    to it. Every descriptor begins with its length, and the kernel cuts a configuration off where that makes no sense,
    so one walk over the lengths sees everything. Whatever the bytes are, the walk ends and nothing is raised.
    """
    found: dict[InterfaceClass, None] = {}
    for descriptor in _walk(raw[:MAX_BYTES]):
        if descriptor[1] == _INTERFACE and len(descriptor) >= _INTERFACE_LENGTH:
            found[InterfaceClass(descriptor[2], descriptor[3], *descriptor[5:8])] = None
            if len(found) == MAX_INTERFACES:
                break
    return tuple(found)


def dfu_version(raw: bytes) -> int | None:
    """The bcdDFUVersion of the first DFU functional descriptor in `raw`, None where there is none.

    It follows its interface. Behind any other interface the same number means a HID descriptor.
    """
    after_dfu = False
    for descriptor in _walk(raw[:MAX_BYTES]):
        kind = descriptor[1]
        if kind == _INTERFACE and len(descriptor) >= _INTERFACE_LENGTH:
            after_dfu = InterfaceClass(descriptor[2], descriptor[3], *descriptor[5:8]).is_dfu
        elif kind == FUNCTIONAL_DESCRIPTOR and after_dfu:
            return parse_functional(descriptor).version
    return None


def _walk(raw: bytes) -> Iterator[bytes]:
    offset = 0
    while offset + 2 <= len(raw):
        length = raw[offset]
        if length < 2 or offset + length > len(raw):  # noqa: PLR2004  (the two bytes that every descriptor has)
            return
        yield raw[offset : offset + length]
        offset += length
