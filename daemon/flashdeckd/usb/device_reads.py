"""Reads devices side by side, each within its time: one that hangs costs only itself.

A read that does not come back keeps its thread for as long as it hangs, and is not made again meanwhile. Its answer is
taken when it comes after all.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from flashdeckd.host import files, threads
from flashdeckd.usb import udev_database
from flashdeckd.usb.device import UnreadDevice, UsbDevice
from flashdeckd.usb.sysfs import ancestors, devnum_of, port_of, read_device

READ_SECONDS: Final = 2.0
"""Longest wait for what is read of a device, from the beginning of a look; a healthy one takes a few milliseconds."""
SLOW_SECONDS: Final = 0.2
"""Seconds after which a read is not counted any more among the `AT_ONCE`, so that others go on meanwhile."""
AT_ONCE: Final = 4
"""Devices that are read at once."""
MOST_THREADS: Final = 32
"""Threads in which a read may hang; where there are so many, no other device is read."""
_log = logging.getLogger(__name__)
_HANGS = "it hangs: the kernel does not give out what it says of itself"
_TOO_MANY = f"it is not looked at, because {MOST_THREADS} others hang"


@dataclass(frozen=True, slots=True)
class SysfsPlace:
    """One device's directory in sysfs. The next device in the same port has another inode."""

    directory: Path
    inode: int


def places(directories: Iterable[Path]) -> list[SysfsPlace]:
    """Return those directories that are still there. Blocks, but not because of a device that hangs."""
    found: list[SysfsPlace] = []
    for directory in directories:
        try:
            found.append(SysfsPlace(directory, files.status(directory).st_ino))
        except OSError:
            continue  # it left meanwhile
    return found


class DeviceReads:
    """The devices on the bus, as far as they can be read. Runs in the event loop's thread; the reads have their own."""

    def __init__(self, wake: Callable[[], object], database: Path = udev_database.DATABASE) -> None:
        """`wake` is called when an answer comes that a look did not wait for any more."""
        self._wake = wake
        self._database = database
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._idle: list[threads.OwnThread] = []
        self._present: set[SysfsPlace] = set()
        self._known: dict[SysfsPlace, UsbDevice] = {}
        self._reading: dict[SysfsPlace, asyncio.Future[UsbDevice | None]] = {}
        self._unread: dict[SysfsPlace, UnreadDevice] = {}

    @property
    def devices(self) -> frozenset[UsbDevice]:
        """The devices that could be read."""
        return frozenset(self._known.values())

    @property
    def unread(self) -> tuple[UnreadDevice, ...]:
        """Those that could not."""
        return tuple(sorted(self._unread.values()))

    async def look(self, now: Iterable[SysfsPlace]) -> None:
        """Take note of the devices that are on the bus now; those that hang do not hold it up for longer than so."""
        present = self._present = set(now)
        self._known = {place: device for place, device in self._known.items() if place in present}
        self._unread = {place: device for place, device in self._unread.items() if place in present}
        fresh = sorted(present - self._reading.keys(), key=lambda place: place.directory)
        if not fresh:
            return
        tasks = {asyncio.create_task(self._read(place)): place for place in fresh}
        try:
            _, hanging = await asyncio.wait(tasks, timeout=READ_SECONDS)
            late = (tasks[task] for task in hanging)
            await asyncio.gather(
                *(self._name(place, _HANGS if place in self._reading else _TOO_MANY) for place in late)
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def close(self) -> None:
        """End all threads but those that hang, which are left behind."""
        for thread in self._idle:
            thread.let_go()

    async def _read(self, place: SysfsPlace) -> None:
        async with self._gate:
            if len(self._reading) >= MOST_THREADS:
                await self._name(place, _TOO_MANY)
                return
            thread = self._idle.pop() if self._idle else threads.OwnThread("usb-read")
            reading = thread.run(read_device, place.directory, self._known.get(place))
            self._reading[place] = reading
            reading.add_done_callback(partial(self._came, place, thread))
            await asyncio.wait((reading,), timeout=SLOW_SECONDS)
        await asyncio.wait((reading,))
        if why := _failure(place, reading):
            await self._name(place, why)

    def _came(self, place: SysfsPlace, thread: threads.OwnThread, reading: "asyncio.Future[UsbDevice | None]") -> None:
        """Take an answer, also one that no look waits for any more."""
        del self._reading[place]
        self._idle.append(thread)
        late = self._unread.get(place)
        if why := _failure(place, reading):
            if late is not None:
                self._unread[place] = replace(late, reason=why)
        else:
            device = reading.result()
            self._unread.pop(place, None)
            if device is not None and place in self._present:
                self._known[place] = device
            else:
                self._known.pop(place, None)
        if late is not None and late.reason == _HANGS:
            self._wake()

    async def _name(self, place: SysfsPlace, reason: str) -> None:
        """Note what can be said of a device that cannot be read, once."""
        self._known.pop(place, None)
        before = self._unread.get(place)
        if before is not None and before.reason == reason:
            return
        self._unread[place] = UnreadDevice(place.directory.name, reason)
        thread = threads.OwnThread("usb-name")
        described = thread.run(_described, place.directory, reason, self._database)
        thread.let_go()
        done, _ = await asyncio.wait((described,), timeout=SLOW_SECONDS)
        if done and place in self._unread:
            self._unread[place] = described.result()


def _failure(place: SysfsPlace, reading: "asyncio.Future[UsbDevice | None]") -> str:
    """Return why a read that is over gave nothing; "" where it did, or the device had left."""
    error = reading.exception()
    if error is None:
        return ""
    if not isinstance(error, OSError):
        _log.error("the read of %s stopped by a fault in flashdeckd", place.directory.name, exc_info=error)
    return f"it cannot be read ({error})"


def _described(directory: Path, reason: str, database: Path) -> UnreadDevice:
    """Return what is known of a device without asking it. The kernel gives out its numbers while it hangs."""
    name = directory.name
    port = port_of(name, ancestors(directory))
    try:
        noted = udev_database.properties(database, int(name.partition("-")[0]), devnum_of(directory))
    except (OSError, ValueError):
        noted = {}
    serial = noted.get("ID_SERIAL_SHORT", "")
    return UnreadDevice(name, reason, port, serial, udev_database.usb_id(noted))
