"""Runs on several boards at once: flashed, started and followed on their consoles until each is decided."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final, Self

from flashdeck import api
from flashdeck.board_run import BoardRun
from flashdeck.client import Client
from flashdeck.console_following import BoardEntry, newest_entry
from flashdeck.errors import ConnectionFailedError, ErrorKind, RemoteError
from flashdeck.job_following import Tell, Watch, asked_for_jobs, changed_jobs, take_back
from flashdeck.job_state import Failure
from flashdeck.model import Event, JobState, Snapshot
from flashdeck.names import literal

FOLLOW_SECONDS: Final = 10.0
"""Seconds that the daemon waits for an entry before it answers that there is none."""
TellEntry = Callable[[BoardEntry], object]
"""Hears of each entry of a run."""


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """The time that something may take in all."""

    seconds: float
    deadline: float
    """By the clock of the event loop."""

    @classmethod
    def from_now(cls, seconds: float) -> Self:
        """Return the limit for something that begins now."""
        return cls(seconds, asyncio.get_running_loop().time() + seconds)

    @property
    def left(self) -> float:
        """The seconds that are left of it."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsDone:
    """The end of several runs; the results are in the runs."""

    notes: tuple[str, ...] = ()
    """The warnings of the guards."""
    taken_back: tuple[JobState, ...] = ()
    """Jobs that never began, and were cancelled."""


class RunFollowing:
    """Several runs for one partition, in one connection."""

    def __init__(self, client: Client, runs: Sequence[BoardRun], tell: TellEntry) -> None:
        self._client = client
        self._runs = runs
        self._tell = tell
        self._by_job: Mapping[int, BoardRun] = {}
        self._by_name = {run.name: run for run in runs}
        self._news = {run.name: asyncio.Event() for run in runs}
        """Set when something has changed that may decide a run."""
        self._changed = asyncio.Event()
        """The same for any of them."""

    async def carry_out(self, ask: Callable[[], Awaitable[api.JobList]], watch: Watch, limit: TimeLimit) -> RunsDone:
        """Return once each of the runs has its result, at the latest when the time is up.

        `ask` orders their jobs. Those that never began by the end are cancelled, also where this is cancelled. Raises
        what `ask` does, and ConnectionFailedError.
        """
        async with aclosing(self._client.follow()) as changes:
            self._see(await anext(changes))
            places = {run.name: await newest_entry(self._client, run.name) for run in self._runs}
            now = time.monotonic()
            for run in self._runs:
                run.began_at = now
            reply = await asked_for_jobs(ask)
            self._by_job = {job.id: self._by_name[job.board] for job in reply.jobs if job.board in self._by_name}
            for job in reply.jobs:
                self._see_job(job)
            async with watch(reply) as tell:
                tasks = [asyncio.create_task(self._judge(run, places[run.name])) for run in self._runs]
                hearing = asyncio.create_task(self._hear(changes, tell))
                try:
                    with suppress(TimeoutError):
                        async with asyncio.timeout_at(limit.deadline):
                            await self._until_decided(hearing, tasks)
                    for run in self._runs:
                        run.give_up(time.monotonic(), limit.seconds)
                finally:
                    for task in (hearing, *tasks):
                        task.cancel()
                    await asyncio.gather(hearing, *tasks, return_exceptions=True)
                    taken_back = await self._take_back()
        return RunsDone(notes=reply.notes, taken_back=taken_back)

    async def _until_decided(self, hearing: asyncio.Task[None], judging: Sequence[asyncio.Task[None]]) -> None:
        """Return once there is nothing more to follow; raises what ends one of the tasks."""
        while True:
            self._changed.clear()
            for task in (hearing, *judging):
                if task.done():
                    task.result()
            left = [run for run in self._runs if run.result is None]
            has_failed = any(run.result is not None and not run.result.is_done for run in self._runs)
            if not left or (has_failed and all(run.stands_still for run in left)):
                return  # as with `flash`: nobody waits for a cable where another board failed
            woken = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait(
                    (hearing, woken, *(task for task in judging if not task.done())), return_when="FIRST_COMPLETED"
                )
            finally:
                woken.cancel()

    async def _hear(self, changes: AsyncIterator[Snapshot | Event], tell: Tell) -> None:
        """Take note of what happens to boards and jobs, until the connection is lost."""
        async for change in changes:
            self._see(change)
            for job in await changed_jobs(self._client, change, tuple(self._by_job)):
                self._see_job(job)
                tell(job)

    def _see(self, change: Snapshot | Event) -> None:
        boards = change.boards if isinstance(change, Snapshot) else (change.board,) if change.board is not None else ()
        for board in boards:
            if (run := self._by_name.get(board.name)) is not None:
                run.board = board

    def _see_job(self, job: JobState) -> None:
        run = self._by_job[job.id]
        run.job = job
        self._news[run.name].set()
        self._changed.set()

    async def _judge(self, run: BoardRun, after: int) -> None:
        """Read the console of one board behind an entry, until its run is decided.

        What decides is looked at only once all is read that was there when the flash was known to be complete: a mark
        that says that it began once more is among that.
        """
        news = self._news[run.name]
        asking: asyncio.Future[api.ConsolePage] | None = None
        present: int | None = None
        try:
            while True:
                if news.is_set():
                    news.clear()
                    present = None
                if present is None and run.may_be_decided:
                    present = await newest_entry(self._client, run.name)
                if present is not None and after >= present and run.decide(time.monotonic()):
                    break
                asking = asking or asyncio.ensure_future(self._client.call(_behind(run.name, after)))
                await _first_of(asking, news)
                if asking.done():
                    page, asking = asking.result(), None
                    for entry in run.hear(page.entries):
                        self._tell(BoardEntry(run.name, entry))
                    after = max(after, page.next)
        except RemoteError as error:  # as where a reload takes the console away
            run.refuse(Failure(kind=ErrorKind.BLOCKED, message=error.message, hint=error.hint), time.monotonic())
        finally:
            if asking is not None:
                asking.cancel()
        self._changed.set()

    async def _take_back(self) -> tuple[JobState, ...]:
        unbegun = [run.job for run in self._runs if run.is_unbegun and run.job is not None]
        with suppress(ConnectionFailedError):  # then the daemon does it
            return tuple([await take_back(self._client, job) for job in unbegun])
        return ()


def _behind(board: str, after: int) -> api.GetConsole:
    """Return the call for what a board says behind an entry; 0: from the first on."""
    return api.GetConsole(board=literal(board), after=after or -1, limit=api.CONSOLE_PAGE, wait=FOLLOW_SECONDS)


async def _first_of(asking: asyncio.Future[api.ConsolePage], news: asyncio.Event) -> None:
    woken = asyncio.ensure_future(news.wait())
    try:
        await asyncio.wait((asking, woken), return_when=asyncio.FIRST_COMPLETED)
    finally:
        woken.cancel()
