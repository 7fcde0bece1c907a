"""The work of a lane's thread: opens the device, calls the engine, closes the device. Touches no shared state."""

from collections.abc import Callable
from typing import TypeVar

import usb.backend

from flashdeck.config import Pins
from flashdeck.errors import BlockedError, DeviceBusyError, DeviceError, ErrorKind
from flashdeck.text import clean
from flashdeckd.dfu.facts import identify
from flashdeckd.flash import engine
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.flash_plan import FlashPlan
from flashdeckd.flash.reading import ReadOrder, ReadResult
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import Target
from flashdeckd.images.image import Image
from flashdeckd.jobs.engine_reports import EngineReports
from flashdeckd.jobs.progress_reports import ProgressReports
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.pulse import Pulse
from flashdeckd.usb.transport import Check, Transport, open_device

T = TypeVar("T")

MAX_MAPS = 1000
"""Characters kept of a device's memory map strings."""


class Worker:
    """Blocking work on one board; each call opens the device and closes it again. For one thread only."""

    def __init__(self, backend: usb.backend.IBackend | None, pins: Pins | None = None) -> None:
        self._backend = backend
        self.pins = pins
        """The identity that the device must show; changed between two jobs only."""
        self.pulse = Pulse()

    def identify(self, device: UsbDevice) -> str:
        """The memory map strings of a device, cleaned, as `adopt` pins them; writes nothing."""
        with self._open(device) as transport:
            return clean(identify(transport), MAX_MAPS)

    def reach(self, device: UsbDevice) -> None:
        """Opens the device and closes it again; raises NoAccessError where it cannot be opened now."""
        with self._open(device):
            pass

    def examine(self, device: UsbDevice, look: Callable[[Transport], T]) -> T:
        """Lets `look` ask an open device; pins are not checked, because what is odd is what it looks for."""
        with self._open(device) as transport:
            return look(transport)

    def survey(
        self, device: UsbDevice, image: Image, target: Target, history: BootloaderHistory, cached: Image | None
    ) -> FlashPlan:
        """Asks the device for its map and plans; writes nothing."""
        with self._open(device) as transport:
            self._check_pins(transport)
            return engine.survey(transport, image, target, history=history, cached=cached)

    def flash(
        self, device: UsbDevice, image: Image, target: Target, reports: EngineReports, cached: Image | None
    ) -> FlashResult:
        """Brings the image onto the device; `cached` is what it is trusted to hold already."""
        with self._open(device, reports.check) as transport:
            self._check_pins(transport)
            told = reports.history
            return engine.flash(transport, image, target, reports, history=told, cached=cached)

    def survey_erase(
        self, device: UsbDevice, target: Target, history: BootloaderHistory, cached: Image | None
    ) -> FlashPlan:
        """Asks the device for its map and plans an erase; writes nothing."""
        with self._open(device) as transport:
            self._check_pins(transport)
            return engine.survey_erase(transport, target, history=history, cached=cached)

    def erase(self, device: UsbDevice, target: Target, reports: EngineReports, cached: Image | None) -> FlashResult:
        """Erases the target's partition; `cached` is what it is trusted to hold."""
        with self._open(device, reports.check) as transport:
            self._check_pins(transport)
            return engine.erase(transport, target, reports, history=reports.history, cached=cached)

    def read(
        self, device: UsbDevice, target: Target, order: ReadOrder, reports: ProgressReports, history: BootloaderHistory
    ) -> ReadResult:
        """Reads of the target's partition what the order says."""
        with self._open(device, reports.check) as transport:
            self._check_pins(transport)
            return engine.read(transport, target, order, reports, history=history)

    def leave(self, device: UsbDevice, target: Target) -> bool:
        """Starts the application; answers whether the device left."""
        with self._open(device) as transport:
            return engine.leave(transport, target)

    def detach(self, device: UsbDevice) -> None:
        """Asks a running application to come back in DFU mode."""
        with self._open(device) as transport:
            engine.detach(transport)

    def _open(self, device: UsbDevice, check: Check | None = None) -> Transport:
        """Raises NoAccessError where the device cannot be opened now: nothing was begun, so it may be tried again."""
        try:
            return open_device(self._backend, device, self.pulse, check)
        except DeviceError as error:
            if error.kind is ErrorKind.DEVICE_BUSY:
                raise DeviceBusyError(error.message, hint=error.hint) from error
            raise

    def _check_pins(self, transport: Transport) -> None:
        """Raises BlockedError where an adopted board does not show the map that it was adopted with (safety rule 3)."""
        if self.pins is None:
            return
        seen = clean(identify(transport), MAX_MAPS)
        if seen != self.pins.map:
            raise BlockedError(
                f"the memory map is {seen!r} and was {self.pins.map!r} when the board was adopted",
                hint="if it is the same board with another bootloader, take it out of boards.toml and adopt it again",
            )
