"""A daemon in this process whose boards start under a test's hands: it plugs them, and speaks on their ports itself.

Bus and boards are the emulated ones, the ports are real pseudo-terminals, and all above is the real daemon. It is told
here what the daemon reads of a port, so that a test goes by events and needs no pauses.
"""

import asyncio
import fcntl
import os
import threading
from array import array
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from flashdeck.client import Client
from flashdeck.config import UsbId
from flashdeck.errors import FlashdeckError
from flashdeck.model import BoardState, Contents, JobState, Presence, Snapshot
from flashdeckd import service
from flashdeckd.builds.source import HandDrivenSource
from flashdeckd.host import open_files, serial_lines
from flashdeckd.host.open_files import Holder
from flashdeckd.host.serial_lines import DeviceNumber, LineSettings, LineState, PseudoPort, SerialLines
from flashdeckd.server.uploads import MAX_UPLOADS
from flashdeckd.service import Edges, Emulated, Options
from flashdeckd.signals import Asked, Signals
from flashdeckd.usb.device import UnreadDevice, UsbDevice
from flashdeckd.usb.serial_ports import SerialPort
from flashdeckd.virtual.backend import Handle, VirtualBackend
from flashdeckd.virtual.hotplug import VirtualHotplug
from flashdeckd.virtual.methods import virtual_handlers
from flashdeckd.virtual.spec import BoardSpec
from flashdeckd.virtual.virtual_bench import VirtualBench
from rig import HONEST_MAP, LOOK_AGAIN

READY: Final = r"boot ✓(, app1 (?P<version>\S+))?"
"""The `ready` of all boards. It is no ASCII, and need not name a version."""
FAIL: Final = "HardFault"
SHORT, LONG = 0.5, 600.0
"""Seconds in which nothing comes that has to come too late, and in which all comes that has to come in time."""
PATIENCE: Final = 60.0
"""Seconds that bound a broken test."""
_DNLOAD: Final = (0x21, 1)
_APP, _ADAPTER = UsbId(0x0483, 0x5740), UsbId(0x0403, 0x6001)


class Wiring(StrEnum):
    """The port of a console."""

    APP = "app"
    """It comes and goes with the application."""
    PATH = "path"
    """It stays, and hears the bootloader, too; the application is seen on the bus."""
    ALONE = "alone"
    """It stays, and is all that there is to see of the application."""


@dataclass(frozen=True, slots=True)
class ConsoleSetup:
    """The configuration of a board's console."""

    wiring: Wiring = Wiring.APP
    within: float = LONG
    stays: float = 0.0


