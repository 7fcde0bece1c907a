"""The touch at 1200 baud: of the right port, also where others have it, and what is said where it cannot be."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from flashdeck.config import Enter, UsbId
from flashdeck.errors import DeviceBusyError, DeviceError, DevicePermissionError
from flashdeck.job_state import Done, WaitFor, Waiting
from flashdeck.model import JobState, LogLevel, Presence
from flashdeckd.entering import asking
from flashdeckd.entering.asking import MAX_ASKED
from flashdeckd.entering.touch import TOUCH_BAUD, PortMissingError, reach, touch
from flashdeckd.host import open_files, serial_lines
from flashdeckd.host.open_files import Holder
from flashdeckd.host.serial_lines import LineState, PseudoPort
from flashdeckd.jobs import device_thread
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import ABSENT, Sighting
from flashdeckd.usb.serial_ports import SerialPort
from lane_rig import PROFILE, FakeKeeper, FakePorts, Scene, hurry, running_lane

APP = UsbId(0x2341, 0x8036)
DEVICE = UsbDevice("1-4.2", "pci-0000:00:14.0-usb-0:4.2", 1, 9, APP, 0x0100)
FIRST = SerialPort(2, Path("/dev/ttyACM7"), (166, 7))
SECOND = SerialPort(4, Path("/dev/ttyACM0"), (166, 0))


@dataclass
class Lines:
    """Serial ports that note what is done to them."""

    steps: list[object] = field(default_factory=list[object])
    refuses: dict[Path, int] = field(default_factory=dict[Path, int])
    """The error number with which a port cannot be opened."""
    numbers: dict[Path, tuple[int, int]] = field(default_factory=dict[Path, tuple[int, int]])
    """The device that has a name, where it is another one by now."""
    when_set: Callable[[], object] = lambda: None

    def open(self, node: Path, /) -> int:
        if node in self.refuses:
            raise OSError(self.refuses[node], os.strerror(self.refuses[node]))
        self.steps.append(node)
        return 7

    def number(self, _: int, /) -> tuple[int, int] | None:
        node = next(step for step in reversed(self.steps) if isinstance(step, Path))
        known = {port.node: port.number for port in (FIRST, SECOND)}
        return self.numbers.get(node, known.get(node))

    def set_speed(self, _: int, baud: int, /) -> None:
        self.steps.append(baud)
        self.when_set()

    def drop_dtr(self, _: int, /) -> None:
        self.steps.append("DTR")

    def close(self, _: int, /) -> None:
        self.steps.append("closed")

    def new_pair(self) -> tuple[int, Path, tuple[int, int]]:
        raise AssertionError

    def line_state(self, _: int, /) -> LineState:
        raise AssertionError


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    lines = Lines()
    monkeypatch.setattr(serial_lines, "system", lines)
    return lines


@pytest.fixture
def holders(monkeypatch: pytest.MonkeyPatch) -> dict[Path, tuple[Holder, ...]]:
    found: dict[Path, tuple[Holder, ...]] = {}

    def of(path: Path) -> tuple[Holder, ...]:
        return found.get(path, ())

    monkeypatch.setattr(open_files, "holders", of)
    return found


def ports(*found: SerialPort) -> FakePorts:
    fake = FakePorts()
    fake.found = found
    return fake


@pytest.mark.usefixtures("holders")
def test_the_speed_is_set_and_then_dtr_dropped(lines: Lines) -> None:
    touched = touch(ports(FIRST), DEVICE)
    assert lines.steps == [FIRST.node, TOUCH_BAUD, "DTR", "closed"]
    assert (touched.port, touched.others, touched.held) == (FIRST, 0, "")


@pytest.mark.usefixtures("holders")
def test_of_several_the_one_with_the_lowest_interface_is_touched(lines: Lines) -> None:
    touched = touch(ports(FIRST, SECOND), DEVICE)
    assert (touched.port, touched.others) == (FIRST, 1)
    assert SECOND.node not in lines.steps


def test_a_port_that_others_have_open_is_touched_all_the_same_and_they_are_named(
    lines: Lines, holders: dict[Path, tuple[Holder, ...]]
) -> None:
    holders[FIRST.node] = (Holder(12, "picocom"),)
    assert touch(ports(FIRST), DEVICE).held == "picocom (pid 12) has /dev/ttyACM7 open, too"
    assert lines.steps == [FIRST.node, TOUCH_BAUD, "DTR", "closed"]
    holders[FIRST.node] = (Holder(12, "picocom"), Holder(7, ""))
    assert touch(ports(FIRST), DEVICE).held == "picocom (pid 12), a process (pid 7) have /dev/ttyACM7 open, too"


@pytest.mark.usefixtures("holders")
def test_another_device_with_that_name_is_opened_and_never_touched(lines: Lines) -> None:
    lines.numbers[FIRST.node] = (166, 8)
    with pytest.raises(PortMissingError, match=r"the application at 1-4\.2 has no serial port"):
        touch(ports(FIRST), DEVICE)
    assert lines.steps == [FIRST.node, "closed"]


@pytest.mark.usefixtures("holders")
def test_a_board_that_left_before_its_port_was_open_is_not_touched(lines: Lines) -> None:
    class Leaving(FakePorts):
        def of(self, _: UsbDevice) -> tuple[SerialPort, ...]:
            found, self.found = self.found, ()
            return found

    leaving = Leaving()
    leaving.found = (FIRST,)
    with pytest.raises(PortMissingError):
        touch(leaving, DEVICE)
    assert lines.steps == [FIRST.node, "closed"]


@pytest.mark.usefixtures("holders")
@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV])
def test_a_board_that_reboots_at_once_was_touched(lines: Lines, number: int) -> None:
    def reboot() -> None:
        raise OSError(number, os.strerror(number))

    lines.when_set = reboot
    assert touch(ports(FIRST), DEVICE).port == FIRST


def test_what_keeps_a_port_from_being_opened_is_told(lines: Lines, holders: dict[Path, tuple[Holder, ...]]) -> None:
    def error() -> DeviceError:
        for ask in (touch, reach):
            with pytest.raises(DeviceError) as caught:
                ask(ports(FIRST), DEVICE)
        return caught.value

    lines.refuses[FIRST.node] = errno.EACCES
    assert isinstance(error(), DevicePermissionError)
    assert error().message == "permission denied for /dev/ttyACM7"
    assert "`ls -l /dev/ttyACM7` shows" in error().hint
    lines.refuses[FIRST.node] = errno.EBUSY
    assert isinstance(error(), DeviceBusyError)
    assert error().message == "another program keeps /dev/ttyACM7 for itself"
    holders[FIRST.node] = (Holder(12, "ModemManager"),)
    assert error().message == "ModemManager (pid 12) keeps /dev/ttyACM7 for itself"
    lines.refuses[FIRST.node] = errno.ENFILE
    assert error().message == "/dev/ttyACM7 cannot be opened: Too many open files in system"


@pytest.mark.usefixtures("holders")
def test_a_port_that_the_console_has_open_is_not_opened_to_see_if_it_can_be(lines: Lines) -> None:
    keeper = FakeKeeper()
    keeper.open.add(FIRST.node)
    reach(ports(FIRST), DEVICE, keeper)
    assert lines.steps == []
    keeper.open.clear()
    reach(ports(FIRST), DEVICE, keeper)
    assert lines.steps != []


@pytest.mark.usefixtures("lines", "holders")
def test_no_port_at_all_is_missing() -> None:
    with pytest.raises(PortMissingError):
        touch(ports(), DEVICE)
    reach(ports(), DEVICE)


@pytest.mark.usefixtures("holders")
def test_a_port_that_goes_before_it_is_opened_is_missing(lines: Lines) -> None:
    for number, told in ((errno.ENOENT, "is /dev/ttyACM7, which is not there"), (errno.ENXIO, "has no serial port")):
        lines.refuses[FIRST.node] = number
        with pytest.raises(PortMissingError, match=told):
            touch(ports(FIRST), DEVICE)
        reach(ports(FIRST), DEVICE)


def test_a_real_port_that_somebody_has_open() -> None:
    pseudo = PseudoPort()
    port = SerialPort(0, pseudo.node, pseudo.number)
    holder = os.open(pseudo.node, os.O_RDWR | os.O_NOCTTY)
    touch(ports(port), DEVICE)
    assert pseudo.state == LineState(TOUCH_BAUD, is_open=True)
    os.close(holder)
    pseudo.close()


# In a lane.

HINT = "double-tap RESET"


class Board:
    """A board that is running, and what it does when it is touched."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._device = replace(scene.emulated.device, serial="A1", usb_id=APP)

    def start(self) -> None:
        self._device = replace(self._device, address=self._device.address + 1)
        self._scene.lane.see(Sighting(Presence.APP, self._device))

    async def until(self, job: JobState, waits_for: WaitFor) -> Waiting:
        def is_so() -> bool:
            status = self._scene.book.job(job.id).status
            return isinstance(status, Waiting) and status.for_ is waits_for

        async with asyncio.timeout(30):
            await self._scene.hub.until(is_so)
        status = self._scene.book.job(job.id).status
        assert isinstance(status, Waiting)
        return status


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(asking, "ENTER_SECONDS", 0.01)
    hurry(monkeypatch)
    async with running_lane(tmp_path, replace(PROFILE, app=APP, enter=Enter.TOUCH, enter_hint=HINT)) as scene:
        scene.lane.see(ABSENT)
        yield scene


