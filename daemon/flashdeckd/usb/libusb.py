"""Loading libusb for pyusb."""

import asyncio
import ctypes
import errno
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from flashdeck.errors import FlashdeckError
from flashdeck.extras import Extra, explained
from flashdeck.text import MAX_MESSAGE, clean
from flashdeckd.host import threads

if TYPE_CHECKING:
    from usb.backend import IBackend

OPEN_SECONDS = 10.0
"""Longest wait for libusb, which looks at all devices when it is opened: one that hangs may hold it up for ever."""
_BUNDLED = "libusb-package"
_SYSTEMS = "libusb-1.0.so.0"
_log = logging.getLogger(__name__)


def open_backend() -> "IBackend":
    """Opens libusb 1.0 for pyusb: the one in the libusb-package wheel, else the system's.

    Not the other way round, because distributions build theirs to learn of new devices from udev. Without a running
    udevd it then never lists a board that was plugged in later, and with slow udev rules only after `hotplug` has told
    of it. The wheel's listens to the kernel itself.

    Call it once, in the composition root, before anything else calls `usb.core.find`, and hand the result to all that
    talk to boards: pyusb keeps the first library that it loaded for the life of the process. Never call it with
    `--virtual`; the import of pyusb and the loading of the library happen here and not sooner. On a machine without
    USB it succeeds, and the backend lists nothing.

    Raises `FlashdeckError` where neither library can be loaded, with what is wrong with each.
    """
    with explained(Extra.DAEMON, "flashdeckd"):
        import usb.backend.libusb1 as binding  # noqa: PLC0415  (a daemon with only virtual boards must not load it)
    failed: list[str] = []
    for name, find in ((_BUNDLED, _bundled), (_SYSTEMS, lambda: _SYSTEMS)):
        try:
            backend = _opened(find(), binding.get_backend)
        except (ImportError, OSError) as error:
            failed.append(f"{name}: {clean(str(error), MAX_MESSAGE)}")
            continue
        if failed:
            _log.warning("took %s: the libusb that comes first does not load: %s", name, "; ".join(failed))
        return backend
    raise FlashdeckError(
        f"no libusb-1.0 can be loaded, so no board can be reached ({'; '.join(failed)})",
        hint="install the system's (Debian: apt install libusb-1.0-0), or libusb-package beside flashdeck",
    )


def _bundled() -> str:
    import libusb_package  # noqa: PLC0415  (a daemon with only virtual boards must not load it)

    if (path := libusb_package.get_library_path()) is None:
        raise OSError("it has no library for this platform")
    return str(path)


def _opened(library: str, get_backend: "Callable[[Callable[[str], str]], IBackend | None]") -> "IBackend":
    """Return pyusb's backend on a library, by its path or its soname. Raises OSError with what is wrong with it."""
    # Loaded here first, because pyusb only logs why it could not. By its soname the dynamic loader finds the system's;
    # ctypes.util.find_library needs a compiler or ldconfig for that, and says "none" where neither is.
    if not hasattr(ctypes.CDLL(library), "libusb_init"):
        raise OSError("it is not libusb 1.0")
    backend = get_backend(lambda _: library)
    if backend is None:
        raise OSError("it loads, and cannot be opened")
    return backend


async def opened_backend(told: Callable[[str, str], object]) -> "IBackend":
    """Open libusb within its time, as `open_backend` does and with its errors.

    Where a device keeps it waiting, `told` hears so, with what to do, and hears "" when it has come after all. The
    backend finds no device until then, and says why.
    """
    thread = threads.OwnThread("libusb")
    opening = thread.run(open_backend)
    thread.let_go()
    await asyncio.wait((opening,), timeout=OPEN_SECONDS)
    if opening.done():
        return opening.result()
    backend = _LateBackend()

    def came(done: "asyncio.Future[IBackend]") -> None:
        if error := done.exception():
            told(error.advice if isinstance(error, FlashdeckError) else repr(error), "")
            return
        backend.real = done.result()
        told("", "")

    opening.add_done_callback(came)
    told(
        f"libusb did not come back within {OPEN_SECONDS:g} s, most likely because a USB device hangs: no board can be "
        "flashed",
        "unplug the device that hangs, or power-cycle its hub; flashdeckd goes on by itself then",
    )
    return cast("IBackend", backend)


class _LateBackend:
    """Stands in for libusb until that has come, for pyusb's `find`, with which every opening begins."""

    def __init__(self) -> None:
        self.real: IBackend | None = None

    def enumerate_devices(self) -> object:
        """List all devices."""
        if self.real is None:
            import usb.core  # noqa: PLC0415  (a daemon with only virtual boards must not load it)

            raise usb.core.USBError("libusb still waits for a USB device that hangs", None, errno.EBUSY)
        return self.real.enumerate_devices()

    def __getattr__(self, name: str) -> object:
        if self.real is None:
            raise AttributeError(name)
        return getattr(self.real, name)


def library_version(backend: "IBackend") -> str:
    """The version of the libusb behind a backend that `open_backend` made, as `1.0.29` (libusb_get_version)."""
    library: ctypes.CDLL | None = getattr(backend, "lib", None)
    if library is None:
        return "unknown"
    ask = library.libusb_get_version
    ask.argtypes, ask.restype = (), ctypes.POINTER(_Version)
    found = ask().contents
    return f"{found.major}.{found.minor}.{found.micro}.{found.nano}{clean((found.rc or b'').decode(errors='replace'))}"


class _Version(ctypes.Structure):
    """struct libusb_version (libusb.h)."""

    _fields_ = (
        ("major", ctypes.c_uint16),
        ("minor", ctypes.c_uint16),
        ("micro", ctypes.c_uint16),
        ("nano", ctypes.c_uint16),
        ("rc", ctypes.c_char_p),
        ("describe", ctypes.c_char_p),
    )
