"""A command of one's own that brings the board into DFU mode: a debug probe, a relay, a tool of the product."""

import asyncio
from pathlib import PurePath
from typing import Final

from flashdeck.config import Board
from flashdeck.errors import DeviceError
from flashdeck.model import JobState, LogLevel
from flashdeck.text import clean
from flashdeckd.host import commands, threads
from flashdeckd.host.commands import CommandResult
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.port_keeper import PortKeeper
from flashdeckd.usb.serial_ports import SerialPorts

COMMAND_SECONDS: Final = 30.0
"""Longest time that the command may take. Its board has some more after that."""
MOST_OUTPUT: Final = 8 * 1024
"""Bytes kept of what it prints, the last ones."""
MOST_LINES: Final = 20
"""Lines of it that go into the log of the job, the last ones."""


class Command:
    """The way of a board that a command knows."""

    def __init__(
        self,
        board: Board,
        argv: tuple[str, ...],
        *,
        state: LaneState,
        book: JobBook,
        ports: SerialPorts,
        keeper: PortKeeper,
    ) -> None:
        self._board = board
        self._argv = argv
        self._state = state
        self._book = book
        self._ports = ports
        self._keeper = keeper
        self._name = clean(PurePath(argv[0]).name)

    @property
    def requests(self) -> str:
        """The runs of the command, to go on after their number."""
        return f"runs of {self._name}"

    async def reach(self, device: UsbDevice) -> None:
        """Nothing of the device is opened here."""

    async def ask(self, job: JobState, device: UsbDevice) -> str:
        """Run the command to its end, and put what it prints into the job's log."""
        ports = await threads.run(self._ports.of, device)
        environment = {
            "BOARD": self._board.name,
            "PORT": device.name,
            "SERIAL": device.serial,
            "TTY": str(ports[0].node) if ports else "",
        }
        self._book.log(job, f"runs {self._name} to bring the board into DFU mode")
        async with self._keeper.lent():  # many of these commands open the port
            result = await self._run(job, environment)
        lines = result.output.splitlines()[-MOST_LINES:]
        for line in lines:
            self._book.log(job, f"{self._name}: {line}")
        if result.is_success:
            return ""
        note = f"{self._name} {result.ending.text}" + (f": {lines[-1]}" if lines else "")
        self._book.log(job, f"{self._name} {result.ending.text}", LogLevel.WARNING)
        return note

    async def _run(self, job: JobState, environment: dict[str, str]) -> CommandResult:
        """Run it until it ends, or until the job is to end: then raise ParkedError, with nothing of it left."""
        running = asyncio.create_task(
            commands.run(self._argv, environment=environment, seconds=COMMAND_SECONDS, most_output=MOST_OUTPUT)
        )
        running.add_done_callback(lambda _: self._state.poke())
        try:
            await self._state.until(lambda: running.done() or self._state.cancelling == job.id, None)
            if not running.done():
                self._state.check(job.id)
            return await running
        except OSError as error:
            raise DeviceError(f"{self._argv[0]} cannot be run: {clean(str(error.strerror))}") from error
        finally:
            running.cancel()
            await asyncio.wait([running])
