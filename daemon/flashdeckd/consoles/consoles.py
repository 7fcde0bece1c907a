"""The consoles of all boards that have one: each is read by a task of its own, from the daemon's start to its end."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

from flashdeck.config import Config, Console
from flashdeck.console_kinds import ConsoleCondition
from flashdeck.errors import RequestError
from flashdeck.model import ConsoleState, Event, LogLevel, Presence
from flashdeck.verdict import Judgement
from flashdeckd.consoles.board_hearing import BoardHearing
from flashdeckd.consoles.console_file import ConsoleFiles
from flashdeckd.consoles.console_marks import BoardMarks
from flashdeckd.consoles.console_port import PortSurroundings
from flashdeckd.consoles.console_reader import ConsoleReader
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.host.serial_lines import DeviceNumber
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.port_keeper import PortKeeper
from flashdeckd.usb.recognition import ABSENT, Sighting, mode_of
from flashdeckd.usb.serial_ports import SerialPorts

T = TypeVar("T")
CONSOLES_NAME = "consoles"
"""The directory in the daemon's state directory."""
_WORTH_A_LINE = frozenset({ConsoleCondition.HELD, ConsoleCondition.UNAVAILABLE})
"""Conditions that a person may want to do something about."""


class Consoles:
    """The consoles of one daemon. Runs in the event loop's thread only.

    Boards without a console cost nothing here: no task, no thread, no file. Nothing is opened before `begin`.
    """

    def __init__(
        self,
        hub: Hub,
        health: Health,
        *,
        ports: SerialPorts,
        directory: Path,
        emulated: Callable[[DeviceNumber], bool] | None,
    ) -> None:
        """`directory` is for the files.

        `emulated` says, where the boards are, if a port is one of theirs: no other one is opened. None: they are real.
        """
        self._hub = hub
        self._ports = ports
        self._emulated = emulated
        self._files = ConsoleFiles(directory, lambda trouble, hint: health.report("consoles", trouble, hint=hint))
        self._health = health
        self._changed: Callable[[str], object] = lambda _: None
        self._judged: Callable[[str, Judgement, Judgement | None], object] = lambda _name, _judgement, _before: None
        self._programs: Callable[[str], Sequence[BoardProgram]] = lambda _: ()
        self._config = Config()
        self._is_begun = False
        self._devices: frozenset[UsbDevice] = frozenset()
        self._sightings: dict[str, Sighting] = {}
        self._marks: dict[str, BoardMarks] = {}
        self._readers: dict[str, ConsoleReader] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """The tasks of the readers, by board."""
        self._writing: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._troubles: dict[str, tuple[ConsoleCondition, str, str]] = {}
        """The conditions that were logged, of consoles that cannot be had now."""
        hub.listen(self._hear)

    def tell_with(
        self, changed: Callable[[str], object], judged: Callable[[str, Judgement, Judgement | None], object]
    ) -> None:
        """From now on `changed` is told which board's console is in another condition.

        `judged` is told of each verdict on the start of a board, with the one that it changes; None: it is the answer.
        """
        self._changed, self._judged = changed, judged

    def know_programs(self, programs: Callable[[str], Sequence[BoardProgram]]) -> None:
        """From now on `programs` returns what a board may be running: crashes are resolved with it."""
        self._programs = programs

    def begin(self) -> None:
        """Record what boards say, until `close`."""
        self._is_begun = True
        self._follow_config()

    def configure(self, config: Config) -> None:
        """Take over which boards have a console, and where."""
        self._config = config
        if self._is_begun:
            self._follow_config()

    def _follow_config(self) -> None:
        boards = self._config.boards
        wanted = {name: each for name, board in boards.items() if (each := board.profile.console) is not None}
        for name in self._readers.keys() - wanted.keys():
            self._end(name)
        for name, console in wanted.items():
            if name in self._readers:
                self._readers[name].configure(console)
            else:
                self._begin(name, console)

    def rename_boards(self, names: Mapping[str, str]) -> None:
        """Let consoles be those of the new names of boards; what they said goes with them."""
        _rename(self._sightings, names)
        _rename(self._marks, names)
        _rename(self._readers, names)
        _rename(self._tasks, names)
        _rename(self._troubles, names)
        for name, reader in self._readers.items():
            reader.board = name

    def see(self, name: str, sighting: Sighting) -> None:
        """Take note of where a board is."""
        before = self._sightings.get(name, ABSENT)
        self._sightings[name] = sighting
        reader = self._readers.get(name)
        if reader is not None:
            reader.mark(self._marks[name].of_sighting(sighting))
            reader.watch.see(
                is_app=sighting.presence is Presence.APP,
                is_dfu=sighting.presence is Presence.DFU,
                is_other=sighting.device != before.device,
            )
            if sighting.device != before.device:
                reader.seen_anew()

    def restarts(self, name: str, into: Presence) -> None:
        """A board is asked to restart now."""
        if (reader := self._readers.get(name)) is not None:
            reader.mark(self._marks[name].of_restart(into))

    def look(self, devices: frozenset[UsbDevice]) -> None:
        """Take note of all that is on the bus, once each board was seen: a path may lead to another device now."""
        self._devices = devices
        for reader in self._readers.values():
            if not reader.is_of_app:
                reader.poke()

    def state_of(self, name: str) -> ConsoleState | None:
        """Return the condition of a board's console; None where it has none."""
        reader = self._readers.get(name)
        return None if reader is None else reader.state

    def of(self, name: str) -> ConsoleReader:
        """Return the console of a board that the configuration has. Raises RequestError where it has none."""
        try:
            return self._readers[name]
        except KeyError:
            profile = self._config.boards[name].profile.name
            raise RequestError(
                f"board {name} has no console",
                hint=f'say where it is: [profiles.{profile}.console] port = "app", or the path of a serial port',
            ) from None

    def keeper_of(self, name: str) -> PortKeeper:
        """Return who has the ports of a board open in this daemon."""
        return _Keeper(self._readers, name)

    def hearing_of(self, name: str) -> BoardHearing:
        """Return the hearing of a board as it starts, whether it has a console or not."""
        return BoardHearing(self._readers, name, lambda: self._sees_app(name))

    def _sees_app(self, name: str) -> bool:
        return self._config.boards[name].profile.app is not None

    async def close(self) -> None:
        """Close all ports, and write what is left."""
        for name in tuple(self._readers):
            self._end(name)
        if self._ending:
            await asyncio.wait(self._ending)
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait((self._writing,))
            await self._files.close()

    def _begin(self, name: str, console: Console) -> None:
        sighting = self._sightings.get(name, ABSENT)
        self._marks[name] = BoardMarks(sighting)
        ended = partial(self._tell_of_fault, lambda: f"console {reader.board}")
        reader = self._readers[name] = ConsoleReader(
            name,
            console,
            ports=self._ports,
            around=self._around,
            keep=self._files.add,
            changed=self._note,
            judged=self._tell_verdict,
            programs=self._programs_of,
            ended=ended,
        )
        self._tasks[name] = task = asyncio.create_task(reader.run())
        task.add_done_callback(ended)
        self._changed(name)
        if self._writing is None:
            self._writing = asyncio.create_task(self._files.run())
            self._writing.add_done_callback(partial(self._tell_of_fault, lambda: "consoles"))

    def _end(self, name: str) -> None:
        del self._readers[name], self._marks[name]
        self._troubles.pop(name, None)
        task = self._tasks.pop(name)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.cancel()
        self._changed(name)

    def _tell_verdict(self, name: str, judgement: Judgement, before: Judgement | None) -> None:
        self._judged(name, judgement, before)

    def _tell_of_fault(self, part: Callable[[], str], task: asyncio.Task[None]) -> None:
        """A fault of ours in a console costs that console, and nothing else."""
        if not task.cancelled() and (error := task.exception()) is not None:
            hint = "please report it with the daemon's log; it is recorded again after a restart of flashdeckd"
            self._health.report(part(), f"a fault in flashdeckd: {error!r}", hint=hint)

    def _note(self, name: str, state: ConsoleState) -> None:
        """A console is in another condition."""
        trouble = (state.condition, state.node, state.reason) if state.condition in _WORTH_A_LINE else None
        if trouble != self._troubles.get(name):
            if trouble is None:
                del self._troubles[name]
            else:
                self._troubles[name] = trouble
                told = f"console: {state.text}" + (f"; {state.hint}" if state.hint else "")
                self._hub.log(told, level=LogLevel.WARNING, board=name)
        self._changed(name)

    def _programs_of(self, board: str) -> Sequence[BoardProgram]:
        return self._programs(board)

    def _hear(self, event: Event) -> None:
        """Put a mark where a job begins on a board that has a console."""
        if event.job is not None and (reader := self._readers.get(event.job.board)) is not None:
            reader.mark(self._marks[event.job.board].of_job(event.job))

    def _around(self, name: str) -> PortSurroundings:
        """Return what a port of a board may belong to."""
        seen = {each.device: board for board, each in self._sightings.items() if each.device is not None}
        profiles = self._config.profiles.values()
        may_be = {each: "" for each in self._devices if any(mode_of(profile, each) for profile in profiles)}
        devices = {**may_be, **seen}
        sighting = self._sightings.get(name, ABSENT)
        consoles = {board: each.profile.console for board, each in self._config.boards.items() if board != name}
        return PortSurroundings(
            board=name,
            device=sighting.device if sighting.presence is Presence.APP else None,
            devices=devices,
            paths={board: each.port for board, each in consoles.items() if each is not None and not each.is_of_app},
            emulated=self._emulated,
        )


class _Keeper:
    """The keeper of the ports of one board, whether it has a console or not."""

    def __init__(self, readers: Mapping[str, ConsoleReader], name: str) -> None:
        self._readers = readers
        self._name = name

    def has(self, node: Path, /) -> bool:
        """See the base."""
        reader = self._readers.get(self._name)
        return reader is not None and reader.has(node)

    def lent(self) -> AbstractAsyncContextManager[None]:
        """See the base."""
        reader = self._readers.get(self._name)
        return nullcontext() if reader is None else reader.lent()


def _rename(kept: dict[str, T], names: Mapping[str, str]) -> None:
    renamed = {names.get(name, name): each for name, each in kept.items()}
    kept.clear()
    kept.update(renamed)
