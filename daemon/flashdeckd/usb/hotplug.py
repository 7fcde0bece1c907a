"""Hotplug from the kernel and udev, through pyudev: which USB devices are there, and when that changes.

Events are only hints. Each one leads to a full look at sysfs, so a lost, doubled or strange event costs nothing. What
is listed there are directories; `device_reads` asks each device what it is.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flashdeckd.host import files, threads
from flashdeckd.usb.device import UnreadDevice, UsbDevice
from flashdeckd.usb.device_reads import READ_SECONDS, DeviceReads, SysfsPlace, places
from flashdeckd.usb.udev_database import DATABASE
from flashdeckd.usb.udevd import is_udevd_here

if TYPE_CHECKING:
    import pyudev

UDEV_PATIENCE = 1.0
"""Seconds for which udev may speak first. The kernel's own event then counts as well: udev's does not reach us in every
container, while right after the kernel's the rules that give us access have not been applied yet."""
LOOK_AGAIN = 2.0
"""Seconds between looks at sysfs while no events can be had."""
_DRAIN = 256
"""Events taken from a socket before the loop gets its turn."""

_NONE = ("", "")
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
        udev_database: Path = DATABASE,
    ) -> None:
        self._udev = udev
        self._usb_bus = usb_bus
        self._udev_control = udev_control
        self._udev_database = udev_database
        self._trouble = _NONE
        self._unread: tuple[UnreadDevice, ...] = ()

    @property
    def trouble(self) -> str:
        """The reason why this machine's devices are not seen as they should be; "" when they are."""
        return self._trouble[0]

    @property
    def hint(self) -> str:
        """The thing to do about `trouble`."""
        return self._trouble[1]

    @property
    def unread(self) -> tuple[UnreadDevice, ...]:
        """The devices of which the kernel does not say what they are, by their names."""
        return self._unread

    async def snapshots(self) -> AsyncGenerator[frozenset[UsbDevice], None]:
        """All devices now, and all of them again whenever that, `unread` or `trouble` changes."""
        try:
            udev = self._udev or await threads.run(_Pyudev, self._usb_bus)
        except ImportError as error:
            self._trouble = (
                f"pyudev cannot be used ({error}), so no board can be seen",
                "install libudev (Debian: apt install libudev1)",
            )
            yield frozenset()
            await asyncio.Event().wait()
            return
        changed = asyncio.Event()
        events = _Events(udev, self._udev_control, changed.set)
        listing = _Listing(udev)
        reads = DeviceReads(changed.set, self._udev_database)
        told: object = None
        try:
            while True:
                # Monitors first, and then the list: what comes in between is in both.
                deaf = events.listen()
                changed.clear()
                blind = ""
                try:
                    await reads.look(await listing.places())
                except OSError as error:
                    blind = str(error)
                self._unread = reads.unread
                self._trouble = self._diagnose(deaf, blind)
                names = frozenset((device, device.setting_names) for device in reads.devices)  # they may come later
                if (names, self._unread, self._trouble) != told:
                    told = names, self._unread, self._trouble
                    yield reads.devices
                await _wait(changed, LOOK_AGAIN if deaf or blind or self._unread else None)
        finally:
            events.close()
            listing.close()
            reads.close()

    def _diagnose(self, deaf: str, blind: str) -> tuple[str, str]:
        if not files.is_directory(self._usb_bus):
            return (
                f"no USB in this kernel or container ({self._usb_bus} is missing), so no board can be seen",
                "run flashdeckd where the boards are plugged in, or with --virtual on emulated ones",
            )
        if blind:
            return (
                f"the USB devices cannot be listed ({blind}): what is shown may be old",
                f"it is tried again every {LOOK_AGAIN:g} s; see the kernel's log (`dmesg`)",
            )
        if deaf:
            return (
                f"no hotplug events ({deaf}): boards are looked for every {LOOK_AGAIN:g} s instead",
                "let flashdeckd open netlink sockets (systemd: RestrictAddressFamilies must allow AF_NETLINK)",
            )
        if not is_udevd_here(self._udev_control):
            return (
                "udevd does not run here: boards are seen by the kernel's own events, and no udev rule opens them",
                "start it: sudo systemctl start systemd-udevd (in a container: let the host's rules open the nodes)",
            )
        return _NONE


class _Listing:
    """Lists the places of devices, in a thread that is left behind where that hangs."""

    def __init__(self, udev: Udev) -> None:
        self._udev = udev
        self._thread = threads.OwnThread("usb-list")
        self._running: asyncio.Future[list[SysfsPlace]] | None = None

    async def places(self) -> list[SysfsPlace]:
        """Return the places of all devices; raises OSError where they cannot be listed, or not in time."""
        if self._running is None:
            self._running = self._thread.run(lambda: places(self._udev.usb_devices()))
        running = self._running
        await asyncio.wait((running,), timeout=READ_SECONDS)
        if not running.done():
            raise TimeoutError(f"no answer within {READ_SECONDS:g} s")
        self._running = None
        return running.result()

    def close(self) -> None:
        """End the thread, or leave it behind."""
        self._thread.let_go()


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
        if not is_udevd_here(self._udev_control):
            self._wake()
        elif self._later is None or self._later.when() <= self._loop.time():
            self._later = self._loop.call_later(UDEV_PATIENCE, self._wake)


class _Pyudev:
    """The real one. Raises ImportError where pyudev or libudev is missing."""

    def __init__(self, usb_bus: Path) -> None:
        import pyudev  # noqa: PLC0415  (a daemon with only virtual boards must not load it)

        self._usb_bus = usb_bus
        self._pyudev = pyudev
        # Made only once: pyudev looks for the library, which starts other programs, for each context.
        self._for_events = pyudev.Context()

    def monitor(self, source: str) -> "pyudev.Monitor":
        monitor = self._pyudev.Monitor.from_netlink(self._for_events, source)
        monitor.filter_by("usb", "usb_device")
        monitor.start()
        return monitor

    def usb_devices(self) -> Iterable[Path]:
        # Not by libudev: that reads `uevent` of each, for which some kernels wait for a device that hangs.
        directory = self._usb_bus / "devices"
        if not files.is_directory(directory):
            return
        for name in files.names(directory):
            if "-" in name and ":" not in name:  # neither the root of a bus nor an interface
                yield files.real_path(directory / name)


async def _wait(event: asyncio.Event, timeout: float | None) -> None:  # noqa: ASYNC109  (None: without end)
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        pass