class Happenings:
    """Something that was waited for may have happened. `poke` may be called from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._happened = asyncio.Event()

    def poke(self) -> None:
        """Let `until` look again."""
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._happened.set)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not reached():
                self._happened.clear()
                await self._happened.wait()


class SpokenPort:
    """A port that a test speaks on."""

    def __init__(self, happened: Happenings) -> None:
        self._pseudo = PseudoPort()
        self._happened = happened
        self.node, self.number = self._pseudo.node, self._pseudo.number
        self.said = self.heard = 0
        """The bytes that were said on it, and those that were read."""
        self.reads: deque[int] = deque()
        """Sizes of the next reads; as it likes, for none."""
        self.is_open = False
        self.refusals = 0
        """Times that the daemon wanted to open it, and could not."""
        self._read = threading.Condition()
        self._holder: int | None = None
        self.is_closed = False

    def say(self, data: bytes) -> None:
        """Say something; may be called from any thread."""
        self.said += len(data)  # before the daemon may have read it
        while data:
            data = data[self._pseudo.speak(data) :]

    async def flood(self, data: bytes) -> None:
        """Say more than the kernel takes at once."""
        self.said += len(data)
        while data:
            taken = self._pseudo.speak(data)
            data = data[taken:]
            await asyncio.sleep(0 if taken else 0.001)

    async def all_heard(self) -> None:
        """Wait until the daemon has read all that was said."""
        await self._happened.until(lambda: self.heard >= self.said)

    def await_heard(self) -> None:
        """Wait for the same, in another thread than the loop's."""
        with self._read:
            assert self._read.wait_for(lambda: self.heard >= self.said, PATIENCE)

    def note_read(self, count: int) -> None:
        """The daemon has read so much."""
        with self._read:
            self.heard += count
            self._read.notify_all()
        if self.heard >= self.said:
            self._happened.poke()

    def note_open(self, *, could: bool) -> None:
        """The daemon has opened it, or could not."""
        self.is_open = could
        self.refusals += not could
        self._happened.poke()

    def hold(self) -> None:
        """Another program opens it first."""
        self._holder = os.open(self.node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def free(self) -> None:
        """The other program closes it, and has read what came by then."""
        if self._holder is not None:
            with suppress(OSError):
                self.said -= len(os.read(self._holder, 65536))
            os.close(self._holder)
            self._holder = None

    def close(self) -> None:
        """It is gone."""
        self.free()
        if not self.is_closed:
            self.is_closed = True
            self._pseudo.close()


class TappedLines:
    """The kernel's serial ports, and a note of each read. See `SerialLines`."""

    def __init__(self, real: SerialLines, port_at: Callable[[Path], SpokenPort | None]) -> None:
        self._real = real
        self._port_at = port_at
        self._open: dict[int, SpokenPort] = {}

    def open_to_hear(self, node: Path, settings: LineSettings, /) -> int:
        port = self._port_at(node)
        try:
            descriptor = self._real.open_to_hear(node, settings)
        except OSError:
            if port is not None:
                port.note_open(could=False)
            raise
        if port is not None:
            self._open[descriptor] = port
            port.note_open(could=True)
        return descriptor

    def read(self, descriptor: int, size: int, /) -> bytes:
        port = self._open.get(descriptor)
        if port is None:
            return self._real.read(descriptor, size)
        most = min(size, port.reads[0]) if port.reads else size
        data = self._real.read(descriptor, most)
        if port.reads:
            port.reads.popleft()
        port.note_read(len(data))
        return data

    def close(self, descriptor: int, /) -> None:
        if (port := self._open.pop(descriptor, None)) is not None:
            port.note_open(could=False)
        self._real.close(descriptor)

    def open(self, node: Path, /) -> int:
        return self._real.open(node)

    def number(self, descriptor: int, /) -> DeviceNumber | None:
        return self._real.number(descriptor)

    def set_speed(self, descriptor: int, baud: int, /) -> None:
        self._real.set_speed(descriptor, baud)

    def drop_dtr(self, descriptor: int, /) -> None:
        self._real.drop_dtr(descriptor)

    def share(self, descriptor: int, /) -> None:
        self._real.share(descriptor)

    def watch(self, descriptor: int, come: Callable[[], object], /) -> None:
        self._real.watch(descriptor, come)

    def unwatch(self, descriptor: int, /) -> None:
        self._real.unwatch(descriptor)

    def new_pair(self) -> tuple[int, Path, DeviceNumber]:
        return self._real.new_pair()

    def speak(self, descriptor: int, data: bytes, /) -> int:
        return self._real.speak(descriptor, data)

    def line_state(self, descriptor: int, /) -> LineState:
        return self._real.line_state(descriptor)


class StartListener(Protocol):
    """Whoever takes part in the start of a board; all but the loop's thread may call."""

    def is_written(self) -> None:
        """The bootloader takes the first block."""
        ...

    def leaves(self) -> None:
        """The bootloader is asked to start the application: the daemon counts from here on."""
        ...

    def has_port(self, port: SpokenPort) -> None:
        """The application has its port, and nobody has opened it."""
        ...


class StartingBoard:
    """One board."""

    def __init__(self, name: str, number: int, setup: ConsoleSetup, bench: "StartingBench") -> None:
        self.name = name
        self.number = number
        self.setup = setup
        self.bench = bench
        self.happened = Happenings()
        self.listener: StartListener | None = None
        self.state: BoardState | None = None
        """As the daemon shows it."""
        self.jobs: dict[int, JobState] = {}
        self._ports: dict[int, SpokenPort] = {}
        """The ports of its application, by address."""
        self._present: frozenset[int] = frozenset()
        self._lock = threading.Lock()
        self.adapter: UsbDevice | None = None
        if setup.wiring is not Wiring.APP:
            self.uart = SpokenPort(self.happened)
            place = f"usb-1:{number}"
            self.adapter = UsbDevice(f"2-{number}", f"virtual-bench-{place}", 2, 1000 + number, _ADAPTER, 0x0600)

    @property
    def spec(self) -> BoardSpec:
        """Return the board as it is emulated."""
        return BoardSpec(
            name=self.name,
            serial=f"START{self.number:05}",
            port=self.number,
            map=HONEST_MAP,
            app=None if self.setup.wiring is Wiring.ALONE else _APP,
            runtime=self.setup.wiring is not Wiring.ALONE,
        )

    @property
    def configured(self) -> str:
        """Return its part of the configuration."""
        setup = self.setup
        is_alone = setup.wiring is Wiring.ALONE
        return f"""
[profiles.{self.name}]
dfu = "0483:df11"
{"" if is_alone else 'app = "0483:5740"'}
enter = "{"manual" if is_alone else "detach"}"
flash = "STM32H563RG"
[profiles.{self.name}.console]
port = "{"app" if setup.wiring is Wiring.APP else self.uart.node}"
ready = '{READY}'
fail = ["{FAIL}"]
within = "{setup.within:g}s"
stays = "{setup.stays:g}s"
partition = "app1"
[profiles.{self.name}.partitions.app1]
address = 0x08020000
size = "384K"
[boards.{self.name}]
profile = "{self.name}"
port = "1-{self.number}"
"""

    @property
    def port(self) -> SpokenPort:
        """Return the port that it speaks on now."""
        if self.setup.wiring is not Wiring.APP:
            return self.uart
        with self._lock:
            return next(reversed(self._ports.values()))

    @property
    def is_running(self) -> bool:
        """Tell whether the daemon sees that its application runs, and has its port open."""
        is_seen = self.setup.wiring is Wiring.ALONE or self.presence is Presence.APP
        return is_seen and bool(self._ports or self.adapter) and self.port.is_open

    @property
    def presence(self) -> Presence:
        """Return where the daemon sees it."""
        return self.state.presence if self.state is not None else Presence.ABSENT

    @property
    def contents(self) -> Contents | None:
        """Return what the daemon has of its partition."""
        partitions = self.state.partitions if self.state is not None else ()
        return next((each.contents for each in partitions if each.name == "app1"), None)

    def plug(self) -> None:
        """Connect it: its application starts."""
        self.bench.emulated.plug(self.name)

    def unplug(self) -> None:
        """Pull its cable."""
        self.bench.emulated.unplug(self.name)

    def press(self) -> None:
        """Restart it into its bootloader."""
        self.bench.emulated.press(self.name)

    def has_port(self, number: DeviceNumber) -> bool:
        """Tell whether a port is one of its own."""
        if self.setup.wiring is not Wiring.APP:
            return number == self.uart.number
        with self._lock:
            return any(number == port.number for port in self._ports.values())

    def ports_of(self, device: UsbDevice) -> tuple[SerialPort, ...]:
        """See `SerialPorts`; the port of an application is made once somebody looks for it."""
        if device == self.adapter:
            return (SerialPort(0, self.uart.node, self.uart.number),)
        if self.setup.wiring is not Wiring.APP or device.usb_id != _APP:
            return ()
        with self._lock:
            if device.address not in self._present:
                return ()
            port = self._ports.get(device.address)
            if port is None:
                port = self._ports[device.address] = SpokenPort(self.happened)
                if self.listener is not None:
                    self.listener.has_port(port)
        return (SerialPort(0, port.node, port.number),)

    def port_at(self, node: Path) -> SpokenPort | None:
        """Return which of its ports that is."""
        if self.setup.wiring is not Wiring.APP:
            return self.uart if self.uart.node == node else None
        with self._lock:
            return next((port for port in self._ports.values() if port.node == node), None)

    def enumerate(self, addresses: frozenset[int]) -> None:
        """These are the devices on the bus now: those that are gone have no port any more."""
        with self._lock:
            self._present = addresses
            for address in self._ports.keys() - addresses:
                self._ports.pop(address).close()

    def close(self) -> None:
        """Close its ports."""
        self.enumerate(frozenset())
        if self.adapter is not None:
            self.uart.close()


class _Backend(VirtualBackend):
    """The bus, and a note of what bootloaders are asked for."""

    def __init__(self, boards: Mapping[str, StartingBoard], bench: VirtualBench) -> None:
        super().__init__(tuple(bench.boards.values()))
        self._starting = boards

    def ctrl_transfer(  # noqa: PLR0917 - pyusb calls it so
        self,
        dev_handle: object,
        bmRequestType: int,  # noqa: N803 - pyusb names it
        bRequest: int,  # noqa: N803 - pyusb names it
        wValue: int,  # noqa: N803 - pyusb names it
        wIndex: int,  # noqa: N803 - pyusb names it
        data: "array[int]",
        timeout: int,
    ) -> int:
        if (bmRequestType, bRequest) == _DNLOAD and isinstance(dev_handle, Handle):
            listener = self._starting[dev_handle.connection.board.spec.name].listener
            if listener is not None and not data:
                listener.leaves()
            elif listener is not None and wValue >= 2:  # DfuSe: a block, and no command
                listener.is_written()
        return super().ctrl_transfer(dev_handle, bmRequestType, bRequest, wValue, wIndex, data, timeout)


class _Hotplug:
    """What is on the bus, with the adapters. See `HotplugSource`."""

    def __init__(self, hotplug: VirtualHotplug, boards: Mapping[str, StartingBoard]) -> None:
        self._hotplug = hotplug
        self._boards = boards
        self.trouble = self.hint = ""
        self.unread: tuple[UnreadDevice, ...] = ()

    async def snapshots(self) -> AsyncGenerator[frozenset[UsbDevice], None]:
        adapters = {board.adapter for board in self._boards.values() if board.adapter is not None}
        async for devices in self._hotplug.snapshots():
            addresses = frozenset(device.address for device in devices)
            for board in self._boards.values():
                board.enumerate(addresses)
            yield devices | adapters


class _Ports:
    """See `SerialPorts`."""

    def __init__(self, boards: Iterable[StartingBoard]) -> None:
        self._by_number = {board.number: board for board in boards}

    def of(self, device: UsbDevice, /) -> tuple[SerialPort, ...]:
        return self._by_number[int(device.name.rpartition("-")[2])].ports_of(device)

    def has(self, number: DeviceNumber, /) -> bool:
        """See `EmulatedPorts`."""
        return any(board.has_port(number) for board in self._by_number.values())


class _Told(Signals):
    """Signals that the test sends."""

    def __init__(self) -> None:
        self.events = Asked()  # the base would look for a terminal

    @contextmanager
    def asked(self) -> Generator[Asked]:
        yield self.events


class StartingBench:
    """The daemon, its boards, and a client."""

    emulated: VirtualBench
    client: Client

    def __init__(self, setups: Iterable[ConsoleSetup]) -> None:
        self.uploads = asyncio.Semaphore(MAX_UPLOADS)
        self.boards = {
            f"b{number}": StartingBoard(f"b{number}", number, setup, self) for number, setup in enumerate(setups, 1)
        }

    async def follow(self) -> None:
        """Take note of what the daemon tells."""
        async for change in self.client.follow():
            if isinstance(change, Snapshot):
                boards, jobs = change.boards, change.jobs
            else:
                boards, jobs = (change.board,) if change.board else (), (change.job,) if change.job else ()
            for board in boards:
                self.boards[board.name].state = board
                self.boards[board.name].happened.poke()
            for job in jobs:
                self.boards[job.board].jobs[job.id] = job
                self.boards[job.board].happened.poke()

    def port_at(self, node: Path) -> SpokenPort | None:
        """Return whose port that is."""
        found = (board.port_at(node) for board in self.boards.values())
        return next((port for port in found if port is not None), None)


@asynccontextmanager
async def starting(root: Path, setups: Iterable[ConsoleSetup]) -> AsyncGenerator[StartingBench]:
    """A daemon for the length of a block; its boards are in DFU mode, and empty."""
    bench = StartingBench(setups)
    bench.emulated = VirtualBench(board.spec for board in bench.boards.values())
    backend = _Backend(bench.boards, bench.emulated)
    hotplug = _Hotplug(bench.emulated.hotplug, bench.boards)
    emulated = Emulated(backend, hotplug, _Ports(bench.boards.values()), virtual_handlers(bench.emulated))
    config = root / "config.toml"
    config.write_text("".join(board.configured for board in bench.boards.values()))
    signals, real, holders = _Told(), serial_lines.system, open_files.holders
    serial_lines.system = TappedLines(real, bench.port_at)
    # Else each port that is opened costs a look at all files of all processes, as many as this machine has.
    open_files.holders = _no_holders
    options = Options(socket=root / "s", state_dir=root / "state", config=config)
    daemon = asyncio.create_task(service.serve(options, signals, outside=Edges(emulated, HandDrivenSource())))
    try:
        bench.client = await _connected(root / "s", daemon)
        following = asyncio.create_task(bench.follow())
        try:
            yield bench
        finally:
            following.cancel()
            await asyncio.wait([following])
            await bench.client.close()
    finally:
        signals.events.to_end.set()
        await daemon
        serial_lines.system, open_files.holders = real, holders
        for board in bench.boards.values():
            board.close()


def _no_holders(_path: Path, *, proc: Path = Path("/proc")) -> tuple[Holder, ...]:
    del proc
    return ()


async def _connected(socket: Path, daemon: "asyncio.Task[None]") -> Client:
    async with asyncio.timeout(PATIENCE):
        while not daemon.done():
            with suppress(FlashdeckError):
                return await Client.connect(socket, client="starts")
            await asyncio.sleep(LOOK_AGAIN)  # the socket appears without an event of its own
    raise AssertionError(f"the daemon has ended: {daemon.exception()!r}")
