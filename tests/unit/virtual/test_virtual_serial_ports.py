"""The serial port of an emulated application: a pseudo-terminal that behaves as the tty of a real one."""

import asyncio
import errno
import os
import struct
import termios
import threading
import tty
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import usb.core

from flashdeck.config import UsbId
from flashdeck.errors import ErrorKind, RequestError
from flashdeckd.entering.touch import PortMissingError, touch
from flashdeckd.host import serial_lines, threads
from flashdeckd.host.serial_lines import LineState, PseudoPort
from flashdeckd.usb.descriptors import dfu_version, interfaces
from flashdeckd.usb.device import InterfaceClass, UsbDevice
from flashdeckd.virtual import serial_ports
from flashdeckd.virtual.application import AppPort
from flashdeckd.virtual.faults import AppCrash, Fault
from flashdeckd.virtual.serial_ports import FETCHED_A_LOOK
from flashdeckd.virtual.spec import BoardSpec, Content, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench
from flashdeckd.virtual.voice import MAX_SAYING, PORT_BUFFER, Saying

GOOD_VECTORS = (0x20030000).to_bytes(4, "little") + (0x08020201).to_bytes(4, "little")
RUNNING = (Content(0x08020000, GOOD_VECTORS),)
SET_LINE_CODING, GET_LINE_CODING, SET_LINES, SEND_BREAK = 0x20, 0x21, 0x22, 0x23
OUT, IN = 0x21, 0xA1


def board(port: AppPort = AppPort.TOUCH, *, runtime: bool = False, app_serial: str | None = None) -> BoardSpec:
    return BoardSpec(
        name="one", serial="BOOT", contents=RUNNING, serial_port=port, runtime=runtime, app_serial=app_serial
    )


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Followed:
    """A bench whose bus is followed, and what is on it now."""

    def __init__(self, bench: VirtualBench) -> None:
        self.bench = bench
        self.devices: frozenset[UsbDevice] = frozenset()
        self._changed = asyncio.Event()

    def see(self, devices: frozenset[UsbDevice]) -> None:
        self.devices = devices
        self._changed.set()

    @property
    def device(self) -> UsbDevice:
        (device,) = self.devices
        return device

    async def until(self, reached: Callable[[], bool]) -> None:
        """Nobody is told of a port: it is looked for."""
        async with asyncio.timeout(30):
            while not reached():  # noqa: ASYNC110 -- as for a tty
                await asyncio.sleep(0.002)

    async def running(self) -> UsbDevice:
        await self.until(lambda: bool(self.devices) and bool(self.bench.ports.of(self.device)))
        return self.device

    @property
    def mode(self) -> str:
        return self.bench.list()[0].mode


@asynccontextmanager
async def followed(spec: BoardSpec) -> AsyncGenerator[Followed]:
    bench = VirtualBench([spec])
    seen = Followed(bench)

    async def follow() -> None:
        async for devices in bench.hotplug.snapshots():
            seen.see(devices)

    following = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        following.cancel()
        await asyncio.wait([following])


async def test_a_touch_brings_the_application_into_dfu_mode_and_its_port_goes() -> None:
    async with followed(board()) as seen:
        device = await seen.running()
        assert seen.mode == "app"
        touched = await threads.run(touch, seen.bench.ports, device)
        assert str(touched.port.node).startswith("/dev/pts/")
        await seen.until(lambda: seen.mode == "dfu" and seen.device.in_dfu_mode)
        await seen.until(lambda: seen.bench.list()[0].tty == "")
        with pytest.raises(PortMissingError):
            await threads.run(touch, seen.bench.ports, device)
        assert seen.bench.ports.of(seen.device) == ()


async def test_a_port_that_knows_no_touch_stays_as_it_is() -> None:
    async with followed(board(AppPort.PLAIN)) as seen:
        device = await seen.running()
        before = seen.bench.list()[0].transfers
        await threads.run(touch, seen.bench.ports, device)
        await seen.until(lambda: seen.bench.list()[0].transfers >= before + 2)  # it was told of speed and closing
        assert (seen.mode, seen.device) == ("app", device)
        assert seen.bench.list()[0].requests == 0, "no request to a DFU interface"


