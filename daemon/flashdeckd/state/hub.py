"""The one place where every state lives on its way out: parts publish, the server and the lanes listen.

Runs in the event loop's thread only.
"""

import asyncio
import logging
import socket
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Reversible
from itertools import islice, takewhile

from flashdeck import __version__
from flashdeck.controller_load import controller_states
from flashdeck.flash_map import FlashMap
from flashdeck.log_filter import LogFilter
from flashdeck.model import (
    ArtifactState,
    BoardState,
    ControllerState,
    DaemonState,
    DeviceState,
    Event,
    JobState,
    LogLevel,
    LogLine,
    Snapshot,
)
from flashdeck.slot_state import LotState, SlotState, UnitResult
from flashdeck.text import clean
from flashdeckd.host import clock, processes, randomness
from flashdeckd.state.log_readers import LogReaders

LONGEST_LINE = 1000
"""Characters kept of one log line: a path, why it was refused, and what to do about it."""
LOG_LINES = 5000
"""Log lines kept for `logs`."""
DEBUG_LINES = 5000
"""Lines kept of what the daemon decided, and why, for `logs --level debug`."""
JOBS_IN_SNAPSHOT = 200
"""Ended jobs beyond this many newest are left out of a snapshot."""

Listener = Callable[[Event], None]
DrawMaps = Callable[[Iterable[str]], tuple[FlashMap, ...]]
"""Draws the maps of boards, as many as fit into one message."""
_LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.OTHER: logging.INFO,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_log = logging.getLogger("flashdeckd")


def this_daemon(*, virtual: bool, group: str = "") -> DaemonState:
    """Return the facts of this process; `virtual` where its boards are emulated, `group` if that may connect, too."""
    return DaemonState(
        version=__version__,
        pid=processes.own_pid(),
        instance=randomness.unique_id(),
        host=socket.gethostname(),
        started_at=clock.now(),
        virtual=virtual,
        group=group,
    )


