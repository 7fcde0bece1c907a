"""What runs in a lane's thread: opens the device, calls the engine, closes the device. Touches no shared state."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import TypeVar

import usb.backend
from msgspec.structs import replace

from flashdeck.config import Pins
from flashdeck.errors import HeldError
from flashdeck.model import Holding, JobState, Phase, Verified
from flashdeck.text import clean
from flashdeckd.dfu.facts import identify
from flashdeckd.flash import program
from flashdeckd.flash.experience import Experience
from flashdeckd.flash.plan import Plan
from flashdeckd.flash.target import Target
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.experiences import ExperienceBook
from flashdeckd.journal import Bootloader
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.transport import Transport, open_device

T = TypeVar("T")

MAX_MAPS = 1000
"""Characters kept of a device's memory map strings."""
PROGRESS_SECONDS = 0.1
"""Progress of one phase is passed on at most this often."""


class Worker:
    """Blocking work on one board; each call opens the device and closes it again. For one thread only."""

    def __init__(self, backend: usb.backend.IBackend | None, pins: Pins | None = None) -> None:
        self._backend = backend
        self._pins = pins

    def identify(self, device: UsbDevice) -> str:
        """The memory map strings of a device, cleaned, as `adopt` pins them; writes nothing."""
        with open_device(self._backend, device) as transport:
            return clean(identify(transport), MAX_MAPS)

    def reach(self, device: UsbDevice) -> None:
        """Opens the device and closes it again; raises DevicePermissionError where the system does not let us."""
        with open_device(self._backend, device):
            pass

    def examine(self, device: UsbDevice, look: Callable[[Transport], T]) -> T:
        """Lets `look` ask an open device; pins are not checked, because what is odd is what it looks for."""
        with open_device(self._backend, device) as transport:
            return look(transport)

    def survey(
        self, device: UsbDevice, image: bytes, target: Target, experience: Experience, cached: bytes | None
    ) -> Plan:
        """Asks the device for its map and plans; writes nothing."""
        with open_device(self._backend, device) as transport:
            self._check_pins(transport)
            return program.survey(transport, image, target, experience=experience, cached=cached)

    def flash(
        self, device: UsbDevice, image: bytes, target: Target, recorder: "Recorder", cached: bytes | None
    ) -> program.Outcome:
        """Brings the image onto the device; `cached` is what it is trusted to hold already."""
        with open_device(self._backend, device) as transport:
            self._check_pins(transport)
            told = recorder.experience
            return program.flash(transport, image, target, recorder, experience=told, cached=cached)

    def leave(self, device: UsbDevice, target: Target) -> bool:
        """Starts the application; answers whether the device left."""
        with open_device(self._backend, device) as transport:
            return program.leave(transport, target)

    def detach(self, device: UsbDevice) -> None:
        """Asks a running application to come back in DFU mode."""
        with open_device(self._backend, device) as transport:
            program.detach(transport)

    def _check_pins(self, transport: Transport) -> None:
        """Raises HeldError where an adopted board does not show the map that it was adopted with (safety rule 3)."""
        if self._pins is None:
            return
        seen = clean(identify(transport), MAX_MAPS)
        if seen != self._pins.map:
            raise HeldError(
                f"the memory map is {seen!r} and was {self._pins.map!r} when the board was adopted",
                hint="if it is the same board with another bootloader, take it out of boards.toml and adopt it again",
            )


class Recorder:
    """Carries what the engine reports from the lane's thread into the event loop.

    `began`, `committed` and `learned` return only when the journal has it: a daemon killed right after them will know.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        book: JobBook,
        experiences: ExperienceBook,
        job: JobState,
        bootloader: Bootloader,
        check: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._book = book
        self._experiences = experiences
        self._job = job
        self._bootloader = bootloader
        self._check = check
        self._began = False
        self.experience = experiences.of(bootloader)
        """What the engine was told, or has told, of the bootloader."""
        self._phase: Phase | None = None
        self._last = 0.0

    def progress(self, phase: Phase, done: int, total: int) -> None:
        """Passes progress on, not more often than anybody can see."""
        now = time.monotonic()
        if phase is self._phase and done < total and now - self._last < PROGRESS_SECONDS:
            return
        self._phase, self._last = phase, now
        self._loop.call_soon_threadsafe(lambda: self._book.progress(self._job.id, phase=phase, done=done, total=total))

    def planned(self, plan: Plan) -> None:
        """The plan needs no record of its own: it follows from image and target."""

    def began(self) -> None:
        """Records that the partition holds no complete image from now on."""
        self._began = True
        self._wait_for(self._hold(complete=False))

    def committed(self) -> None:
        """Records that the partition holds the artifact."""
        self._wait_for(self._hold(complete=True))

    def check(self) -> None:
        """Raises ParkedError when the job is to end here."""
        self._check()

    def learned(self, experience: Experience) -> None:
        """Records what this job has found out about the bootloader."""
        before, self.experience = self.experience, experience
        self._wait_for(self._experiences.learn(self._bootloader, before, experience))

    async def settled(self, verified: Verified) -> None:
        """Records what reading has shown once the engine is through. Called in the event loop.

        An image that was there already was neither begun nor committed; it counts as this job's all the same.
        """
        holding = self._book.holding(self._job.board, self._job.partition)
        if holding is None or not self._began:
            await self._hold(complete=True, verified=verified)
        else:
            await self._book.hold(self._job.board, self._job.partition, replace(holding, verified=verified))

    async def _hold(self, *, complete: bool, verified: Verified = Verified.NO) -> None:
        job = self._job
        holding = Holding(
            sha256=job.sha256,
            size=job.size,
            version=job.version,
            flashed_at=time.time(),
            verified=verified,
            job=job.id,
            complete=complete,
            serial=self._bootloader.serial,
            bcd_device=self._bootloader.bcd_device,
        )
        await self._book.hold(job.board, job.partition, holding)

    def _wait_for(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
