"""The reason for a refusal, in words: a STALL alone says nothing, so the device is asked once more."""

from contextlib import suppress
from dataclasses import dataclass

from flashdeck.errors import DeviceError, StallError
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.class_requests import REQUEST_TIMEOUT
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.wire import STATUS_OK, DfuProtocol, DfuState, state_name


@dataclass(frozen=True, slots=True)
class StallReason:
    """The words of a device that has answered a request with a STALL."""

    words: str
    state: int | None = None
    """The state that it is in; None where it does not say."""


def refusal(pipe: ControlPipe, protocol: DfuProtocol) -> StallReason:
    """Ask a device why it has answered the request before this with a STALL.

    GETSTATE comes first, for GETSTATUS would run an operation that is pending; USBX in dfuERROR may refuse both.
    """
    said, state = "the bootloader refused it with a STALL", None
    with suppress(DeviceError):
        try:
            state = class_requests.get_state(pipe)
            said = f"{said} in {state_name(state)}"
        except StallError:
            pass  # it is in dfuERROR, or has no GETSTATE, as old MicroPython bootloaders
        if state in (None, DfuState.ERROR):
            report = class_requests.get_status(pipe, timeout=REQUEST_TIMEOUT)
            if report.status != STATUS_OK:
                said = f"the bootloader refused it: {report.describe(protocol)}"
    return StallReason(said, state)