async def test_a_terminal_at_another_speed_is_no_touch_and_is_hung_up_when_the_cable_is_pulled() -> None:
    async with followed(board()) as seen:
        device = await seen.running()
        (port,) = seen.bench.ports.of(device)
        assert seen.bench.list()[0].tty == str(port.node)
        terminal = os.open(port.node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        with serial_lines.opened(port.node) as line:
            line.set_speed(115200)
        await seen.until(lambda: seen.bench.list()[0].transfers >= 1)
        seen.bench.unplug("one")
        await seen.until(lambda: seen.bench.list()[0].tty == "")
        with pytest.raises(OSError, match=r"[Ii]nput/output"):
            os.write(terminal, b"x")
        os.close(terminal)
        seen.bench.plug("one")
        again = await seen.running()
        assert again.address != device.address
        assert seen.bench.ports.of(device) == ()


async def test_a_board_without_that_key_has_no_port() -> None:
    async with followed(board(AppPort.NONE)) as seen:
        await seen.until(lambda: bool(seen.devices))
        assert seen.bench.ports.of(seen.device) == ()
        assert seen.bench.hotplug.trouble == ""


async def test_a_machine_without_pseudo_terminals_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nowhere:
        @staticmethod
        def new_pair() -> tuple[int, Path, tuple[int, int]]:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(serial_lines, "system", Nowhere())
    async with followed(board()) as seen:
        await seen.until(lambda: bool(seen.bench.hotplug.trouble))
        assert "virtual board one has no serial port (No such file or directory)" in seen.bench.hotplug.trouble


async def test_a_port_lasts_as_long_as_its_application_whoever_follows_the_bus() -> None:
    async with followed(board()) as seen:
        device = await seen.running()
    before = open_files()
    assert len(seen.bench.ports.of(device)) == 1
    seen.bench.unplug("one")
    following = asyncio.create_task(seen.bench.ports.follow())
    await seen.until(lambda: not seen.bench.ports.of(device))
    assert open_files() < before
    following.cancel()
    await asyncio.wait([following])


# What the application says.


class CountedPort(PseudoPort):
    """A port that counts how often it is looked at, and what the board sends at each look."""

    looks = 0
    sent: ClassVar[dict[int, int]] = {}

    @property
    def state(self) -> LineState:
        CountedPort.looks += 1
        return super().state

    def speak(self, data: bytes) -> int:
        taken = super().speak(data)
        self.sent[self.looks] = self.sent.get(self.looks, 0) + taken
        return taken


@pytest.fixture
def counted_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[CountedPort]]:
    monkeypatch.setattr(serial_ports, "PseudoPort", CountedPort)
    yield CountedPort
    CountedPort.sent.clear()


def read(terminal: int) -> bytes:
    with suppress(BlockingIOError):
        return os.read(terminal, 65536)
    return b""


@contextmanager
def listening(node: Path) -> Generator[Callable[[], bytes]]:
    """Open a port as a console does, raw and without waiting; all that has come so far."""
    terminal, heard = os.open(node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), bytearray()
    tty.setraw(terminal, termios.TCSANOW)

    def so_far() -> bytes:
        heard.extend(read(terminal))
        return bytes(heard)

    try:
        yield so_far
    finally:
        os.close(terminal)


def speaking(*says: Saying, waits: bool = False) -> BoardSpec:
    return replace(board(AppPort.PLAIN), says=says, waits_for_dtr=waits)


async def test_what_it_said_before_anybody_listened_comes_first_and_then_the_rest() -> None:
    said = (Saying(b"boot\n"), Saying(b"\x00\xff raw\n"), Saying(b"tick\n", after=0.05, every=0.05))
    async with followed(speaking(*said)) as seen:
        device = await seen.running()
        with listening(seen.bench.ports.of(device)[0].node) as heard:
            await seen.until(lambda: heard().count(b"tick") >= 3)
            assert heard().startswith(b"boot\n\x00\xff raw\ntick\ntick\n")


async def test_each_start_says_its_words_anew_and_what_its_own_image_has() -> None:
    image = GOOD_VECTORS + b"demo 1.0.0\0"
    spec = replace(speaking(Saying(image="demo ")), contents=(Content(0x08020000, image),))
    async with followed(spec) as seen:
        for _ in range(2):
            device = await seen.running()
            with listening(seen.bench.ports.of(device)[0].node) as heard:
                await seen.until(lambda heard=heard: heard() == b"demo 1.0.0\r\n")
            seen.bench.unplug("one")
            await seen.until(lambda: not seen.devices)
            seen.bench.plug("one")


async def test_an_application_that_waits_for_dtr_says_nothing_before(counted_port: type[CountedPort]) -> None:
    async with followed(speaking(Saying(b"hello\n", after=0.05), waits=True)) as seen:
        device = await seen.running()
        before = counted_port.looks
        await seen.until(lambda: counted_port.looks > before + 5)
        with listening(seen.bench.ports.of(device)[0].node) as heard:
            await seen.until(lambda: heard() == b"hello\n")


