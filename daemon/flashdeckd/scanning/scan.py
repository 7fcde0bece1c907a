"""The composition root of `flashdeckd scan`: devices as hotplug shows them, and builds. No device is opened."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

from flashdeck.config import Config
from flashdeck.first_board.found import ScanLine
from flashdeck.model import DeviceState
from flashdeckd.host import files, threads
from flashdeckd.host.standard_input import lines_of_stdin
from flashdeckd.scanning.builds import builds_below
from flashdeckd.usb.device import HotplugSource, UnreadDevice, UsbDevice
from flashdeckd.usb.recognition import SharedSerial, shared_now
from flashdeckd.usb.shown_device import shown_device, ways_shown

FIRST_LOOK_SECONDS: Final = 10.0
"""The time that the bus may take to be listed."""

Tell = Callable[[ScanLine], object]


async def scan(source: HotplugSource | None, directory: Path | None, tell: Tell, *, follow: bool = False) -> None:
    """Tell of the devices that `source` shows, and of the builds below a directory, each as soon as it is known.

    With `follow` each change of the devices is told, too, until standard input is closed. Raises OSError where the
    directory cannot be listed.
    """
    async with asyncio.TaskGroup() as both:
        if directory is not None:
            both.create_task(_tell_builds(directory, tell))
        if source is not None:
            both.create_task(_tell_devices(source, tell, follow=follow))


async def _tell_builds(directory: Path, tell: Tell) -> None:
    tell(await threads.run(builds_below, files.real_path(directory)))


async def _tell_devices(source: HotplugSource, tell: Tell, *, follow: bool) -> None:
    end = asyncio.ensure_future(_end_of_input()) if follow else None
    try:
        async with aclosing(source.snapshots()) as snapshots:
            timeout: float | None = FIRST_LOOK_SECONDS
            while True:
                coming = asyncio.ensure_future(anext(snapshots))
                done, _ = await asyncio.wait(
                    {coming, end} if end else {coming}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if coming not in done:
                    coming.cancel()
                    with suppress(asyncio.CancelledError, StopAsyncIteration):
                        await coming
                    if not done:
                        tell(ScanLine(devices=(), trouble=f"no answer from the USB within {FIRST_LOOK_SECONDS:g} s"))
                    return
                tell(_line(coming.result(), source))
                if not follow:
                    return
                timeout = None
    finally:
        if end is not None:
            end.cancel()


async def _end_of_input() -> None:
    async for _ in lines_of_stdin():
        pass


def _line(devices: Iterable[UsbDevice], source: HotplugSource) -> ScanLine:
    return ScanLine(
        devices=tuple(_shown(devices, source.unread)),
        unread=tuple(f"{each.name}: {each.reason}" for each in source.unread),
        trouble=f"{source.trouble}; {source.hint}" if source.trouble and source.hint else source.trouble,
    )


def _shown(devices: Iterable[UsbDevice], unread: Iterable[UnreadDevice]) -> list[DeviceState]:
    """Return the devices that are in DFU mode, and behind them those that show a way there."""
    present = sorted(devices, key=lambda each: (not each.in_dfu_mode, each.bus, each.address))
    shared = shared_now(Config(), present, unread)
    return [
        shown_device(each, "", serial_shared=SharedSerial(each.usb_id, each.serial) in shared)
        for each in present
        if each.in_dfu_mode or ways_shown(each)
    ]
