"""The reason for a refusal, in words: a STALL alone says nothing, so the device is asked once more."""

from contextlib import suppress

from flashdeck.errors import DeviceError, StallError
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.class_requests import REQUEST_TIMEOUT
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.wire import STATUS_OK, DfuProtocol, DfuState, state_name


def refused(pipe: ControlPipe, protocol: DfuProtocol) -> str:
    """Return what a device has done with the request before this, as far as it says: it was answered with a STALL.

    GETSTATE comes first, for GETSTATUS would run an operation that is pending; USBX in dfuERROR may refuse both.
    """
    said = "the bootloader refused it with a STALL"
    try:
        state = class_requests.get_state(pipe)
        said = f"{said} in {state_name(state)}"
    except StallError:
        state = DfuState.ERROR  # or it has no GETSTATE, as old MicroPython bootloaders
    except DeviceError:
        return said
    with suppress(DeviceError):
        if state == DfuState.ERROR:
            report = class_requests.get_status(pipe, timeout=REQUEST_TIMEOUT)
            if report.status != STATUS_OK:
                return f"the bootloader refused it: {report.describe(protocol)}"
    return said
