"""The DFU functional descriptor, in every length that devices send (USB DFU 1.1, 4.1.3; DFU 1.0 has 7 bytes)."""

from collections.abc import Iterable
from dataclasses import dataclass

FUNCTIONAL_DESCRIPTOR = 0x21
"""The same number as the HID descriptor's: look only where a DFU interface is."""
VERSION_1_0 = 0x0100
VERSION_DFUSE = 0x011A

_HEADER = 2
_CAN_DOWNLOAD = 0x01
_CAN_UPLOAD = 0x02
_MANIFESTATION_TOLERANT = 0x04
_WILL_DETACH = 0x08


@dataclass(frozen=True, slots=True)
class FunctionalDescriptor:
    """The abilities that a device states. A missing descriptor, or a missing field, takes the defaults here."""

    can_download: bool = True
    can_upload: bool = False
    """False where nothing says so: reading is never needed."""
    manifestation_tolerant: bool = False
    will_detach: bool = False
    detach_timeout_ms: int = 0
    transfer_size: int = 0
    """wTransferSize in bytes; 0 where the device does not say."""
    version: int | None = None
    """bcdDFUVersion: 0x0100, 0x0101, 0x0110, or 0x011A for DfuSe; None where the descriptor is missing."""


def find_functional(places: Iterable[bytes]) -> bytes:
    """The functional descriptor among class-specific descriptors, b"" if there is none.

    `places` are the extra bytes behind each alternate setting and behind the configuration: devices differ in where
    they put it. They are walked by bLength; a truncated descriptor is returned as far as it goes.
    """
    for place in places:
        at = 0
        while at + _HEADER <= len(place):
            length = place[at]
            if length < _HEADER:
                break
            if place[at + 1] == FUNCTIONAL_DESCRIPTOR:
                return place[at : at + length]
            at += length
    return b""


def parse_functional(raw: bytes) -> FunctionalDescriptor:
    """Reads a functional descriptor of any length. Bytes that are not there take the defaults; DFU 1.0 sends seven."""
    attributes = raw[2:3]
    if not attributes:
        return FunctionalDescriptor()
    bits = attributes[0]
    return FunctionalDescriptor(
        can_download=bool(bits & _CAN_DOWNLOAD),
        can_upload=bool(bits & _CAN_UPLOAD),
        manifestation_tolerant=bool(bits & _MANIFESTATION_TOLERANT),
        will_detach=bool(bits & _WILL_DETACH),
        detach_timeout_ms=_word(raw, 3) or 0,
        transfer_size=_word(raw, 5) or 0,
        version=_word(raw, 7) or VERSION_1_0,
    )


def _word(raw: bytes, at: int) -> int | None:
    field = raw[at : at + 2]
    return int.from_bytes(field, "little") if len(field) == 2 else None  # noqa: PLR2004 - a USB word
