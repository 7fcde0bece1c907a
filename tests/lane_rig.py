"""A lane that runs on one emulated board: what the tests of lanes share."""

import asyncio
import errno
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import usb.core

from flash_rig import APP1, PARTITION2, TARGET, image
from flash_rig import Rig as Emulated
from flashdeck.config import BankPolicy, Board, Partition, Profile, UsbId
from flashdeck.errors import FlashdeckError, HostError
from flashdeck.job_state import JobKind, JobStatus
from flashdeck.model import BoardHold, DaemonState, HoldBy, JobState, LogLevel, Origin, Presence
from flashdeckd.entering.ways import entry_of
from flashdeckd.flash.sector_states import SectorWork
from flashdeckd.images.image import Image
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Artifact, Spool
from flashdeckd.jobs import device_thread, retry_policy
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook
from flashdeckd.jobs.controller_place import Controllers
from flashdeckd.jobs.job_images import GuardVerdicts
from flashdeckd.jobs.lab_gate import LabGate
from flashdeckd.jobs.lane import Lane
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import Sighting
from flashdeckd.usb.serial_ports import SerialPort
from flashdeckd.virtual.backend import Handle, VirtualBackend
from flashdeckd.virtual.board import VirtualBoard
from flashdeckd.virtual.spec import Model

