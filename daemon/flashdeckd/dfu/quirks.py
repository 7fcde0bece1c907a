"""Devices that are not what they say, by their USB ids: each with the reason, as data.

What any device is forgiven is not here but in the code for all: an answer that comes too late or as a STALL, a leave
without an answer (GigaDevice), poll times that are too short (the ROM of the STM32L4) or 0 for ever (Black Magic
Probe), strings that are cut short. What is here is wrong in a way that nothing but the device's name gives away. Known
from dfu-util 0.11 and its documentation of device quirks, if nothing else is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flashdeck.config import UsbId
from flashdeck.errors import DescriptorError
from flashdeck.memory_map import Access, MemoryMap
from flashdeckd.dfu.descriptor import VERSION_DFUSE

_PROTOCOL_DFU = 2
_ANY_PRODUCT = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """Corrections of what a device says. The defaults change nothing."""

    reason: str
    poll_ms: int | None = None
    """In place of every bwPollTimeout, in milliseconds."""
    version: int | None = None
    """In place of bcdDFUVersion."""
    dfu_protocol: int = _PROTOCOL_DFU
    """bInterfaceProtocol that means DFU mode, beside 2."""
    alone: bool = False
    """True if `dfu_protocol` means it only where the DFU interface is the only one."""
    unerasable: frozenset[str] = frozenset()
    """Names of memory maps whose sectors cannot be erased, whatever the map says."""
    wrong_map: bool = False
    """True if its memory maps are of another chip: it is then taken for a device that has none."""

    def is_dfu_mode(self, protocol: int, version: int | None, interfaces: int) -> bool:
        """Tell whether a DFU interface is in DFU mode.

        `protocol` is its bInterfaceProtocol, `version` bcdDFUVersion (None: no functional descriptor), `interfaces` how
        many the device has. DfuSe is spoken in DFU mode only, so it also means that where the protocol is missing.
        """
        if protocol == _PROTOCOL_DFU or (protocol == 0 and (self.version or version) == VERSION_DFUSE):
            return True
        return protocol == self.dfu_protocol and (interfaces == 1 or not self.alone)

    def mend_functional(self, raw: bytes) -> bytes:
        """The functional descriptor with the version that is to be believed."""
        if self.version is None or len(raw) < _VERSION_AT:
            return raw
        return raw[:_VERSION_AT] + self.version.to_bytes(2, "little") + raw[_VERSION_AT + 2 :]

    def mend_map(self, memory_map: MemoryMap) -> MemoryMap:
        """The memory map without the access that the device does not have.

        Raises DescriptorError, as for a map that cannot be understood, where it is not to be believed.
        """
        if self.wrong_map:
            raise DescriptorError(
                f"the memory map {memory_map.name!r} is not believed: {self.reason}",
                hint="the geometry in the profile is used instead; state there what the chip's data sheet says",
            )
        if memory_map.name not in self.unerasable:
            return memory_map
        segments = (replace(each, access=each.access & ~Access.ERASE) for each in memory_map.segments)
        return replace(memory_map, segments=tuple(segments))


_VERSION_AT = 7
"""The place of bcdDFUVersion in a functional descriptor of DFU 1.1."""

NONE = Quirk(reason="")
"""A device as it should be."""

_RANDOM_POLL = Quirk(
    reason="bwPollTimeout was never set by its firmware and holds anything, up to hours; 5 ms are enough",
    poll_ms=5,
)
_FREERUNNER = range(0x5117, 0x5127)

QUIRKS: Mapping[str, Quirk] = {
    **{f"1d50:{product:04x}": _RANDOM_POLL for product in _FREERUNNER},  # Openmoko Neo Freerunner and relatives
    **{f"1457:{product:04x}": _RANDOM_POLL for product in _FREERUNNER},  # the same under its maker's id
    "16c0:0762": _RANDOM_POLL,  # SIMtrace
    "16c0:076b": _RANDOM_POLL,  # OpenPCD
    "16c0:076c": _RANDOM_POLL,  # OpenPICC
    "0763:2806": _RANDOM_POLL,  # M-Audio Transit
    "0908:02c4:0000": _RANDOM_POLL,  # Siemens PXM40, before its firmware was mended
    "0908:02c5:0000": _RANDOM_POLL,  # Siemens PXM50, the same
    "1eaf:0003:0200": Quirk(
        reason="the Leaflabs Maple says another version and speaks DFU 1.1, without addresses",
        version=0x0110,
    ),
    "1fc9:000c": Quirk(
        reason="the boot ROM of NXP's LPC43xx has the protocol of the run-time interface although it is in DFU mode",
        dfu_protocol=1,
    ),
    "0b0e:*": Quirk(
        reason="Jabra's have one product id for both modes and no protocol; in DFU mode there is no other interface",
        dfu_protocol=0,
        alone=True,
    ),
    "0483:df11": Quirk(
        reason='the map of the STM32F4\'s ROM says that its "Device Feature" can be erased; it cannot',
        unerasable=frozenset({"Device Feature"}),
    ),
    "28e9:0189": Quirk(
        reason="the map of GigaDevice's GD32VF103 has pages of another size and number than the chip; what it really "
        "has follows from the third letter of its serial number",
        wrong_map=True,
    ),
}
"""By VID:PID:bcdDevice, VID:PID, or VID:* for all products of a vendor; all hexadecimal, four digits each."""


def quirk_of(usb_id: UsbId, bcd_device: int) -> Quirk:
    """Return the entry that names a device most exactly, or `NONE`."""
    keys = (f"{usb_id}:{bcd_device:04x}", str(usb_id), f"{usb_id.vendor:04x}:{_ANY_PRODUCT}")
    return next((QUIRKS[key] for key in keys if key in QUIRKS), NONE)
