"""The bench as a hotplug source: what udev would have said."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence

from flashdeck.text import clean
from flashdeckd.host import clock
from flashdeckd.usb.descriptors import dfu_version
from flashdeckd.usb.device import (
    DFU_CLASS,
    DFU_SUBCLASS,
    EMULATED_CONTROLLER,
    InterfaceClass,
    UnreadDevice,
    UsbDevice,
)
from flashdeckd.virtual.backend import BUS
from flashdeckd.virtual.board import Attachment, VirtualBoard
from flashdeckd.virtual.serial_ports import VirtualSerialPorts
from flashdeckd.virtual.spec import BoardSpec


class VirtualHotplug:
    """Tells what is on the bench's bus, at once and whenever it changes. `changed` may be called from any thread."""

    def __init__(self, boards: Sequence[VirtualBoard], ports: VirtualSerialPorts) -> None:
        self._boards = boards
        self._ports = ports
        self._wake: list[Callable[[], None]] = []

    @property
    def trouble(self) -> str:
        """Nothing keeps it from seeing its boards, but their serial ports may be missing."""
        return self._ports.trouble

    @property
    def hint(self) -> str:
        """There is nothing to do about it."""
        return ""

    @property
    def unread(self) -> tuple[UnreadDevice, ...]:
        """No emulated device hangs before it has said what it is."""
        return ()

    def changed(self) -> None:
        """A board was plugged, unplugged or restarted."""
        for wake in tuple(self._wake):
            wake()

    async def snapshots(self) -> AsyncGenerator[frozenset[UsbDevice], None]:
        """All devices now, and all of them again whenever that changes."""
        loop = asyncio.get_running_loop()
        change = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody listens any more
                loop.call_soon_threadsafe(change.set)

        self._wake.append(wake)
        following = asyncio.create_task(self._ports.follow())
        try:
            last: frozenset[UsbDevice] | None = None
            while True:
                change.clear()
                coming = [at for board in self._boards if (at := board.changes_at()) is not None]
                now = frozenset(usb_device(found) for board in self._boards if (found := board.connection()))
                if now != last:
                    last = now
                    yield now
                    continue
                await _wait(change, min(coming) - clock.monotonic() if coming else None)
        finally:
            self._wake.remove(wake)
            following.cancel()
            await asyncio.wait([following])


async def _wait(change: asyncio.Event, timeout: float | None) -> None:  # noqa: ASYNC109 - how long it takes is known
    try:
        async with asyncio.timeout(None if timeout is None else max(timeout, 0)):
            await change.wait()
    except TimeoutError:
        pass  # a board has been enumerated, or has crashed, by now


def controller_of(spec: BoardSpec) -> str:
    """Return the name of the emulated controller that a board's port is on."""
    return f"{EMULATED_CONTROLLER}-{spec.controller}" if spec.controller else EMULATED_CONTROLLER


def usb_device(connection: Attachment) -> UsbDevice:
    """Return what hotplug knows of a connection without opening it."""
    spec, identity = connection.board.spec, connection.identity
    return UsbDevice(
        name=f"{BUS}-{spec.port}",
        port=f"{controller_of(spec)}-usb-0:{spec.port}",
        bus=BUS,
        address=connection.address,
        usb_id=identity.usb_id,
        bcd_device=identity.bcd_device,
        serial=clean(spec.serial if connection.is_dfu else spec.running_serial),
        product=clean(spec.product),
        interfaces=tuple(
            InterfaceClass(item.interface, item.alternate, item.class_code, item.subclass, item.protocol)
            for item in identity.settings
        ),
        dfu_version=dfu_version(identity.configuration()),
        manufacturer=clean(identity.text(identity.manufacturer_string)),
        setting_names=tuple(
            clean(identity.text(item.string))
            for item in identity.settings
            if item.alternate == 0 and item.string and (item.class_code, item.subclass) == (DFU_CLASS, DFU_SUBCLASS)
        ),
    )
