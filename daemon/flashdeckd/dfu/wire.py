"""DFU and DfuSe as bytes: requests, states, status reports and commands (USB DFU 1.1; DfuSe: ST AN3156, UM0424)."""

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum

from flashdeck.errors import DeviceError


class DfuRequest(IntEnum):
    """Class requests (USB DFU 1.1, table 3.2)."""

    DETACH = 0
    DNLOAD = 1
    UPLOAD = 2
    GETSTATUS = 3
    CLRSTATUS = 4
    GETSTATE = 5
    ABORT = 6


class DfuState(IntEnum):
    """Device states (USB DFU 1.1, appendix A). Devices also say others: ST's class says 15 after a refused read."""

    APP_IDLE = 0
    APP_DETACH = 1
    IDLE = 2
    DNLOAD_SYNC = 3
    DNBUSY = 4
    DNLOAD_IDLE = 5
    MANIFEST_SYNC = 6
    MANIFEST = 7
    MANIFEST_WAIT_RESET = 8
    UPLOAD_IDLE = 9
    ERROR = 10


_STATE_NAMES = {
    DfuState.APP_IDLE: "appIDLE",
    DfuState.APP_DETACH: "appDETACH",
    DfuState.IDLE: "dfuIDLE",
    DfuState.DNLOAD_SYNC: "dfuDNLOAD-SYNC",
    DfuState.DNBUSY: "dfuDNBUSY",
    DfuState.DNLOAD_IDLE: "dfuDNLOAD-IDLE",
    DfuState.MANIFEST_SYNC: "dfuMANIFEST-SYNC",
    DfuState.MANIFEST: "dfuMANIFEST",
    DfuState.MANIFEST_WAIT_RESET: "dfuMANIFEST-WAIT-RESET",
    DfuState.UPLOAD_IDLE: "dfuUPLOAD-IDLE",
    DfuState.ERROR: "dfuERROR",
}

STATUS_OK = 0


class DfuProtocol(Enum):
    """The two protocols that share states and status numbers; some numbers mean more in one of them."""

    DFUSE = "DfuSe"
    PLAIN = "DFU 1.1"


# Name and meaning (USB DFU 1.1, 6.1.2).
_STATUSES = {
    0: ("OK", "no error"),
    1: ("errTARGET", "the image is not for this device"),
    2: ("errFILE", "the bootloader did not accept these data"),
    3: ("errWRITE", "the bootloader could not write the flash"),
    4: ("errERASE", "the bootloader could not erase the flash"),
    5: ("errCHECK_ERASED", "the flash was not blank after the erase"),
    6: ("errPROG", "the bootloader could not program the flash"),
    7: ("errVERIFY", "the flash differs from what was written"),
    8: ("errADDRESS", "the address is out of range"),
    9: ("errNOTDONE", "the bootloader expected more data"),
    10: ("errFIRMWARE", "the application is corrupt"),
    11: ("errVENDOR", "a reason of the bootloader's own"),
    12: ("errUSBR", "an unexpected USB reset"),
    13: ("errPOR", "an unexpected power-on reset"),
    14: ("errUNKNOWN", "the bootloader does not say what went wrong"),
    15: ("errSTALLEDPKT", "the bootloader did not expect or does not know this request"),
}
_IN_DFUSE = {
    1: "the address is wrong or not supported by this bootloader",
    11: "in ST's ROM: read protection is active; in a bootloader with ST's class: its erase or write callback failed",
}
"""The meanings that ST's AN3156 gives to some of them."""

STATUS_LENGTH = 6
MAX_TRANSFER = 4096
"""Linux usbfs, and with it libusb, carries at most this many bytes in one control transfer."""
UNSTATED_TRANSFER_SIZE = 64
"""Bytes per block for a device that does not say its wTransferSize: one packet of a full-speed endpoint 0."""
FIRST_BLOCK = 2
"""DfuSe: block 0 carries commands, block 1 is reserved, data starts here."""
LAST_BLOCK = 65534
"""DfuSe: data goes up to this block before the address is set again; wBlockNum has 16 bits."""

_SET_ADDRESS = 0x21
_ERASE_PAGE = 0x41


def usable_transfer_size(stated: int) -> int:
    """The bytes that device and system move at once, by the wTransferSize that the device states (0: none)."""
    return min(stated or UNSTATED_TRANSFER_SIZE, MAX_TRANSFER)


def state_name(state: int) -> str:
    """The name of a state as in the specification, with its number where it is none of those."""
    return _STATE_NAMES[DfuState(state)] if state in list(DfuState) else f"unknown state {state}"


def status_name(status: int, protocol: DfuProtocol) -> str:
    """The name of a status and what it means in that protocol."""
    name, meaning = _STATUSES.get(status, (f"unknown status {status}", "not in the specification"))
    if protocol is DfuProtocol.DFUSE:
        meaning = _IN_DFUSE.get(status, meaning)
    return f"{name} ({meaning})"


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Answer to GETSTATUS. Status and state may be numbers that the specification does not know."""

    status: int
    poll_ms: int
    """bwPollTimeout: how long to wait before the next GETSTATUS; up to 16,777,215 as sent."""
    state: int
    text_index: int = 0
    """iString: a vendor's description of the status, 0 for none."""

    def describe(self, protocol: DfuProtocol) -> str:
        """The status, what it means in that protocol, and the state."""
        return f"{status_name(self.status, protocol)} in {state_name(self.state)}"


def parse_status(data: bytes) -> StatusReport:
    """Reads the answer to GETSTATUS; raises DeviceError where it is too short."""
    if len(data) < STATUS_LENGTH:
        raise DeviceError(
            f"the bootloader answered GETSTATUS with {len(data)} bytes instead of {STATUS_LENGTH}",
            hint="unplug the board and plug it in again; if it happens again, its DFU class is broken",
        )
    return StatusReport(status=data[0], poll_ms=int.from_bytes(data[1:4], "little"), state=data[4], text_index=data[5])


def set_address(address: int) -> bytes:
    """DfuSe command: data blocks and the leave count from `address`. Sent as DNLOAD of block 0."""
    return struct.pack("<BI", _SET_ADDRESS, address)


def erase_page(address: int) -> bytes:
    """DfuSe command: erases the page that contains `address`. Sent as DNLOAD of block 0.

    The one-byte form (mass erase) and Read Unprotect have no function here: they are never sent.
    """
    return struct.pack("<BI", _ERASE_PAGE, address)
