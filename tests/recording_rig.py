"""A flash on an emulated board, recorded, and the same on the recording: what the tests of both share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from flash_rig import APP1, BASE, OLD, TARGET, Watcher, image
from flashdeck.errors import FlashdeckError
from flashdeck.geometry import Range
from flashdeck.recording import Recording, read
from flashdeckd.flash import engine
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import Target
from flashdeckd.images.image import Image
from flashdeckd.usb.device import InterfaceClass, UsbDevice
from flashdeckd.usb.record_directory import RecordDirectory
from flashdeckd.usb.recording_backend import Recorder, RecordingBackend
from flashdeckd.usb.transport import open_device
from flashdeckd.virtual.board import VirtualBoard
from flashdeckd.virtual.spec import BoardSpec, Content, Model, Start
from flashdeckd.virtual.virtual_bench import VirtualBench

IMAGE = image(4 * 8192 + 100)
SHORT_IMAGE = image(2100)
"""The image of the recording that is checked in."""
SMALL = replace(TARGET, span=Range.sized(APP1.start, 6 * 8192))


@dataclass
class Desk:
    """One board in DFU mode, behind a backend that records if it is told to."""

    spec: BoardSpec
    recorder: Recorder | None = None
    target: Target = SMALL

    def __post_init__(self) -> None:
        self.now = 0.0
        """Seconds that the host has slept: all the time that there is."""
        self.bench = VirtualBench([replace(self.spec, clock=lambda: self.now)])

    @property
    def board(self) -> VirtualBoard:
        return self.bench.boards[self.spec.name]

    def nap(self, seconds: float) -> None:
        self.now += seconds

    def flash(self, data: bytes) -> FlashResult | FlashdeckError:
        """Flashes a small partition; the error, where it ends in one."""
        connection = self.board.connection()
        assert connection is not None
        device = UsbDevice(
            name=f"1-{self.spec.port}",
            port="platform-test-usb-0:1",
            bus=1,
            address=connection.address,
            usb_id=connection.identity.usb_id,
            bcd_device=connection.identity.bcd_device,
            interfaces=(InterfaceClass(0, 0, 0xFE, 1, 2),),
        )
        inner = self.bench.backend
        backend = inner if self.recorder is None else RecordingBackend(inner, self.recorder)
        try:
            with open_device(backend, device) as pipe:
                return engine.flash(pipe, Image.raw(data), self.target, Watcher(), self.nap)
        except FlashdeckError as error:
            return error


def old_flash() -> bytes:
    """What is in the flash before: invented bytes, and a blank sector where a canary may go."""
    flash = bytearray(OLD)
    for sector in (SMALL.span.end - 8192, SMALL.span.end - 8192 + len(OLD) // 2):
        flash[sector - BASE : sector - BASE + 8192] = b"\xff" * 8192
    return bytes(flash)


def board(model: Model = Model.CLASSIC, old: bytes = b"") -> BoardSpec:
    """A board with that flash, its bootloader waiting."""
    contents = (Content(BASE, old or old_flash()),)
    return BoardSpec(name="board", model=model, serial="A1", start=Start.DFU, contents=contents)


def replayed(recording: Recording) -> BoardSpec:
    """A board that answers as recorded."""
    return BoardSpec(name="replayed", recording=recording, app=None, start=Start.DFU)


def record(
    directory: Path,
    *,
    model: Model = Model.CLASSIC,
    payloads: bool = True,
    data: bytes = IMAGE,
    old: bytes = b"",
    target: Target = SMALL,
    before: Callable[[Desk], object] = lambda _: None,
) -> Path:
    """The recording of one flash of a board that nothing is known of."""
    troubles: list[str] = []
    recorder = Recorder(RecordDirectory(directory), payloads=payloads, on_trouble=troubles.append)
    desk = Desk(board(model, old), recorder, target)
    before(desk)
    known = {each.name for each in recorder.directory.listing()}
    desk.flash(data)
    assert troubles == []
    (name,) = {each.name for each in recorder.directory.listing()} - known
    return directory / name


def replay(path: Path, data: bytes = IMAGE, target: Target = SMALL) -> Desk:
    """The same flash on the recording."""
    desk = Desk(replayed(read(path)), target=target)
    desk.flash(data)
    return desk