class Hub:
    """Latest state of everything, and a numbered event for each change."""

    def __init__(self, daemon: DaemonState, *, first_line: int = 1) -> None:
        """`first_line` is the number of the first line of the log: one that no earlier daemon has given."""
        self._seq = 0
        self.daemon = daemon
        self.boards: dict[str, BoardState] = {}
        self.devices: tuple[DeviceState, ...] = ()
        self.running_devices: tuple[DeviceState, ...] = ()
        """Devices that are no board and no DFU device, whose application has a way into DFU mode. No event tells of
        them, for a machine has many that are nothing to flash: who wants to know asks."""
        self.jobs: dict[int, JobState] = {}
        self.artifacts: dict[tuple[str, str], ArtifactState] = {}
        """The newest build of each (profile, partition)."""
        self.slots: dict[str, SlotState] = {}
        self.lots: dict[str, LotState] = {}
        """Those that go on."""
        self.units_gone: Counter[tuple[str, UnitResult]] = Counter()
        """The units that have left each slot since the daemon began, by their result. No event tells of them: they have
        records."""
        self._logs: deque[LogLine] = deque(maxlen=LOG_LINES)
        self._next_log = first_line
        self._debug: deque[LogLine] = deque(maxlen=DEBUG_LINES)
        self._next_debug = 1
        self._log_readers = LogReaders()
        self._listeners: list[Listener] = []
        self._map_listeners: list[Listener] = []
        self._draw_maps: DrawMaps = lambda _: ()

    def listen(self, listener: Listener, *, maps: bool = False) -> Callable[[], None]:
        """Calls `listener` with every later event, in order, until the returned function is called.

        With `maps` also with those of flash maps, which have no number here: few hear them.
        """
        heard = (self._listeners, self._map_listeners) if maps else (self._listeners,)
        for listeners in heard:
            listeners.append(listener)

        def unlisten() -> None:
            for listeners in heard:
                listeners.remove(listener)

        return unlisten

    def draw_maps_with(self, draw: DrawMaps) -> None:
        """From now on `draw` makes the maps of a snapshot."""
        self._draw_maps = draw

    @property
    def has_map_readers(self) -> bool:
        """True while somebody hears of flash maps: nobody else needs any to be drawn."""
        return bool(self._map_listeners)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Waits until `reached`, which is asked again after every event, answers True or raises."""
        changed = asyncio.Event()
        unlisten = self.listen(lambda _: changed.set())
        try:
            while not reached():
                await changed.wait()
                changed.clear()
        finally:
            unlisten()

    def snapshot(self, *, maps: bool = False) -> Snapshot:
        """Everything at this instant; with `maps` the maps of the boards, too, as many as fit."""
        jobs = sorted(self.jobs.values(), key=lambda job: job.id)
        recent = jobs[-JOBS_IN_SNAPSHOT:]
        active = [job for job in jobs[:-JOBS_IN_SNAPSHOT] if not job.is_settled]
        return Snapshot(
            seq=self._seq,
            daemon=self.daemon,
            boards=tuple(self.boards.values()),
            devices=self.devices,
            jobs=(*active, *recent),
            artifacts=tuple(self.artifacts.values()),
            maps=self._draw_maps(self.boards) if maps else (),
            slots=tuple(self.slots.values()),
            lots=tuple(self.lots.values()),
            controllers=self.controllers,
        )

    @property
    def controllers(self) -> tuple[ControllerState, ...]:
        """The host controllers that have boards, with what each carries now."""
        return controller_states(self.boards.values(), self.jobs.values(), self.daemon.max_per_controller)

    def publish_daemon(self, state: DaemonState) -> None:
        """Replaces the daemon's own state."""
        if state != self.daemon:
            self.daemon = state
            self._emit(Event(seq=self._next(), daemon=state))

    def publish_board(self, state: BoardState) -> None:
        """Replaces one board's state."""
        if self.boards.get(state.name) != state:
            self.boards[state.name] = state
            self._emit(Event(seq=self._next(), board=state))

    def publish_map(self, state: FlashMap) -> None:
        """Tells those who hear of maps of one."""
        event = Event(seq=0, map=state)
        for listener in tuple(self._map_listeners):
            listener(event)

    def forget_boards(self, names: Iterable[str]) -> None:
        """Leaves boards out that are not configured any more.

        An event holds the state of a thing that is there, so a number is left out instead: after a gap every client
        takes everything anew. Something has to be told next.
        """
        names = tuple(names)
        gone = [name for name in names if self.boards.pop(name, None) is not None]
        for name in names:
            self.slots.pop(name, None)
        if gone:
            self._next()

    def forget_slot(self, name: str) -> None:
        """Leaves out a slot that is a board now, in the same way."""
        if self.slots.pop(name, None) is not None:
            self._next()

    def publish_slot(self, state: SlotState) -> None:
        """Replaces one slot's state."""
        if self.slots.get(state.name) != state:
            self.slots[state.name] = state
            self._emit(Event(seq=self._next(), slot=state))

    def publish_lot(self, state: LotState) -> None:
        """Replaces one lot's state; one that has ended is told of once more."""
        if self.lots.get(state.name) == state:
            return
        if state.ended_at is None:
            self.lots[state.name] = state
        else:
            self.lots.pop(state.name, None)
        self._emit(Event(seq=self._next(), lot=state))

    def publish_devices(self, states: Iterable[DeviceState]) -> None:
        """Replaces the list of DFU devices that are no configured board."""
        devices = tuple(states)
        if devices != self.devices:
            self.devices = devices
            self._emit(Event(seq=self._next(), devices=devices))

    def publish_job(self, state: JobState) -> None:
        """Replaces one job's state."""
        if self.jobs.get(state.id) != state:
            self.jobs[state.id] = state
            self._emit(Event(seq=self._next(), job=state))

    def forget_job(self, job_id: int) -> None:
        """Leaves an old job out of later snapshots."""
        self.jobs.pop(job_id, None)

    def publish_artifact(self, state: ArtifactState) -> None:
        """Makes this the newest build of its target."""
        self.artifacts[state.profile, state.partition] = state
        self._emit(Event(seq=self._next(), artifact=state))

    def log(self, text: str, *, level: LogLevel = LogLevel.INFO, board: str = "", job: int = 0) -> None:
        """Adds a log line. `text` may hold anything; it is cleaned here, once, for every reader."""
        line = LogLine(
            id=self._next_log, time=clock.now(), level=level, text=clean(text, LONGEST_LINE), board=board, job=job
        )
        self._next_log += 1
        self._logs.append(line)
        self._log_readers.wake()
        prefix = f"{board}: " if board else ""
        _log.log(_LEVELS[level], "%s%s", prefix, line.text)
        self._emit(Event(seq=self._next(), log=line))

    def debug(self, text: str, *, board: str = "", job: int = 0) -> None:
        """Add what was decided, and why, to the debug log: many lines, which nobody gets who does not ask for them."""
        line = LogLine(
            id=self._next_debug,
            time=clock.now(),
            level=LogLevel.DEBUG,
            text=clean(text, LONGEST_LINE),
            board=board,
            job=job,
        )
        self._next_debug += 1
        self._debug.append(line)
        self._log_readers.wake()
        _log.debug("%s%s", f"{board}: " if board else "", line.text)

    def debug_lines(
        self, *, after: int = 0, limit: int = 200, boards: Collection[str] = (), text: str = ""
    ) -> tuple[LogLine, ...]:
        """The newest lines of the debug log, as `logs` gives those of the log; they are counted by themselves."""
        return _newest(self._debug, after, 0, limit, LogFilter(boards, LogLevel.DEBUG, text))

    async def logged(self, seconds: float) -> None:
        """Returns once something was added to one of the logs, or after so many seconds."""
        await self._log_readers.wait(seconds)

    def logs(
        self,
        *,
        after: int = 0,
        before: int = 0,
        limit: int = 200,
        boards: Collection[str] = (),
        level: LogLevel = LogLevel.INFO,
        text: str = "",
        job: int = 0,
    ) -> tuple[LogLine, ...]:
        """Return the newest lines with an id above `after`, at most `limit`, in ascending order.

        With `before` only those below that id, and else as `LogFilter` says.
        """
        return _newest(self._logs, after, before, limit, LogFilter(boards, level, text, job))

    @property
    def oldest_line(self) -> int:
        """The id of the oldest line that is kept here, or of the next one where there is none."""
        return self._logs[0].id if self._logs else self._next_log

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _emit(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)


def _newest(log: Reversible[LogLine], after: int, before: int, limit: int, wanted: LogFilter) -> tuple[LogLine, ...]:
    newest = takewhile(lambda line: line.id > after, reversed(log))
    chosen = (line for line in newest if not 0 < before <= line.id and wanted.takes(line))
    return tuple(islice(chosen, max(0, limit)))[::-1]