PROFILE = Profile(
    name="product",
    dfu=UsbId(0x0483, 0xDF11),
    geometry=TARGET.geometry,
    banks=BankPolicy.TRUSTED,
    leave=False,
    partitions={
        "app1": Partition("app1", APP1, guards=frozenset()),
        "partition2": Partition("partition2", PARTITION2, guards=frozenset()),
    },
)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a lane that would pause before it tries again do so at once."""
    quick = {
        kind: replace(rule, pauses=tuple(min(pause, 0.01) for pause in rule.pauses))
        for kind, rule in retry_policy.RULES.items()
    }
    monkeypatch.setattr(retry_policy, "RULES", quick)
    monkeypatch.setattr(device_thread, "OPEN_PAUSE", 0.001)


class Node(VirtualBackend):
    """The emulated bench behind a device node whose permissions somebody else sets."""

    def __init__(self, board: VirtualBoard) -> None:
        super().__init__([board])
        self.is_open = True
        self.closed: list[bool] = []
        """Whether the next tries are refused, while it is open."""
        self.is_claimed = False
        """Whether another program has claimed the interface."""
        self.claims = 0
        """How often the next claims find that so, while it is not."""
        self.tries = threading.Semaphore(0)

    def open_device(self, dev: object) -> Handle:
        self.tries.release()
        if not self.is_open or (self.closed and self.closed.pop(0)):
            raise usb.core.USBError("Access denied", -3, errno.EACCES)
        return super().open_device(dev)

    def claim_interface(self, dev_handle: object, intf: int) -> None:
        busy, self.claims = self.is_claimed or self.claims > 0, max(0, self.claims - 1)
        if busy:
            raise usb.core.USBError("Resource busy", -6, errno.EBUSY)
        super().claim_interface(dev_handle, intf)

    async def tried(self, times: int) -> None:
        """Waits for so many tries, from one that nobody has waited for yet."""
        for _ in range(times):
            assert await asyncio.to_thread(self.tries.acquire, timeout=30)


class FakePorts:
    """The serial ports of the board, as a test sets them."""

    def __init__(self) -> None:
        self.found: tuple[SerialPort, ...] = ()

    def of(self, _: UsbDevice) -> tuple[SerialPort, ...]:
        return self.found


class FakeKeeper:
    """A console that has ports open, as a test sets them."""

    def __init__(self) -> None:
        self.open: set[Path] = set()
        self.is_lent = False
        self.lent_times = 0

    def has(self, node: Path, /) -> bool:
        return node in self.open and not self.is_lent

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator[None]:
        self.is_lent = True
        self.lent_times += 1
        yield
        self.is_lent = False


class Scene:
    """One lane that runs, on one emulated board in DFU mode."""

    def __init__(
        self, journal: Journal, spool: Spool, profile: Profile = PROFILE, model: Model = Model.CLASSIC
    ) -> None:
        self.board = Board("left", profile, serial="A1")
        self.emulated = Emulated(model)
        self.hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
        self.node = Node(self.emulated.board)
        self.holds: list[str] = []
        """Why flashdeck itself has put the board on hold."""
        self.disarmed_over: list[bytes] = []
        """The first bytes of app1 each time that the board's one job had come."""
        self.builds: dict[str, Image] = {}
        """The images that the files of the newest builds make, by partition."""
        self.on_work: Callable[[SectorWork], object] = lambda _: None
        """Told how far jobs are with their sectors."""
        self.disk_works = True
        self.gate: LabGate | None = None
        """Who may use the board in its lab; None where it is part of none."""
        self.controllers = Controllers()
        """The places at its controller, which a test may limit and take, too."""
        self.ports = FakePorts()
        self.keeper = FakeKeeper()
        self.journal = journal
        self._spool = spool
        self.lane: Lane

    async def begin(self) -> None:
        ledger = await self.journal.load()
        self.book = JobBook(self.hub, self.journal, ledger, lambda _: None)
        self.lane = Lane(
            self.board,
            book=self.book,
            histories=BootloaderBook(self.hub, self.journal, ledger.histories, lambda _: None),
            hub=self.hub,
            shelf=Shelf(self._spool),
            verdicts=GuardVerdicts(),
            rebuilt=self._rebuilt,
            backend=self.node,
            entry_of=partial(entry_of, ports=self.ports, keeper=self.keeper),
            hold=self._hold,
            disarm=self._disarm,
            changed=lambda: None,
            show_work=self._show_work,
            gate=lambda: self.gate,
            controllers=self.controllers,
        )
        self.see()

    def _show_work(self, work: SectorWork) -> None:
        self.on_work(work)

    async def _hold(self, reason: str) -> None:
        self.lane.hold = BoardHold(reason=reason, by=HoldBy.FLASHDECK)
        self.holds.append(reason)
        if not self.disk_works:
            raise FlashdeckError("the disk is full")

    async def _disarm(self) -> None:
        self.disarmed_over.append(self.emulated.memory(APP1)[:16])
        if not self.disk_works:
            raise HostError("boards.toml cannot be written")

    async def _rebuilt(self, _profile: Profile, partition: Partition, sha256: str) -> bool:
        image = self.builds.get(partition.name)
        if image is None or image.sha256 != sha256:
            return False
        await asyncio.to_thread(self._spool.add, image)
        return True

    def see(self) -> None:
        """Hotplug finds the board."""
        self.lane.see(Sighting(Presence.DFU, replace(self.emulated.device, serial="A1")))

    async def order(
        self,
        partition: str = "app1",
        *,
        size: int = 20_000,
        data: bytes | None = None,
        origin: Origin = Origin.HAND,
    ) -> JobState:
        return await self.bring(Image.raw(image(size) if data is None else data), partition, origin=origin)

    async def bring(
        self, image: Image, partition: str = "app1", *, once: bool = False, origin: Origin = Origin.HAND
    ) -> JobState:
        artifact = await asyncio.to_thread(self._spool.add, image)
        origin = Origin.BUILD if once else origin
        job = await self.book.create("left", partition, artifact, origin, patch=not image.is_program, once=once)
        self.lane.poke()
        return job

    async def ask(self, kind: JobKind, partition: str = "app1", *, data: bytes = b"", force: bool = False) -> JobState:
        """Queue what a person asks for that is no flash; `data` is the image to compare with."""
        artifact = await asyncio.to_thread(self._spool.add, Image.raw(data)) if data else Artifact("", 0, "")
        job = await self.book.create("left", partition, artifact, Origin.HAND, kind=kind, force=force)
        self.lane.poke()
        return job

    def spooled(self, sha256: str) -> Image:
        """Return an image that the daemon keeps."""
        return self._spool.read(sha256)

    async def until(self, job: JobState, *statuses: type[JobStatus]) -> JobState:
        """Wait until the job is in one of these states, and return it."""
        async with asyncio.timeout(30):
            await self.hub.until(lambda: isinstance(self.book.job(job.id).status, statuses))
        return self.book.job(job.id)

    async def until_says(self, job: JobState, text: str, *statuses: type[JobStatus]) -> JobState:
        """Wait until the job's state says `text`, in one of these states (any, for none), and return it."""

        def is_so() -> bool:
            now = self.book.job(job.id)
            return text in now.text and (not statuses or isinstance(now.status, statuses))

        async with asyncio.timeout(30):
            await self.hub.until(is_so)
        return self.book.job(job.id)

    def logged(self, level: LogLevel) -> list[str]:
        return [line.text for line in self.hub.logs(limit=1000) if line.level is level]


@asynccontextmanager
async def running_lane(root: Path, profile: Profile = PROFILE, model: Model = Model.CLASSIC) -> AsyncGenerator[Scene]:
    """A scene whose lane runs, with journal and spool in `root`."""
    journal = await Journal.open(root / "journal.sqlite3")
    scene = Scene(journal, Spool(root / "spool"), profile, model)
    await scene.begin()
    running = asyncio.create_task(scene.lane.run())
    try:
        yield scene
    finally:
        scene.lane.stop()
        await running
        await journal.close()
