"""Boards that clients take for a while: who has which, and who waits in line."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from msgspec.structs import replace

from flashdeck.errors import BlockedError, ErrorKind, FlashdeckError, RequestError
from flashdeck.job_state import Origin
from flashdeck.model import BoardLease, LogLevel
from flashdeck.names import required
from flashdeck.text import clean
from flashdeck.words.boards import lease_text
from flashdeckd.boards.bench import Bench
from flashdeckd.host import clock, randomness
from flashdeckd.jobs.board_names import BoardNames
from flashdeckd.jobs.lab_gate import LabGate
from flashdeckd.jobs.taken_boards import TakenBoards, acting_for, lab_user
from flashdeckd.state.hub import Hub
from flashdeckd.state.on_behalf import on_behalf_of

LONGEST_HOLDER = 80
"""Characters kept of what a holder says of itself; every state of a board carries it."""
LONGEST_REASON = 200
"""Characters kept of what a lease is for."""


@dataclass(eq=False, slots=True)
class _Taker:
    """A client that waits in line for boards."""

    boards: BoardNames
    lab_user: str
    may_take: asyncio.Event = field(default_factory=asyncio.Event)

    def is_kept_from(self, gate: LabGate) -> bool:
        """Tell whether somebody else has a board in its lab, or nobody knows yet."""
        return not gate.admits(self.lab_user)


class Leases:
    """All leases of one daemon. Runs in the event loop's thread only.

    A client gets all the boards that it asks for at once, in the order in which clients ask: nobody has one board and
    waits for another, so no two wait for each other.
    """

    def __init__(self, bench: Bench, hub: Hub) -> None:
        self._bench = bench
        self._hub = hub
        self._leases: dict[str, TakenBoards] = {}
        """By token."""
        self._line: list[_Taker] = []

    async def take(
        self, patterns: tuple[str, ...], by: str, reason: str, *, no_wait: bool, seconds: float | None
    ) -> TakenBoards:
        """Return a lease of boards once nobody else has them and nothing runs there; the caller ends it.

        Raises RequestError (`no-such-board`), BlockedError where a board is on hold, and where one is not free with
        `no_wait`, and FlashdeckError (`timeout`) after so many seconds.
        """
        if acting_for.get() is not None:
            raise RequestError("there is a lease already", hint="take all boards that you need in one command")
        boards = tuple(self._bench.matching(required(patterns)))
        self._require_not_on_hold(boards)
        if no_wait:
            self._require_free(boards)
        holder = clean(by, LONGEST_HOLDER) or "a client"
        shown = BoardLease(by=holder, reason=clean(reason, LONGEST_REASON), user=on_behalf_of.get(), since=0.0)
        lease = TakenBoards(randomness.unique_id(), self._bench.names.of(boards), shown, lab_user=lab_user.get())
        try:
            async with asyncio.timeout(seconds):
                await self._begin_in_turn(lease)
                await self._hub.until(lambda: all(self._bench.lane(name).is_quiet for name in lease.boards))
        except TimeoutError:
            why = "a job runs there" if lease.token in self._leases else self._why_not_free(lease.boards)
            self.end(lease)
            raise FlashdeckError(f"not taken after {seconds:g} s: {why}", kind=ErrorKind.TIMEOUT) from None
        except BaseException:
            self.end(lease)
            raise
        return lease

    def of(self, token: str) -> TakenBoards:
        """Return the lease that a token names; raises BlockedError where it has ended, or never was."""
        lease = self._leases.get(token)
        if lease is None:
            raise BlockedError("this lease has ended", hint="take the boards again: `flashdeck take BOARD -- COMMAND`")
        return lease

    def end_by_hand(self, name: str) -> None:
        """End the lease of a board, whoever has it; the log says who has had it, and who has ended it."""
        lease = self._bench.lane(name).lease
        if lease is not None:
            text = f"no longer {lease_text(lease.shown)}: {on_behalf_of.get() or 'somebody'} ended that by force"
            for each in lease.boards:
                self._hub.log(text, level=LogLevel.WARNING, board=each)
            self.end(lease)

    def end(self, lease: TakenBoards) -> None:
        """End a lease: its boards are free for the next in line, and for what is queued. A second call does nothing."""
        if self._leases.pop(lease.token, None) is None:
            return
        for name in lease.boards:
            with suppress(RequestError):  # it left the configuration meanwhile
                lane = self._bench.lane(name)
                if lane.lease is lease:
                    lane.lease = None
                    self._hub.log("free again: its lease has ended", board=name)
        self.call_next()

    async def _begin_in_turn(self, lease: TakenBoards) -> None:
        """Stand in line until all boards of a lease are free, and begin it."""
        taker = _Taker(lease.names, lease.lab_user)
        self._line.append(taker)
        try:
            self.call_next()
            await taker.may_take.wait()
            lease.shown = replace(lease.shown, since=clock.now())
            self._leases[lease.token] = lease
            for name in lease.boards:
                self._bench.lane(name).lease = lease
                self._hub.log(lease_text(lease.shown), board=name)
        finally:
            self._line.remove(taker)
            self.call_next()

    def call_next(self) -> None:
        """Let everybody in line have their boards for whom all of them are free, and who comes first.

        To be called also where boards of a lab were acquired or released.
        """
        wanted = {name for lease in self._leases.values() for name in lease.boards}
        for taker in self._line:
            if wanted.isdisjoint(taker.boards.now) and not any(map(taker.is_kept_from, self._gates(taker))):
                taker.may_take.set()
            wanted |= set(taker.boards.now)

    def _gates(self, taker: _Taker) -> Iterator[LabGate]:
        gates = (self._bench.lab.gate_of(name) for name in taker.boards.now)
        return (gate for gate in gates if gate is not None)

    def _require_not_on_hold(self, boards: Iterable[str]) -> None:
        for name in boards:
            hold = self._bench.lane(name).hold
            if hold is not None:
                hint = f"release it: `flashdeck release {name}`"
                raise BlockedError(f"board {name} is on hold: {hold.reason}", hint=hint)

    def _require_free(self, boards: tuple[str, ...]) -> None:
        if why := self._why_not_free(boards):
            raise BlockedError(why, hint="leave out --no-wait to wait in line")
        for name in boards:
            if not self._bench.lane(name).is_quiet:
                raise BlockedError(f"a job runs on board {name}", hint="leave out --no-wait to wait for its end")

    def _why_not_free(self, boards: tuple[str, ...]) -> str:
        """Return who has one of the boards, or waits for it; "" where they are free."""
        for name in boards:
            lease = self._bench.lane(name).lease
            if lease is not None:
                return f"board {name} is {lease_text(lease.shown)}"
            gate = self._bench.lab.gate_of(name)
            if gate is not None and (why := gate.why_not(Origin.HAND, lab_user.get())):
                return f"board {name} is {why}"
        ahead = [name for taker in self._line for name in taker.boards.now if name in boards]
        return f"somebody else waits for board {ahead[0]}" if ahead else ""