async def test_a_flood_is_as_fast_as_its_reader_and_never_more_than_a_bus_carries(
    counted_port: type[CountedPort],
) -> None:
    line = b"0123456789abcde\n"
    async with followed(speaking(Saying(line, every=0.0))) as seen:
        device = await seen.running()
        with listening(seen.bench.ports.of(device)[0].node) as heard:
            await seen.until(lambda: len(heard()) > 4 * PORT_BUFFER)
            before = counted_port.looks  # nobody reads from here on: the bench goes on
            await seen.until(lambda: counted_port.looks > before + 10)
            sent = sum(counted_port.sent.values())
            await seen.until(lambda: counted_port.looks > before + 20)
            assert sum(counted_port.sent.values()) == sent, "what nobody reads stays in the board"
            await seen.until(lambda: len(heard()) > sent)
            assert heard()[: len(line) * (sent // len(line))] == line * (sent // len(line)), "and nothing was lost"
        assert max(counted_port.sent.values()) <= FETCHED_A_LOOK


async def test_a_hand_says_a_line_at_any_time_the_application_runs() -> None:
    async with followed(board(AppPort.PLAIN)) as seen:
        device = await seen.running()
        with listening(seen.bench.ports.of(device)[0].node) as heard:
            seen.bench.say("one", "assert failed")
            await seen.until(lambda: heard() == b"assert failed\r\n")
        for text in ("", "x" * (MAX_SAYING + 1)):
            with pytest.raises(RequestError, match="cannot be said"):
                seen.bench.say("one", text)
        seen.bench.say("one", "x" * MAX_SAYING)
        seen.bench.press("one")
        with pytest.raises(RequestError, match="is not running") as caught:
            seen.bench.say("one", "hello")
        assert caught.value.kind is ErrorKind.ABSENT
    with pytest.raises(RequestError, match="no serial port"):
        VirtualBench([board(AppPort.NONE)]).say("one", "hello")


async def test_what_it_says_before_it_is_enumerated_is_in_the_port_that_comes_then() -> None:
    said = (Saying(b"reset\n"), Saying(b"clock ok\n", after=0.05), Saying(b"usb ok\n", after=0.15))
    spec = replace(speaking(*said), timing=Timing.REAL, attach_time=0.2)
    async with followed(spec) as seen:
        assert seen.bench.list()[0].mode == "app"
        assert seen.bench.boards["one"].connection() is None
        device = await seen.running()
        with listening(seen.bench.ports.of(device)[0].node) as heard:
            await seen.until(lambda: heard() == b"reset\nclock ok\nusb ok\n")


async def test_a_crash_is_seen_at_its_time_by_whoever_follows_the_bus() -> None:
    """Nobody looks at a port here, or asks the board: only the bus is waited for."""
    async with followed(replace(board(AppPort.NONE), crashes=(AppCrash(Fault.APP_RESET, after=0.1, times=1),))) as seen:
        await seen.until(lambda: bool(seen.devices))
        first = seen.device.address
        await seen.until(lambda: bool(seen.devices) and seen.device.address != first)


# A UART, which is a port of its own.


def with_uart(link: Path, *says: Saying, **keys: object) -> BoardSpec:
    spec = replace(board(AppPort.NONE), uart=link, says=says, boot_says=(Saying(b"loader\n"),))
    return replace(spec, **keys)  # type: ignore[arg-type]


async def test_a_uart_stays_over_restarts_and_power_and_keeps_what_nobody_read(tmp_path: Path) -> None:
    link = tmp_path / "one.tty"
    async with followed(with_uart(link, Saying(b"app\n"))) as seen:
        await seen.until(lambda: link.exists() and bool(seen.devices))
        node = link.readlink()
        status = link.stat()
        assert seen.bench.ports.has((os.major(status.st_rdev), os.minor(status.st_rdev)))
        assert seen.bench.ports.of(seen.device) == (), "it is no port of the device"
        assert seen.bench.list()[0].uart == str(link)
        seen.bench.press("one")
        with listening(link) as heard:
            await seen.until(lambda: heard() == b"loader\napp\nloader\n")
            seen.bench.unplug("one")
            seen.bench.plug("one")
            await seen.until(lambda: heard() == b"loader\napp\nloader\nloader\napp\n")
            assert link.readlink() == node
        seen.bench.say("one", "nobody listens")
        with listening(link) as heard:
            await seen.until(lambda: heard() == b"nobody listens\r\n")
    assert not link.is_symlink(), "who follows no more takes the link away"


async def test_an_application_without_usb_says_its_words_on_the_uart(tmp_path: Path) -> None:
    link = tmp_path / "one.tty"
    crash = AppCrash(Fault.APP_RESET, after=0.05, times=1)
    async with followed(with_uart(link, Saying(b"app\n"), app=None, crashes=(crash,))) as seen:
        await seen.until(link.exists)
        with listening(link) as heard:
            await seen.until(lambda: heard() == b"loader\napp\n" * 2)
        assert not seen.devices


async def test_a_look_that_outlives_its_follower_leaves_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, begun, may_go_on, ended = tmp_path / "one.tty", threading.Event(), threading.Event(), threading.Event()

    def late(target: object, place: object) -> None:
        begun.set()
        may_go_on.wait(30)
        Path(str(place)).symlink_to(str(target))
        ended.set()

    monkeypatch.setattr(serial_ports.files, "make_link", late)
    ports = VirtualBench([with_uart(link)]).ports
    following = asyncio.create_task(ports.follow())
    await asyncio.to_thread(begun.wait, 30)
    following.cancel()
    await asyncio.wait([following])
    may_go_on.set()
    assert await asyncio.to_thread(ended.wait, 30)
    async with asyncio.timeout(30):
        while link.is_symlink():  # noqa: ASYNC110 -- as for a tty
            await asyncio.sleep(0.002)


async def test_a_link_that_a_killed_daemon_left_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    link = tmp_path / "one.tty"
    link.symlink_to("/dev/pts/nowhere")
    async with followed(with_uart(link)) as seen:
        await seen.until(link.exists)
        link.unlink()
        await seen.until(link.exists)
        link.unlink()
        link.write_text("mine")
        await seen.until(lambda: bool(seen.bench.hotplug.trouble))
        assert f"virtual board one has no UART at {link} (File exists)" in seen.bench.hotplug.trouble
    assert link.read_text() == "mine"


# What the application answers, whoever asks.


def opened(spec: BoardSpec) -> usb.core.Device:
    device = usb.core.find(backend=VirtualBench([spec]).backend)
    assert device is not None
    return device


def coding(baud: int) -> bytes:
    return struct.pack("<IBBB", baud, 0, 0, 8)


@pytest.mark.parametrize("order", [(1200, 0), (0, 1200)])
def test_it_restarts_once_both_speed_and_dtr_say_so(order: tuple[int, int]) -> None:
    device = opened(board())
    first, second = order

    def send(value: int) -> None:
        if value:
            device.ctrl_transfer(OUT, SET_LINE_CODING, 0, 0, coding(value))
        else:
            device.ctrl_transfer(OUT, SET_LINES, 2, 0, b"")

    device.ctrl_transfer(OUT, SET_LINES, 3, 0, b"")
    send(first)
    assert bytes(device.ctrl_transfer(IN, GET_LINE_CODING, 0, 0, 7)) == coding(first or 115200)
    send(second)
    with pytest.raises(usb.core.USBError, match="No such device"):
        device.ctrl_transfer(IN, GET_LINE_CODING, 0, 0, 7)


def test_what_a_serial_port_does_not_know_is_refused() -> None:
    device = opened(board())
    device.ctrl_transfer(OUT, SEND_BREAK, 0, 0, b"")
    for request, data in ((SET_LINE_CODING, b"\0" * 6), (0x02, b"")):
        with pytest.raises(usb.core.USBError, match="Pipe error"):
            device.ctrl_transfer(OUT, request, 0, 0, data)
    with pytest.raises(usb.core.USBError, match="Pipe error"):
        opened(board(AppPort.NONE)).ctrl_transfer(OUT, SET_LINE_CODING, 0, 0, coding(1200))


def test_its_descriptors_are_those_of_a_port_that_a_driver_takes() -> None:
    device = opened(board(runtime=True))
    configuration = device[0]
    assert [(each.bInterfaceNumber, each.bInterfaceClass, each.bNumEndpoints) for each in configuration] == [
        (0, 0x02, 1),
        (1, 0x0A, 2),
        (2, 0xFE, 0),
    ]
    ends = [(end.bEndpointAddress, end.bmAttributes, end.wMaxPacketSize) for each in configuration for end in each]
    assert ends == [(0x82, 3, 8), (0x01, 2, 64), (0x81, 2, 64)]
    raw = bytes(device.ctrl_transfer(0x80, 6, 0x0200, 0, 512))
    assert len(raw) == struct.unpack_from("<H", raw, 2)[0]
    assert interfaces(raw)[1:] == (InterfaceClass(1, 0, 0x0A, 0, 0), InterfaceClass(2, 0, 0xFE, 1, 1))
    assert dfu_version(raw) == 0x0110
    assert serial_ports.PORT_INTERFACE == 0


@pytest.mark.parametrize(("given", "shown"), [(None, "BOOT"), ("APP1", "APP1"), ("", "")])
async def test_an_application_may_have_another_serial(given: str | None, shown: str) -> None:
    spec = board(app_serial=given)
    assert (opened(spec).serial_number or "") == shown
    async with followed(spec) as seen:
        device = await seen.running()
        assert (device.serial, device.usb_id) == (shown, UsbId(0x0483, 0x5740))
        seen.bench.press("one")
        await seen.until(lambda: seen.device.in_dfu_mode)
        assert seen.device.serial == "BOOT"
