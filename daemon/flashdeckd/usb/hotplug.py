"""Hotplug from the kernel and udev, through pyudev: which USB devices are there, and when that changes.

Events are only hints. Each one leads to a full look at sysfs, so a lost, doubled or strange event costs nothing.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flashdeckd.host import files, threads
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.sysfs import read_device

if TYPE_CHECKING:
    import pyudev

UDEV_PATIENCE = 1.0
"""Seconds for which udev may speak first. The kernel's own event then counts as well: udev's does not reach us in every
container, while right after the kernel's the rules that give us access have not been applied yet."""
LOOK_AGAIN = 2.0
"""Seconds between looks at sysfs while no events can be had."""
_DRAIN = 256
"""Events taken from a socket before the loop gets its turn."""

_log = logging.getLogger(__name__)


class Monitor(Protocol):
    """A running netlink monitor (`pyudev.Monitor`)."""

    def fileno(self) -> int:
        """The socket; readable when `poll` has something to say."""
        ...

    def poll(self, timeout: float) -> object | None:
        """The next event, or None. After an overflow of the socket: OSError, each time and for ever."""
        ...


class Udev(Protocol):
    """The part of pyudev that is used; the seam for tests."""

    def monitor(self, source: str) -> Monitor:
        """A new, running monitor of USB devices; `source` is "udev" or "kernel".

        Raises OSError where none can be had.
        """
        ...

    def usb_devices(self) -> Iterable[Path]:
        """The sysfs directories of all USB devices. Called in a thread. Raises OSError where they cannot be listed."""
        ...


class PyudevHotplug:
    """A `HotplugSource` of the USB devices of this machine. Hubs are left out.

    Nothing is opened, and neither pyudev nor libudev is loaded before the first snapshot is asked for.
    """

    def __init__(
        self,
        udev: Udev | None = None,
        *,
        usb_bus: Path = Path("/sys/bus/usb"),
        udev_control: Path = Path("/run/udev/control"),
    ) -> None:
        self._udev = udev
        self._usb_bus = usb_bus
        self._udev_control = udev_control
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """The reason why this machine's devices are not seen, and what to do; "" when they are."""
        return self._trouble

    async def snapshots(self) -> AsyncGenerator[frozenset[UsbDevice], None]:
        """All devices now, and all of them again whenever that or `trouble` changes."""
        try:
            udev = self._udev or await threads.run(_Pyudev)
        except ImportError as error:
            self._trouble = (
                f"pyudev cannot be used ({error}), so no board can be seen: install libudev (Debian: libudev1) "
                "and flashdeck with its daemon extra"
            )
            yield frozenset()
            await asyncio.Event().wait()
            return
        changed = asyncio.Event()
        events = _Events(udev, self._udev_control, changed.set)
        devices: frozenset[UsbDevice] = frozenset()
        told: tuple[frozenset[UsbDevice], str] | None = None
        try:
            while True:
                # Monitors first, and then the list: what comes in between is in both.
                deaf = events.listen()
                changed.clear()
                blind = ""
                try:
                    devices = await threads.run(_look, udev)
                except OSError as error:
                    blind = str(error)
                self._trouble = self._diagnose(deaf, blind)
                if (devices, self._trouble) != told:
                    told = devices, self._trouble
                    yield devices
                await _wait(changed, LOOK_AGAIN if deaf or blind else None)
        finally:
            events.close()

    def _diagnose(self, deaf: str, blind: str) -> str:
        if not files.is_directory(self._usb_bus):
            return (
                f"no USB in this kernel or container ({self._usb_bus} is missing), so no board can be seen: run "
                "flashdeckd where the boards are plugged in, or with --virtual on emulated ones"
            )
        if blind:
            return (
                f"the USB devices cannot be listed ({blind}): what is shown may be old; it is tried again every "
                f"{LOOK_AGAIN:g} s"
            )
        if deaf:
            return (
                f"no hotplug events ({deaf}): boards are looked for every {LOOK_AGAIN:g} s instead; let flashdeckd "
                "open netlink sockets (systemd: RestrictAddressFamilies must allow AF_NETLINK)"
            )
        return ""


class _Events:
    """Calls `wake` soon after anything happened to a USB device. Lives in the event loop's thread."""

    def __init__(self, udev: Udev, udev_control: Path, wake: Callable[[], None]) -> None:
        self._udev = udev
        self._udev_control = udev_control
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._monitors: dict[str, Monitor] = {}
        self._later: asyncio.TimerHandle | None = None

    def listen(self) -> str:
        """Starts the monitors that do not run. Returns why no event will come, or ""."""
        problem = ""
        for source, heard in (("udev", self._wake), ("kernel", self._kernel_spoke)):
            if source in self._monitors:
                continue
            try:
                monitor = self._udev.monitor(source)
            except OSError as error:
                problem = str(error) or type(error).__name__
                continue
            self._monitors[source] = monitor
            self._loop.add_reader(monitor.fileno(), self._drain, source, heard)
        return "" if "kernel" in self._monitors else problem

    def close(self) -> None:
        """Stops all of it; a second call does nothing."""
        for source in tuple(self._monitors):
            self._stop(source)
        if self._later is not None:
            self._later.cancel()

    def _stop(self, source: str) -> None:
        self._loop.remove_reader(self._monitors.pop(source).fileno())

    def _drain(self, source: str, heard: Callable[[], None]) -> None:
        monitor = self._monitors[source]
        try:
            for taken in range(_DRAIN):
                # Not by its truth value: that of a pyudev device is deprecated.
                if monitor.poll(timeout=0) is None:
                    if taken:
                        heard()
                    return
        except OSError as error:
            # The socket overflowed: what it lost is seen in the full look, which `listen` precedes with a new one.
            _log.info("the %s monitor lost events (%s); it is started anew", source, error)
            self._stop(source)
            self._wake()
            return
        heard()

    def _kernel_spoke(self) -> None:
        if not files.exists(self._udev_control):
            self._wake()
        elif self._later is None or self._later.when() <= self._loop.time():
            self._later = self._loop.call_later(UDEV_PATIENCE, self._wake)


class _Pyudev:
    """The real one. Raises ImportError where pyudev or libudev is missing."""

    def __init__(self) -> None:
        import pyudev  # noqa: PLC0415  (a daemon with only virtual boards must not load it)

        self._pyudev = pyudev
        # libudev's objects are not for sharing between threads. Both are made only once: pyudev looks for the library,
        # which starts other programs, for each context.
        self._for_events = pyudev.Context()
        self._for_listing = pyudev.Context()

    def monitor(self, source: str) -> "pyudev.Monitor":
        monitor = self._pyudev.Monitor.from_netlink(self._for_events, source)
        monitor.filter_by("usb", "usb_device")
        monitor.start()
        return monitor

    def usb_devices(self) -> Iterable[Path]:
        devices = self._for_listing.list_devices(subsystem="usb", DEVTYPE="usb_device")
        return [Path(device.sys_path) for device in devices]


def _look(udev: Udev) -> frozenset[UsbDevice]:
    found = (read_device(directory) for directory in udev.usb_devices())
    return frozenset(device for device in found if device is not None)


async def _wait(event: asyncio.Event, timeout: float | None) -> None:  # noqa: ASYNC109  (None: without end)
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        pass
