"""The engine on an emulated board, through pyusb: what the tests of flashing share."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from flashdeck.errors import FlashdeckError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.job_state import Phase, TimeClaim
from flashdeckd.flash import engine
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.sector_events import SectorEvent
from flashdeckd.flash.target import AddressTarget, Target
from flashdeckd.images.image import Image, Piece
from flashdeckd.usb.device import InterfaceClass, UsbDevice
from flashdeckd.usb.transport import Transport, open_device
from flashdeckd.virtual.spec import BoardSpec, Content, Model, Start
from flashdeckd.virtual.virtual_bench import VirtualBench

BASE = 0x08000000
FLASH_SIZE = 1024 * 1024
SECTOR = 8192
GEOMETRY = Geometry((Region(BASE, 64, SECTOR, 0), Region(BASE + 512 * 1024, 64, SECTOR, 1)), program_unit=16)
BOOTLOADER = Range.sized(BASE, 128 * 1024)
APP1 = Range.sized(0x08020000, 384 * 1024)
PARTITION2 = Range.sized(0x08080000, 384 * 1024)
TARGET = AddressTarget(partition="app1", span=APP1, geometry=GEOMETRY, protected=(BOOTLOADER,))
OLD = random.Random(0).randbytes(FLASH_SIZE)  # noqa: S311 - invented contents, nothing secret


def blank(*spans: Range, old: bytes = OLD) -> bytes:
    """A flash like `old`, with these spans erased."""
    flash = bytearray(old)
    for span in spans:
        flash[span.start - BASE : span.end - BASE] = b"\xff" * span.size
    return bytes(flash)


ROOM = Range(APP1.end - SECTOR, APP1.end)
"""The last sector of app1, where a canary may go if it is blank ..."""
ROOM_TWIN = Range.sized(ROOM.start + FLASH_SIZE // 2, SECTOR)
"""... and its twin in the other bank is blank, too."""


def image(size: int, seed: int = 1, start: int = APP1.start) -> bytes:
    """An image of `size` bytes that ST's sample boot check accepts."""
    head = (0x20030000).to_bytes(4, "little") + (start + 0x201).to_bytes(4, "little")
    return (head + random.Random(seed).randbytes(size))[:size]  # noqa: S311 - invented contents, nothing secret


def pieces(*parts: tuple[int, bytes]) -> Image:
    """An image of these bytes at these offsets."""
    return Image.of(Piece(offset, data) for offset, data in parts)


def as_image(data: bytes | Image) -> Image:
    """What a raw binary is, or what it was given already."""
    return Image.raw(data) if isinstance(data, bytes) else data


def small(sectors: int = 5) -> AddressTarget:
    """The target cut down to its first sectors, for tests that flash many times."""
    return replace(TARGET, span=Range.sized(APP1.start, sectors * SECTOR))


@dataclass
class Watcher:
    """A listener that remembers, and stops or acts where it is told to."""

    events: list[str] = field(default_factory=list[str])
    plan: FlashPlan | None = None
    on_check: Callable[[int], None] | None = None
    on_began: Callable[[], None] | None = None
    on_committed: Callable[[], None] | None = None
    checks: int = 0
    leaves: bool = True
    """True if the board is to be started at the end."""
    history: BootloaderHistory = UNKNOWN
    claims: list[TimeClaim] = field(default_factory=list[TimeClaim])
    sectors: list[SectorEvent] = field(default_factory=list[SectorEvent])
    last: dict[Phase, tuple[int, int]] = field(default_factory=dict[Phase, tuple[int, int]])

    def progress(self, phase: Phase, done: int, total: int) -> None:
        assert 0 <= done <= total
        self.last[phase] = (done, total)

    def opened(self, facts: DeviceFacts) -> None:
        """Any device is the right one."""

    def happened(self, event: SectorEvent) -> None:
        self.sectors.append(event)

    def claimed(self, claim: TimeClaim) -> None:
        self.claims.append(claim)

    def may_leave(self) -> bool:
        return self.leaves

    def planned(self, plan: FlashPlan) -> None:
        self.plan = plan
        self.events.append("planned")

    def began(self) -> None:
        self.events.append("began")
        if self.on_began:
            self.on_began()

    def committed(self) -> None:
        self.events.append("committed")
        if self.on_committed:
            self.on_committed()

    def learned(self, history: BootloaderHistory) -> None:
        self.history = history

    def check(self) -> None:
        self.checks += 1
        if self.on_check:
            self.on_check(self.checks)


class Rig:
    """One emulated board in DFU mode, its whole flash filled with something that must stay."""

    def __init__(self, model: Model = Model.CLASSIC, *, old: bytes = OLD, **changes: object) -> None:
        spec = BoardSpec(name="board", model=model, serial="A1", start=Start.DFU, contents=(Content(BASE, old),))
        self.old = old
        self.now = 0.0
        """Seconds that the host has slept: the only time that passes for a board that looks at the clock."""
        self.bench = VirtualBench([replace(spec, clock=lambda: self.now, **changes)])
        self.board = self.bench.boards["board"]
        self.naps: list[float] = []
        self.history = UNKNOWN
        """What the flashes so far have shown of the bootloader; each begins with it, as a board's lane does."""
        self.cached: Image | None = None
        """What the flashes take for what is there."""

    def nap(self, seconds: float) -> None:
        """The host's sleep: noted, and over at once."""
        self.naps.append(seconds)
        self.now += seconds

    @property
    def device(self) -> UsbDevice:
        """The board as hotplug shows it."""
        connection = self.board.connection()
        assert connection is not None
        return UsbDevice(
            name="1-1",
            port="platform-test-usb-0:1",
            bus=1,
            address=connection.address,
            usb_id=connection.identity.usb_id,
            bcd_device=connection.identity.bcd_device,
            interfaces=(InterfaceClass(0, 0, 0xFE, 1, 2),),
        )

    @property
    def present(self) -> bool:
        """Whether the board is on the bus in DFU mode."""
        connection = self.board.connection()
        return connection is not None and connection.is_dfu

    def open(self) -> Transport:
        """The board, opened."""
        return open_device(self.bench.backend, self.device)

    def flash(self, data: bytes | Image, target: Target = TARGET, watcher: Watcher | None = None) -> FlashResult:
        """Flashes through pyusb."""
        watcher = watcher or Watcher()
        watcher.history = self.history
        try:
            with self.open() as pipe:
                known, wanted = self.history, as_image(data)
                return engine.flash(pipe, wanted, target, watcher, self.nap, history=known, cached=self.cached)
        finally:
            self.history = watcher.history

    def attempt(
        self, data: bytes | Image, target: Target = TARGET, watcher: Watcher | None = None
    ) -> FlashResult | FlashdeckError:
        """Flashes, and returns the error where it ends in one."""
        try:
            return self.flash(data, target, watcher)
        except FlashdeckError as error:
            return error

    def memory(self, span: Range | None = None) -> bytes:
        """What the flash holds."""
        span = span or Range.sized(BASE, FLASH_SIZE)
        return b"".join(
            self.board.dump(at, min(262144, span.end - at)).data for at in range(span.start, span.end, 262144)
        )

    def outside_changed(self, span: Range) -> bool:
        """Whether any byte outside `span` is not what it was."""
        now = self.memory()
        start, end = span.start - BASE, span.end - BASE
        return now[:start] != self.old[:start] or now[end:] != self.old[end:]

    def back_in_dfu(self) -> None:
        """Plugged in again, in its bootloader."""
        self.bench.plug("board")
        self.bench.press("board")
