"""Loading libusb for pyusb."""

import ctypes.util
import logging
from typing import TYPE_CHECKING

from flashdeck.errors import FlashdeckError

if TYPE_CHECKING:
    from usb.backend import IBackend

_log = logging.getLogger(__name__)


def open_backend() -> "IBackend":
    """Opens libusb 1.0 for pyusb: the system's where it loads, else the one in the libusb-package wheel.

    Call it once, in the composition root, before anything else calls `usb.core.find`, and hand the result to all that
    talk to boards: pyusb keeps the first library that it loaded for the life of the process. Never call it with
    `--virtual`; the import of pyusb and the loading of the library happen here and not sooner. On a machine without
    USB it succeeds, and the backend lists nothing.

    Raises `FlashdeckError` where neither library can be loaded.
    """
    try:
        import usb.backend.libusb1  # noqa: PLC0415  (a daemon with only virtual boards must not load it)
    except ImportError as error:
        raise FlashdeckError(
            f"pyusb can not be used: {error}", hint="install flashdeck with its daemon extra: flashdeck[daemon]"
        ) from error
    # Asked first because pyusb logs an error where it finds none, and one is not needed yet.
    if ctypes.util.find_library("usb-1.0"):
        backend = usb.backend.libusb1.get_backend()
        if backend is not None:
            return backend
        _log.warning("the system's libusb-1.0 does not load; trying the one in libusb-package")
    backend = _bundled()
    if backend is None:
        raise FlashdeckError(
            "no libusb-1.0 can be loaded, so no board can be reached",
            hint="install the system's (Debian: libusb-1.0-0), or the libusb-package wheel for this platform",
        )
    return backend


def _bundled() -> "IBackend | None":
    try:
        import libusb_package  # noqa: PLC0415  (the same)
    except ImportError:
        return None
    return libusb_package.get_libusb1_backend()
