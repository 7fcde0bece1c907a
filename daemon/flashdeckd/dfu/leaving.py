"""Out of DFU mode, and from the application into it. Most devices vanish within the exchange: that is success."""

from collections.abc import Callable
from contextlib import suppress

from flashdeck.errors import DeviceError, DeviceGoneError, StallError, TransferTimeoutError
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.descriptor import FunctionalDescriptor, parse_functional
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.wire import FIRST_BLOCK, DfuState

POLLS = 4
"""Times that a device which is on its way is asked where it is."""
NAP = 0.05
"""Seconds between them."""
_LEAVING = (DfuState.MANIFEST_SYNC, DfuState.MANIFEST, DfuState.MANIFEST_WAIT_RESET)
_LEFT = (DfuState.APP_IDLE, DfuState.APP_DETACH, DfuState.MANIFEST, DfuState.MANIFEST_WAIT_RESET)


def leave(pipe: ControlPipe, functional: FunctionalDescriptor, sleep: Callable[[float], object]) -> bool:
    """Ends the download with a block of no bytes (ST AN3156, leave DFU mode). The address has been set.

    True if the device has left the bus, does not answer any more (USBX does so), or says that it is on its way; False
    if it refused, or is in dfuIDLE or dfuDNLOAD-IDLE as if nothing had been said.
    """
    try:
        class_requests.download(pipe, FIRST_BLOCK, b"", timeout=class_requests.REQUEST_TIMEOUT)
    except StallError:
        return _is_on_its_way(pipe)
    except DeviceGoneError:
        return True
    except TransferTimeoutError:
        pass  # GigaDevice's are gone without an answer; another one may be there and have ignored it
    try:
        return _watch(pipe, functional, sleep)
    except DeviceError:  # gone, a STALL, or a transfer cut short
        return True


def detach(pipe: ControlPipe) -> None:
    """Asks a running application to come back in DFU mode (USB DFU 1.1, 5.1).

    A STALL, a timeout or a vanished device is no error: some reboot before they answer. Without bitWillDetach the host
    resets the bus.
    """
    functional = parse_functional(pipe.functional)
    with suppress(StallError, TransferTimeoutError, DeviceGoneError):
        class_requests.detach(pipe)
        if not functional.will_detach:
            pipe.reset()


def _watch(pipe: ControlPipe, functional: FunctionalDescriptor, sleep: Callable[[float], object]) -> bool:
    for _ in range(POLLS):
        state = class_requests.get_status(pipe, timeout=class_requests.REQUEST_TIMEOUT).state
        if state == DfuState.MANIFEST_WAIT_RESET and not functional.will_detach:
            pipe.reset()
        # A manifestation tolerant device of ST's class goes from dfuMANIFEST back to dfuIDLE and never leaves.
        if state not in _LEAVING or (state in _LEFT and not functional.manifestation_tolerant):
            return state in _LEFT
        sleep(NAP)
    return True


def _is_on_its_way(pipe: ControlPipe) -> bool:
    try:
        return class_requests.get_state(pipe) in _LEAVING
    except DeviceGoneError:
        return True
    except (StallError, TransferTimeoutError):
        return False