@pytest.fixture
async def board(scene: Scene) -> Board:
    return Board(scene)


@pytest.mark.usefixtures("holders")
async def test_a_touched_board_comes_and_is_flashed(
    scene: Scene, board: Board, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ENTER_SECONDS", 30.0)
    loop = asyncio.get_running_loop()
    lent: list[bool] = []

    def touched() -> None:
        lent.append(scene.keeper.is_lent)
        loop.call_soon_threadsafe(scene.see)

    lines.when_set = touched
    scene.ports.found = (FIRST, SECOND)
    board.start()
    await scene.until(await scene.order(), Done)
    assert lent == [True], "the board's own console gives way"
    assert not scene.keeper.is_lent
    assert "touched /dev/ttyACM7 at 1200 baud, the first of its 2 serial ports" in scene.logged(LogLevel.INFO)


async def test_one_that_does_not_come_says_who_had_its_port_and_is_asked_a_few_times(
    scene: Scene, board: Board, lines: Lines, holders: dict[Path, tuple[Holder, ...]]
) -> None:
    scene.ports.found = (FIRST,)
    holders[FIRST.node] = (Holder(12, "picocom"),)
    board.start()
    job = await scene.order()
    waiting = await board.until(job, WaitFor.HAND)
    assert waiting.reason == (
        "it did not come back in DFU mode when asked: picocom (pid 12) has /dev/ttyACM7 open, too"
    )
    assert waiting.hint == HINT
    for _ in range(MAX_ASKED + 2):
        scene.lane.see(ABSENT)
        await board.until(job, WaitFor.ABSENT)
        board.start()
        waiting = await board.until(job, WaitFor.HAND)
    assert waiting.reason == f"it is running again, after {MAX_ASKED} touches at 1200 baud"
    assert lines.steps.count(TOUCH_BAUD) == MAX_ASKED


@pytest.mark.usefixtures("holders", "lines")
async def test_a_port_that_comes_a_moment_after_its_device_is_waited_for(
    scene: Scene, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def late(_: UsbDevice) -> tuple[SerialPort, ...]:
        nonlocal looks
        looks += 1
        return (FIRST,) if looks > device_thread.OPEN_TRIES // 2 else ()

    monkeypatch.setattr(scene.ports, "of", late)
    board.start()
    waiting = await board.until(await scene.order(), WaitFor.HAND)
    assert waiting.reason == "it did not come back in DFU mode when asked"
    assert looks > device_thread.OPEN_TRIES // 2


@pytest.mark.usefixtures("holders", "lines")
async def test_an_application_without_a_port_is_a_persons(scene: Scene, board: Board) -> None:
    board.start()
    waiting = await board.until(await scene.order(), WaitFor.HAND)
    assert waiting.reason.startswith("it cannot be brought into DFU mode: the application at 1-")
    assert waiting.reason.endswith("has no serial port")
    assert waiting.hint == HINT


@pytest.mark.usefixtures("holders")
@pytest.mark.parametrize(("number", "waits_for"), [(errno.EACCES, WaitFor.ACCESS), (errno.EBUSY, WaitFor.BUSY)])
async def test_a_port_that_cannot_be_opened_is_tried_again_and_that_counts_as_no_touch(
    scene: Scene,
    board: Board,
    lines: Lines,
    monkeypatch: pytest.MonkeyPatch,
    *,
    number: int,
    waits_for: WaitFor,
) -> None:
    scene.ports.found = (FIRST,)
    lines.refuses[FIRST.node] = number
    board.start()
    job = await scene.order()
    await board.until(job, waits_for)
    assert lines.steps == []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(asking, "ENTER_SECONDS", 30.0)
    lines.when_set = lambda: loop.call_soon_threadsafe(scene.see)
    lines.refuses.clear()
    await scene.until(job, Done)
    assert lines.steps.count(TOUCH_BAUD) == 1


@pytest.mark.usefixtures("holders")
async def test_no_port_is_opened_for_what_is_not_exactly_one_board(scene: Scene, board: Board, lines: Lines) -> None:
    scene.ports.found = (FIRST,)
    scene.lane.see(Sighting(Presence.AMBIGUOUS, trouble="2 devices look like board left"))
    job = await scene.order()
    assert (await board.until(job, WaitFor.OTHER_DEVICE)).reason == "2 devices look like board left"
    scene.lane.see(ABSENT)
    await board.until(job, WaitFor.ABSENT)
    assert lines.steps == []
