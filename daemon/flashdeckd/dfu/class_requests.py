"""The seven class requests, one function each (USB DFU 1.1, table 3.2)."""

from dataclasses import replace

from flashdeck.errors import DeviceError
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.wire import STATUS_LENGTH, DfuRequest, StatusReport, parse_status

REQUEST_TIMEOUT = 5.0
"""Seconds for a request that only asks or tells."""
OPERATION_TIMEOUT = 35.0
"""Seconds for a request within which a device may erase or program: ST's class does so in GETSTATUS, USBX in DNLOAD."""

DETACH_MS = 1000
"""wDetachTimeOut: what the application is given to wait for a bus reset."""


def get_state(pipe: ControlPipe) -> int:
    """GETSTATE: the state, without any side effect of the protocol."""
    answer = pipe.receive(DfuRequest.GETSTATE, 0, 1, timeout=REQUEST_TIMEOUT)
    if len(answer) != 1:
        raise DeviceError("the bootloader answered GETSTATE with nothing", hint="unplug the board and plug it in again")
    return answer[0]


def get_status(pipe: ControlPipe, *, timeout: float = OPERATION_TIMEOUT) -> StatusReport:
    """GETSTATUS; in dfuDNLOAD-SYNC it starts the pending operation."""
    report = parse_status(pipe.receive(DfuRequest.GETSTATUS, 0, STATUS_LENGTH, timeout=timeout))
    return report if pipe.quirk.poll_ms is None else replace(report, poll_ms=pipe.quirk.poll_ms)


def clear_status(pipe: ControlPipe) -> None:
    """CLRSTATUS; only for dfuERROR and for states that nothing else leads out of."""
    pipe.send(DfuRequest.CLRSTATUS, 0, b"", timeout=REQUEST_TIMEOUT)


def abort(pipe: ControlPipe) -> None:
    """ABORT: back to dfuIDLE from the download and upload states."""
    pipe.send(DfuRequest.ABORT, 0, b"", timeout=REQUEST_TIMEOUT)


def download(pipe: ControlPipe, block: int, data: bytes, *, timeout: float = OPERATION_TIMEOUT) -> None:
    """DNLOAD of one block."""
    pipe.send(DfuRequest.DNLOAD, block, data, timeout=timeout)


def upload(pipe: ControlPipe, block: int, length: int) -> bytes:
    """UPLOAD of one block; the answer may be shorter."""
    return pipe.receive(DfuRequest.UPLOAD, block, length, timeout=REQUEST_TIMEOUT)


def detach(pipe: ControlPipe) -> None:
    """DETACH: asks the run-time device to go into DFU mode within DETACH_MS."""
    pipe.send(DfuRequest.DETACH, DETACH_MS, b"", timeout=REQUEST_TIMEOUT)
