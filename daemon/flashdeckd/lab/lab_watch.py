"""The daemon's side of a lab: its boards are offered, whoever acquires one has it, and the process for that is watched.

Nothing of it runs, and nothing of labgrid is loaded, while the configuration has no [labgrid].
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from flashdeck.config import Board
from flashdeck.config_labgrid import LabgridTable
from flashdeck.errors import FlashdeckError
from flashdeck.extras import Extra, require
from flashdeck.model import BoardState, Event, Presence
from flashdeck.own_python import module
from flashdeck.text import MAX_MESSAGE, clean
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.leases import Leases
from flashdeckd.host import clock, threads
from flashdeckd.host.child_lines import ChildLines, LineProcess
from flashdeckd.jobs.lab_gate import LabHolding
from flashdeckd.lab.lab_lines import (
    LONGEST_LAB_LINE,
    FromLab,
    HeldBoard,
    LabAnswer,
    LabAsk,
    LabAway,
    LabBoards,
    LabSettings,
    LabState,
    OfferedBoard,
    ToLab,
)
from flashdeckd.lab.lab_record_file import KeptHolding, LabRecord, LabRecordFile
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub

PART: Final = "labgrid"
"""The part of the daemon, where something is wrong with it."""
RESTART_PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 15.0)
"""Seconds before the process is started again that has ended; the last repeats. One that has reached its coordinator
begins with the first again."""
QUIET_SECONDS: Final = 3.0
"""Longest wait of an acquisition for the end of what runs on its board: the whole coordinator waits with it."""
LONGEST_NAME: Final = 200
"""Characters kept of a place and of a user."""
StartLabProcess = Callable[[], Awaitable[LineProcess]]
_log = logging.getLogger(__name__)


async def start_lab_process() -> LineProcess:
    """Start `flashdeckd labgrid`. Raises FlashdeckError where its extra is missing, OSError where it cannot be."""
    require(Extra.LABGRID, "[labgrid]")
    return await ChildLines.start((*module("flashdeckd"), "labgrid"), {}, longest=LONGEST_LAB_LINE)


class LabWatch:
    """The boards of a daemon in a lab, for as long as the configuration says so. Runs in the loop's thread only."""

    def __init__(
        self,
        bench: Bench,
        leases: Leases,
        hub: Hub,
        health: Health,
        *,
        socket_path: Path,
        record: LabRecordFile,
        start: StartLabProcess = start_lab_process,
    ) -> None:
        """`socket_path` is where clients of this machine reach the daemon; `start` starts the process beside it.

        `record` outlives the daemon.
        """
        self._bench = bench
        self._leases = leases
        self._hub = hub
        self._health = health
        self._socket = socket_path
        self._start = start
        self._file = record
        self._record: LabRecord | None = None
        """As the file has it, or is about to; None before it was read."""
        self._saving: asyncio.Task[None] | None = None
        self._table: LabgridTable | None = None
        self._process: LineProcess | None = None
        self._running: asyncio.Task[None] | None = None
        self._deeds: set[asyncio.Task[None]] = set()
        self._offered: tuple[OfferedBoard, ...] = ()
        self._has_reached = False
        self._unlisten = hub.listen(self._hear)
        self._follow_configuration()

    async def close(self) -> None:
        """Take the boards out of the lab, and return once nothing is left of it."""
        self._unlisten()
        if self._saving is not None:
            await self._saving
        tasks = (*self._deeds, *((self._running,) if self._running is not None else ()))
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    def _hear(self, event: Event) -> None:
        if event.daemon is not None:
            self._follow_configuration()
        if event.board is not None or event.daemon is not None:
            self._offer()

    # The process, and its end.

    def _follow_configuration(self) -> None:
        """Begin, end or begin anew where [labgrid] has come, gone or changed."""
        table = self._bench.config.labgrid
        if table == self._table:
            return
        former, self._table = self._table, table
        if former is None or table is None or former.coordinator != table.coordinator:
            self._bench.lab.forget_all()
        self._leases.call_next()
        self._begin_anew()

    def _begin_anew(self) -> None:
        if self._running is not None:
            self._running.cancel()
        before, self._running = self._running, None
        if self._table is not None:
            self._running = asyncio.get_running_loop().create_task(self._run(before), name="labgrid")
        else:
            self._health.report(PART, "")

    async def _run(self, before: "asyncio.Task[None] | None") -> None:
        """Let the process run, and start it again where it ends."""
        if before is not None:
            await asyncio.gather(before, return_exceptions=True)
        await self._remember()
        tries = 0
        while True:
            self._has_reached = False
            try:
                trouble, hint = await self._speak()
            except FlashdeckError as error:
                trouble, hint = error.message, error.hint
            except (OSError, msgspec.DecodeError) as error:
                trouble, hint = f"the process for it failed: {clean(str(error), MAX_MESSAGE)}", ""
            except Exception:  # noqa: BLE001 -- a fault of ours in the lab must not end the daemon
                _log.exception("the way into the lab stopped by a fault in flashdeckd")
                trouble, hint = "stopped by a fault in flashdeckd", "please report it with the daemon's log"
            self._note_away(trouble, hint)
            tries = 0 if self._has_reached else tries
            await asyncio.sleep(RESTART_PAUSES[min(tries, len(RESTART_PAUSES) - 1)])
            tries += 1

    async def _remember(self) -> None:
        """Take over, once, what an earlier daemon knew of this lab: nobody's board is free because of a restart."""
        if self._record is None:
            self._record = await threads.run(self._file.load)
            if self._table is not None and self._record.coordinator == self._table.address:
                self._bench.lab.remember(
                    {
                        each.board: LabHolding(
                            place=each.place, holder=each.holder, allowed=frozenset(each.allowed), since=each.since
                        )
                        for each in self._record.held
                    }
                )
                self._leases.call_next()

    def _keep(self) -> None:
        """Let the file have who has what now, soon: what changes meanwhile is written once that is done."""
        held = tuple(
            KeptHolding(
                board=board,
                place=holding.place,
                holder=holding.holder,
                allowed=tuple(sorted(holding.allowed)),
                since=holding.since,
            )
            for board, holding in sorted(self._bench.lab.holdings.items())
        )
        record = LabRecord(coordinator=self._table.address if self._table is not None else "", held=held)
        if record != self._record:
            self._record = record
            if self._saving is None or self._saving.done():
                self._saving = asyncio.get_running_loop().create_task(self._save())

    async def _save(self) -> None:
        saved: LabRecord | None = None
        while self._record is not None and saved != self._record:
            saved = self._record
            await threads.run(self._file.save, saved)

    async def _speak(self) -> tuple[str, str]:
        """Speak with one process until it ends; return why it has, and what to do."""
        table = self._table
        if table is None:
            return "", ""
        process = self._process = await self._start()
        try:
            self._say(LabSettings(coordinator=table.address, name=table.name or self._hub.daemon.host))
            self._offered = ()
            self._offer()
            async for line in process.lines():
                self._take(msgspec.json.decode(line, type=FromLab))
        finally:
            self._process = None
            await process.end()
        return "the process for it has ended", "it is started again by itself; the daemon's log has more"

    def _say(self, line: ToLab) -> None:
        if self._process is not None:
            self._process.send(msgspec.json.encode(line) + b"\n")

    def _take(self, line: FromLab) -> None:
        match line:
            case LabState(boards=boards, held=held):
                self._has_reached = True
                self._health.report(PART, "")
                self._take_over(boards, held)
            case LabAway(reason=reason, hint=hint):
                self._note_away(reason, hint)
            case LabAsk():
                deed = asyncio.get_running_loop().create_task(self._decide(line))
                self._deeds.add(deed)
                deed.add_done_callback(self._deeds.discard)

    def _note_away(self, trouble: str, hint: str) -> None:
        self._health.report(PART, trouble, hint=hint)
        self._bench.lab.note_away()
        self._leases.call_next()

    # Who has what.

    def _take_over(self, boards: Sequence[str], held: Sequence[HeldBoard]) -> None:
        lab, now = self._bench.lab, clock.now()
        holdings: dict[str, LabHolding | None] = dict.fromkeys(boards)
        for each in held:
            holder, place = clean(each.holder, LONGEST_NAME), clean(each.place, LONGEST_NAME)
            gate = lab.gate_of(each.board)
            before = gate.holding if gate is not None else None
            is_same = before is not None and before.place == place and before.holder in {"", holder}
            holdings[each.board] = LabHolding(
                place=place,
                holder=holder,
                allowed=frozenset(each.allowed),
                since=before.since if before is not None and is_same else now,
            )
        self._tell_changes(holdings)
        lab.take_over(holdings)
        self._keep()
        self._leases.call_next()

    def _tell_changes(self, holdings: Mapping[str, LabHolding | None]) -> None:
        for board, holding in holdings.items():
            gate = self._bench.lab.gate_of(board)
            before = gate.holding if gate is not None else None
            if holding is not None and holding.holder and (before is None or before.holder != holding.holder):
                self._hub.log(f"acquired by {holding.holder} in labgrid (place {holding.place})", board=board)
            elif holding is None and before is not None and before.holder:
                self._hub.log(f"free again: place {before.place} was released in labgrid", board=board)

    async def _decide(self, ask: LabAsk) -> None:
        """Give a board to a place once nothing runs there, and say so; nobody's job starts meanwhile."""
        refused = await self._why_refused(ask.board, clean(ask.place, LONGEST_NAME))
        self._say(LabAnswer(number=ask.number, refused=refused))

    async def _why_refused(self, board: str, place: str) -> str:
        lane = self._bench.lanes.get(board)
        if lane is None:
            return "there is no such board any more"
        if lane.lease is not None:
            return f"board {board} is taken by {lane.lease.shown.by}"
        holding = LabHolding(place=place, since=clock.now())
        self._bench.lab.begin(board, holding)
        is_acquired = False
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._hub.until(lambda: lane.is_quiet)
            is_acquired = lane.is_quiet
        finally:
            self._bench.lab.end_beginning(board, holding, is_acquired=is_acquired)
            self._leases.call_next()
        return "" if is_acquired else f"a job runs on board {board}: acquire it again once that has ended"

    # What is offered.

    def _offer(self) -> None:
        """Say all boards to the process where one of them is different; a board that is gone needs a new connection."""
        table = self._table
        if table is None or self._process is None:
            return
        configured = self._bench.config.boards
        offered = tuple(
            self._resource(table, configured[name], state)
            for name, state in self._hub.boards.items()
            if name in configured
        )
        if offered == self._offered:
            return
        gone = {(each.group, each.name) for each in self._offered} - {(each.group, each.name) for each in offered}
        self._offered = offered
        if gone:
            self._begin_anew()  # labgrid's protocol takes no resource back
        else:
            self._say(LabBoards(boards=offered))

    def _resource(self, table: LabgridTable, board: Board, state: BoardState) -> OfferedBoard:
        partitions = [each.name for each in state.partitions if not each.protected]
        is_here = state.presence in {Presence.DFU, Presence.APP} or bool(state.away)
        return OfferedBoard(
            name=board.name,
            group=table.group or board.name,
            params={
                "host": table.host or self._hub.daemon.host,
                "socket": str(self._socket),
                "ssh": table.ssh or "",
                "board": board.name,
                # The protocol carries no lists.
                "partitions": ",".join(partitions),
            },
            available=is_here and state.hold is None,
        )
