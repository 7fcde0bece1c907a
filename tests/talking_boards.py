"""Boards whose applications have a serial port that a test speaks on, and their consoles: no bus, no daemon."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from flashdeck.config import Board, Config, Console, UsbId
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.model import ConsoleEntry, DaemonState, Presence
from flashdeck.verdict import Judgement
from flashdeckd.consoles.consoles import Consoles
from flashdeckd.host.serial_lines import DeviceNumber, PseudoPort
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import ABSENT, Sighting
from flashdeckd.usb.serial_ports import SerialPort
from lane_rig import PROFILE

APP = UsbId(0x0483, 0x5740)
ON_APP = Console(port="app")


class TalkingBoard:
    """One board. It may be plugged in and unplugged; each time its application has another port."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.port: PseudoPort | None = None
        self.device: UsbDevice | None = None
        self._address = number * 10

    def start(self, *, with_port: bool = True) -> UsbDevice:
        """The application enumerates, and has its port at once."""
        self._address += 1
        place = f"1-{self.number}"
        self.device = UsbDevice(place, f"pci-0000:00:14.0-usb-0:{self.number}", 1, self._address, APP, 0x0100)
        if with_port:
            self.port = PseudoPort()
        return self.device

    def stop(self) -> None:
        """It leaves the bus."""
        self.device = None
        if self.port is not None:
            self.port.close()
            self.port = None

    def say(self, data: bytes) -> None:
        """Print something."""
        assert self.port is not None
        self.port.speak(data)


class Talk:
    """Some boards, and the consoles of a daemon that knows them."""

    def __init__(self, directory: Path, *, is_emulated: bool = False) -> None:
        self.hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
        self.boards = {name: TalkingBoard(name, number) for number, name in enumerate(("left", "right"), 1)}
        self.left, self.right = self.boards.values()
        emulated = self.has if is_emulated else None
        self.consoles = Consoles(self.hub, Health(self.hub), ports=self, directory=directory, emulated=emulated)
        self.changes: list[str] = []
        self._happened = asyncio.Event()
        self.verdicts: list[tuple[str, Judgement, Judgement | None]] = []
        self.consoles.tell_with(self._note, self._note_verdict)

    def _note(self, board: str) -> None:
        self.changes.append(board)
        self._happened.set()

    def _note_verdict(self, board: str, judgement: Judgement, before: Judgement | None) -> None:
        self.verdicts.append((board, judgement, before))
        self._happened.set()

    def of(self, device: UsbDevice, /) -> tuple[SerialPort, ...]:
        """See `SerialPorts`."""
        found = next((board for board in self.boards.values() if board.device == device), None)
        if found is None or found.port is None:
            return ()
        return (SerialPort(0, found.port.node, found.port.number),)

    def has(self, number: DeviceNumber, /) -> bool:
        """See `EmulatedPorts`: those of boards that are on the bus, here."""
        ports = [board.port for board in self.boards.values() if board.device is not None]
        return any(port is not None and port.number == number for port in ports)

    def configure(self, **consoles: Console | None) -> None:
        """Say where the boards have their consoles."""
        profiles = {name: replace(PROFILE, name=name, app=APP, console=each) for name, each in consoles.items()}
        boards = {
            name: Board(name, profile, port=f"1-{number}") for number, (name, profile) in enumerate(profiles.items(), 1)
        }
        self.consoles.configure(Config(profiles=profiles, boards=boards))

    def see(self) -> None:
        """Tell the consoles what is on the bus."""
        for board in self.boards.values():
            self.consoles.see(board.name, ABSENT if board.device is None else Sighting(Presence.APP, board.device))
        self.consoles.look(frozenset(each.device for each in self.boards.values() if each.device is not None))

    def entries(self, board: str = "left") -> tuple[ConsoleEntry, ...]:
        """Return all that a console has."""
        return self.consoles.of(board).record.page(after=0, since_leave=False, limit=100_000)

    def lines(self, board: str = "left") -> list[str]:
        """Return what a board said."""
        return [entry.text for entry in self.entries(board) if entry.kind is ConsoleKind.LINE]

    def marks(self, board: str = "left") -> list[str]:
        """Return what happened to it."""
        return [entry.text for entry in self.entries(board) if entry.kind is ConsoleKind.MARK]

    def condition(self, board: str = "left") -> ConsoleCondition:
        """Return the condition of its console."""
        state = self.consoles.state_of(board)
        assert state is not None
        return state.condition

    def dropped(self, board: str = "left") -> int:
        """Return how many bytes of a board were not recorded."""
        state = self.consoles.state_of(board)
        assert state is not None
        return state.dropped

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait for something; the test's own time limit ends that. It is asked again after each change and a moment."""
        async with asyncio.timeout(30):
            while True:
                self._happened.clear()
                if reached():
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await self._happened.wait()


@asynccontextmanager
async def talking(directory: Path, *, is_emulated: bool = False) -> AsyncGenerator[Talk]:
    """Boards and consoles that are closed at the end."""
    talk = Talk(directory, is_emulated=is_emulated)
    talk.consoles.begin()
    try:
        yield talk
    finally:
        await talk.consoles.close()
        for board in talk.boards.values():
            board.stop()
