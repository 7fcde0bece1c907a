"""A daemon's boards for programs with an event loop: each method does what the command of its name does.

async with flashdeck.connect_async() as bench:
    await bench.flash("app1", "build/APP1.bin", timeout=60)
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypedDict, TypeVar, Unpack

from flashdeck import api
from flashdeck.api import BoardPlan, Params
from flashdeck.board_run import BoardRun, ExpectedLines, RunOutcome
from flashdeck.client import Client
from flashdeck.console_following import console_entries
from flashdeck.destinations import Destination, TellPlaced, destinations, title
from flashdeck.errors import ConnectionFailedError, ErrorKind, RemoteError, RequestError
from flashdeck.history_pages import history_pages
from flashdeck.image_bytes import bytes_of
from flashdeck.image_file import Image, LoadedImage, load_image
from flashdeck.inside_lease import OuterLease, act_for_lease
from flashdeck.job_following import Following, Tell, Watch, carry_out, heed, unwatched
from flashdeck.job_state import Failure
from flashdeck.lab_user import is_lab_user
from flashdeck.model import BoardState, ConsoleEntry, DeviceState, Event, JobState, Snapshot
from flashdeck.names import literal, required, select, which
from flashdeck.outcome import BoardResult, Outcome
from flashdeck.run_following import RunFollowing, RunsDone, TellEntry, TimeLimit
from flashdeck.taking import Lease, give_back, ourselves, take, take_first
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeck.whereabouts import Whereabouts

if TYPE_CHECKING:
    from flashdeck.ssh import SshHost

R = TypeVar("R", bound=Value)
_log = logging.getLogger("flashdeck")

Boards = str | Iterable[str]
"""Names and globs of boards. None at all means all boards that have the partition."""
Time = datetime | float
"""An instant: a time with its zone, or seconds since the epoch."""


class Patience(TypedDict, total=False):
    """The way in which a call follows its jobs."""

    no_wait: bool
    """True: do not wait for a board that cannot do it now (kind `absent`, else `held`)."""
    timeout: float | None
    """Seconds after which the call ends (kind `timeout`); the jobs stay in the queue. Default: no limit."""
    on_change: Tell
    """Called with each new state of one of the jobs."""


class Ordering(Patience, total=False):
    """The way in which a call follows its jobs, and what becomes of them."""

    cancel_on_exit: bool
    """True: what is not done when the call ends is cancelled, also where this process is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesRead(Outcome):
    """The outcome of a read."""

    data: bytes = b""
    """The contents of the whole partition; empty where nothing was read."""


class AsyncBench:
    """The boards of one daemon. Make it with `flashdeck.connect_async`.

    Any number of calls may run at once. A call that is cancelled leaves its jobs in the queue, unless it was to cancel
    them; these end with the connection. Each method raises FlashdeckError (`flashdeck.errors`) with the kind, message,
    hint and exit code that the command line has: RemoteError where the daemon refuses, NotDoneError where boards did
    not come to what they were to, ConnectionFailedError once the daemon is lost: connect again then.
    """

    def __init__(
        self,
        client: Client,
        *,
        another: Callable[[], Awaitable[Client]] | None = None,
        outer: OuterLease | None = None,
        watch: Watch = unwatched,
        tell_placed: TellPlaced = lambda _name, _placed: None,
        tell_taken: Callable[[str], object] | None = None,
    ) -> None:
        """Takes a connection that has said hello, and the lease of the environment that it acts for.

        `another` opens one more connection to the same daemon, for leases; without it a lease belongs to this one.
        `watch` shows all jobs that are followed, `tell_placed` hears of the places of files without a partition,
        `tell_taken` of who has boards that a run waits for.
        """
        self._client = client
        self._open_another = another
        self._outer = outer or OuterLease()
        self._watch = watch
        self._tell_placed = tell_placed
        self._tell_taken = tell_taken
        self._lease: Lease | None = None
        self._lease_ends = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection, and its lease; calls that still wait get a ConnectionFailedError."""
        await self._lease_ends.aclose()
        await self._client.close()

    async def call(self, params: Params[R]) -> R:
        """Return the daemon's answer to any method of its protocol (`flashdeck.api`)."""
        return await self._client.call(params)

    # How things are

    async def status(self) -> Snapshot:
        """Return everything at one instant: the daemon, boards, jobs, builds."""
        return await self.call(api.GetStatus())

    async def boards(self, *boards: str) -> tuple[BoardState, ...]:
        """Return these boards (names and globs), or all of them."""
        return (await self.call(api.GetBoards(boards=boards))).boards

    async def devices(self) -> tuple[DeviceState, ...]:
        """Return the DFU devices that are no configured board."""
        return (await self.call(api.GetBoards())).devices

    async def jobs(self, *boards: str, statuses: Iterable[str] = (), limit: int = 50) -> tuple[JobState, ...]:
        """Return the newest jobs of these boards (none: of all), at most `limit`; `statuses` as `queued` or `done`."""
        asked = api.GetJobs(limit=limit, boards=boards, statuses=tuple(statuses))
        return (await self.call(asked)).jobs

    async def history(
        self,
        *boards: str,
        partition: str = "",
        since: Time | None = None,
        until: Time | None = None,
        limit: int = 500,
    ) -> tuple[JobState, ...]:
        """Return past and present jobs from the whole journal, the newest first, at most `limit`."""
        asked = api.GetHistory(
            boards=boards, partition=partition, since=_seconds(since), until=_seconds(until), limit=limit
        )
        async with aclosing(history_pages(self._client, asked)) as pages:
            return tuple([job async for page in pages for job in page.jobs])

    async def events(self) -> AsyncGenerator[Snapshot | Event, None]:
        """A snapshot, then every change; a new snapshot where some are missing, and where another call follows jobs.

        It goes on until you leave it, or the connection is lost. Of changes that come faster than they are taken, only
        the newest state of each thing comes.
        """
        async with aclosing(self._client.follow()) as changes:
            async for change in changes:
                yield change

    # What is done to boards

    async def flash(
        self, partition: str = "", image: Image | None = None, *, boards: Boards = (), **how: Unpack[Ordering]
    ) -> Outcome:
        """Flash an image, or the newest build, and return once it is on the boards.

        Without a partition the image goes where it says itself that it belongs: by its addresses, or by the vector
        table of a raw binary. That is one board, unless `boards` are named; several raise RemoteError (`ambiguous`).

        Waits for a board that is absent, or has to be brought into DFU mode. Raises NotDoneError where it is not on all
        boards.
        """
        following = Following(**how)
        found = await self._destinations(partition, image, boards)
        asked = [
            api.Flash(
                partition=each.partition,
                sha256=each.sha256,
                boards=each.boards,
                no_wait=following.no_wait,
                cancel_on_exit=following.cancel_on_exit,
            )
            for each in found
        ]
        return (await self._carried_out(title(found), asked, following)).checked()

    async def verify(
        self,
        partition: str = "",
        image: Image | None = None,
        *,
        boards: Boards = (),
        force: bool = False,
        **how: Unpack[Ordering],
    ) -> Outcome:
        """Read a partition and compare it with an image, or with what flashdeck knows of it.

        `force` reads also where reads were refused, or seen not to be true. Raises NotDoneError where something is
        different (kind `verify`), or cannot be read (kind `unreadable`).
        """
        following = Following(**how)
        found = await self._destinations(partition, image, boards)
        asked = [
            api.Verify(
                partition=each.partition,
                sha256=each.sha256,
                boards=each.boards,
                force=force,
                no_wait=following.no_wait,
                cancel_on_exit=following.cancel_on_exit,
            )
            for each in found
        ]
        return (await self._carried_out(title(found), asked, following)).checked()

    async def read(
        self, partition: str, *, boards: Boards = (), force: bool = False, **how: Unpack[Patience]
    ) -> BytesRead:
        """Return the contents of a partition of one board.

        Raises NotDoneError where it cannot be read, and RemoteError (`ambiguous`) where several boards are meant. What
        is not done when the call ends is cancelled.
        """
        following = Following(**how, cancel_on_exit=True)
        asked = api.ReadPartition(partition=partition, boards=_names(boards), force=force, no_wait=following.no_wait)
        done = await self._carried_out(partition, [asked], following)
        (job,) = done.jobs
        data = await bytes_of(self.call, job.sha256, job.size) if job.sha256 else b""
        return BytesRead(
            what=done.what, rows=done.rows, notes=done.notes, taken_back=done.taken_back, data=data
        ).checked()

    async def erase(self, partition: str, *, boards: Boards = (), **how: Unpack[Ordering]) -> Outcome:
        """Erase a whole partition; the board stays in DFU mode, and builds for it are offered until one is flashed."""
        following = Following(**how)
        asked = api.Erase(
            partition=partition,
            boards=_names(boards),
            no_wait=following.no_wait,
            cancel_on_exit=following.cancel_on_exit,
        )
        return (await self._carried_out(partition, [asked], following)).checked()

    async def reset(self, *boards: str, force: bool = False, **how: Unpack[Ordering]) -> Outcome:
        """Take boards (none: all that are in DFU mode) out of it; `force` also where a partition is incomplete."""
        following = Following(**how)
        asked = api.ResetBoards(
            boards=boards, force=force, no_wait=following.no_wait, cancel_on_exit=following.cancel_on_exit
        )
        return (await self._carried_out("reset", [asked], following)).checked()

    async def rollback(self, partition: str, *, boards: Boards = (), **how: Unpack[Ordering]) -> Outcome:
        """Flash the last program that was good in a partition before the present one."""
        following = Following(**how)
        asked = api.Rollback(
            partition=partition,
            boards=_names(boards),
            no_wait=following.no_wait,
            cancel_on_exit=following.cancel_on_exit,
        )
        return (await self._carried_out(partition, [asked], following)).checked()

    async def retry(self, job: int, *, timeout: float | None = None, on_change: Tell | None = None) -> Outcome:
        """Flash the image of a job once more, or try a blocked job again."""

        async def ask() -> api.JobList:
            return api.JobList(jobs=(await self.call(api.Retry(job=job)),))

        following = Following(timeout=timeout, on_change=on_change)
        return (await carry_out(self._client, ask, "", following, self._watch)).checked()

    async def cancel(self, job: int) -> JobState:
        """End a job, and return it once it has ended: in another way, maybe, if that came first."""
        return await self.call(api.Cancel(job=job))

    async def wait(
        self,
        partition: str = "",
        image: Image | None = None,
        *,
        boards: Boards = (),
        timeout: float = 120.0,
        tell: Callable[[Snapshot | Event], object] | None = None,
    ) -> Outcome:
        """Return once an image, or the newest build, is on the boards' partition; nothing is flashed for it by hand.

        `tell` hears of every change meanwhile. Raises NotDoneError at once where a board can no longer get it and
        nothing is under way on the others, and after `timeout` seconds.
        """
        found = await self._destinations(partition, image, boards)
        asked = [
            api.Wait(partition=each.partition, sha256=each.sha256, boards=each.boards, timeout=timeout)
            for each in found
        ]
        async with aclosing(self._client.follow()) as changes:
            told = tell or _nobody
            told(await anext(changes))
            answers = await heed(asyncio.ensure_future(self._each(asked)), changes, told)
        return Outcome(
            what=title(found),
            rows=tuple(
                BoardResult(
                    board=each.board,
                    partition=each.partition,
                    is_done=each.is_there,
                    job=each.job,
                    failure=each.failure,
                )
                for answer in answers
                for each in answer.boards
            ),
        ).checked()

    # What it says

    async def console(
        self, board: str, *, since_leave: bool = False, timeout: float | None = None
    ) -> AsyncGenerator[ConsoleEntry, None]:
        """The words of a board on its serial port from now on; with `since_leave` from its last leave of DFU mode on.

        It goes on until you leave it, for `timeout` seconds, or until the connection is lost. Raises RemoteError where
        the board has no console.
        """
        entries = console_entries(self._client, board, since_leave=since_leave, seconds=timeout)
        async with aclosing(entries):
            async for entry in entries:
                yield entry

    async def run(
        self,
        partition: str,
        image: Image | None = None,
        *,
        until: str | Iterable[str],
        fail: str | Iterable[str] = (),
        boards: Boards = (),
        timeout: float = 120.0,
        on_entry: TellEntry | None = None,
    ) -> RunOutcome:
        """Take boards, flash an image, start it, and return once each board has said what it is to say.

        `until` and `fail` are patterns (RE2) of lines that the boards say after the start; a line that both match is a
        failure. `on_entry` is called with all that they say. The boards are given back at the end; what never began by
        then is cancelled, what runs goes on. Raises NotDoneError where a board failed, says nothing of it within
        `timeout` seconds (from the call on), or has no console that can be read.
        """
        limit = TimeLimit.from_now(timeout)
        expected = ExpectedLines.of(until, fail)
        loaded = None if image is None else await asyncio.to_thread(load_image, image)
        meant = await self._with_partition(partition, _names(boards))
        runs = [BoardRun(board, partition, expected) for board in meant]
        able = [run for run in runs if run.result is None]
        done = RunsDone()
        try:
            if able:
                done = await self._run(able, loaded, limit, on_entry or _nobody)
        except RemoteError as error:
            for run in able:
                run.refuse(Failure(kind=error.kind, message=error.message, hint=error.hint), 0.0)
        rows = tuple(run.result for run in runs if run.result is not None)
        return RunOutcome(what=partition, rows=rows, notes=done.notes, taken_back=done.taken_back).checked()

    async def _run(
        self,
        runs: Sequence[BoardRun],
        image: LoadedImage | None,
        limit: TimeLimit,
        tell: TellEntry,
    ) -> RunsDone:
        names, partition = tuple(literal(run.name) for run in runs), runs[0].partition
        async with AsyncExitStack() as ended:
            if self._lease is None or not {run.name for run in runs} <= set(self._lease.boards):
                reason, tell_taken = f"a run of {partition}", self._tell_taken
                await self._take(ended, (names,), reason, no_wait=False, timeout=limit.left, tell=tell_taken)
            (found,) = await destinations(self._client, partition, image, names, self._tell_placed)
            asked = api.Flash(
                partition=partition, sha256=found.sha256, boards=names, cancel_on_exit=True, spare_begun=True
            )
            following = RunFollowing(self._client, runs, tell)
            return await following.carry_out(lambda: self.call(asked), self._watch, limit)

    async def _with_partition(self, partition: str, patterns: tuple[str, ...]) -> tuple[BoardState, ...]:
        """Return the boards that are meant and have the partition. Raises RemoteError and RequestError."""
        meant = await self.boards(*patterns)
        having = tuple(board for board in meant if any(each.name == partition for each in board.partitions))
        if not having:
            known = {each.name for board in meant for each in board.partitions if not each.protected}
            raise RequestError(
                f"no board has a partition {clean(partition)!r}",
                hint=which(partition, known),
                kind=ErrorKind.NO_SUCH_PARTITION,
            )
        return having

    # What would be done

    async def plan(
        self, partition: str = "", image: Image | None = None, *, boards: Boards = ()
    ) -> tuple[BoardPlan, ...]:
        """Return what `flash` would do, a plan a board; `blocked` says why it would not start."""
        found = await self._destinations(partition, image, boards)
        asked = [api.Plan(partition=each.partition, sha256=each.sha256, boards=each.boards) for each in found]
        return tuple(plan for reply in await self._each(asked) for plan in reply.plans)

    async def plan_erase(self, partition: str, *, boards: Boards = ()) -> tuple[BoardPlan, ...]:
        """Return what `erase` would do, a plan a board."""
        return (await self.call(api.PlanErase(partition=partition, boards=_names(boards)))).plans

    async def plan_rollback(self, partition: str, *, boards: Boards = ()) -> tuple[BoardPlan, ...]:
        """Return what `rollback` would do, a plan a board."""
        return (await self.call(api.PlanRollback(partition=partition, boards=_names(boards)))).plans

    # Who may do it

    async def hold(self, *boards: str, reason: str = "") -> tuple[BoardState, ...]:
        """Put boards (at least one name or glob) on hold: nothing starts on them until they are released."""
        return (await self.call(api.Hold(boards=boards, reason=reason))).boards

    async def release(self, *boards: str) -> tuple[BoardState, ...]:
        """Release boards (at least one name or glob), and their blocked jobs."""
        return (await self.call(api.Release(boards=boards))).boards

    async def arm(self, *boards: str, once: bool = False) -> tuple[BoardState, ...]:
        """Let builds flash by themselves on boards (none: all) again; `once`: the next one."""
        return (await self.call(api.Arm(boards=boards, once=once))).boards

    async def disarm(self, *boards: str) -> tuple[BoardState, ...]:
        """Let builds be offered to boards (none: all) from now on, not flashed."""
        return (await self.call(api.Disarm(boards=boards))).boards

    @asynccontextmanager
    async def take(
        self,
        *boards: str,
        reason: str = "",
        no_wait: bool = False,
        timeout: float | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> AsyncGenerator[Lease]:
        """Take boards (at least one name or glob) for a block: only what this bench asks for starts there.

        So does what a command asks for that has `Lease.environment`.
        Waits in line until nobody else has any of them and nothing runs there; `tell` is told who has. They are given
        back at the end of the block, and when this process ends, however it does. Boards of a lease that this process
        was started in (`flashdeck take`) are taken already. Raises RemoteError: with `no_wait`, or where a board is on
        hold, of kind `held`, after `timeout` seconds `timeout`.
        """
        async with AsyncExitStack() as ended:
            yield await self._take(ended, (required(boards),), reason, no_wait=no_wait, timeout=timeout, tell=tell)

    @asynccontextmanager
    async def take_one(
        self,
        *boards: str,
        reason: str = "",
        no_wait: bool = False,
        timeout: float | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> AsyncGenerator[Lease]:
        """Take one of these boards for a block, whichever is free first; all else is as with `take`."""
        choices = [(board.name,) for board in await self.boards(*required(boards))]
        async with AsyncExitStack() as ended:
            yield await self._take(ended, choices, reason, no_wait=no_wait, timeout=timeout, tell=tell)

    async def _take(
        self,
        ended: AsyncExitStack,
        choices: Sequence[tuple[str, ...]],
        reason: str,
        *,
        no_wait: bool,
        timeout: float | None,
        tell: Callable[[str], object] | None,
    ) -> Lease:
        """Return a lease of the first of several groups of boards that is free; `ended` gives it back."""
        if self._lease is not None:
            raise RequestError("there is a lease already", hint="take all boards that you need at once")
        if (ours := await self._in_outer_lease(choices)) is not None:
            return ours
        asked = [
            api.Take(boards=names, by=ourselves(), reason=reason, no_wait=no_wait, timeout=timeout) for names in choices
        ]
        if self._open_another is None:
            lease = await take(self._client, asked[0], tell)
            ended.push_async_callback(self._end_own_lease)
            return lease
        holder, lease = await take_first(self._another, asked, tell)
        ended.push_async_callback(give_back, self._client, holder, lease)
        await self.call(api.UseLease(token=lease.token))
        self._lease, self._lease_ends = lease, ended
        ended.callback(self._forget_lease)
        return lease

    async def _end_own_lease(self) -> None:
        """Give back what this connection has taken itself; where it is lost, it has ended."""
        with suppress(ConnectionFailedError):
            await self.call(api.EndLease())

    def _forget_lease(self) -> None:
        self._lease, self._lease_ends = None, AsyncExitStack()

    async def _in_outer_lease(self, choices: Sequence[tuple[str, ...]]) -> Lease | None:
        """Return the first of the choices that is part of the lease which this process was started in."""
        if not self._outer.boards:
            return None
        known = [board.name for board in await self.boards()]
        for patterns in choices:
            names = tuple(select(patterns, known))
            if set(names) <= set(self._outer.boards):
                return Lease(names, self._outer.token)
        return None

    async def _another(self) -> Client:
        if self._open_another is None:
            raise ConnectionFailedError("there is no second way to this daemon, which a lease needs")
        client = await self._open_another()
        try:
            await act_for_lease(client)
        except BaseException:
            await client.close()
            raise
        return client

    # How

    async def _carried_out(self, what: str, asked: Sequence[Params[api.JobList]], following: Following) -> Outcome:
        async def ask() -> api.JobList:
            replies = await self._each(asked)
            notes = dict.fromkeys(note for reply in replies for note in reply.notes)
            return api.JobList(jobs=tuple(job for reply in replies for job in reply.jobs), notes=tuple(notes))

        return await carry_out(self._client, ask, what, following, self._watch)

    async def _each(self, asked: Sequence[Params[R]]) -> list[R]:
        """Return the answers to several calls; raises the first error."""
        return await asyncio.gather(*map(self.call, asked))

    async def _destinations(self, partition: str, image: Image | None, boards: Boards) -> tuple[Destination, ...]:
        loaded = None if image is None else await asyncio.to_thread(load_image, image)
        return await destinations(self._client, partition, loaded, _names(boards), self._tell_placed)


@asynccontextmanager
async def connect_async(
    socket: str | PathLike[str] | None = None,
    *,
    host: str = "",
    name: str = "python",
    read_only: bool = False,
    lab_user: str = "",
) -> AsyncGenerator[AsyncBench]:
    """Connect to a daemon for a block: see `open_bench`."""
    async with await open_bench(socket, host=host, name=name, read_only=read_only, lab_user=lab_user) as bench:
        yield bench


async def open_bench(
    socket: str | PathLike[str] | None = None,
    *,
    host: str = "",
    name: str = "python",
    read_only: bool = False,
    lab_user: str = "",
) -> AsyncBench:
    """Return a connection to the daemon at `socket`, else at $FLASHDECK_SOCKET, else where one of ours is found.

    `host` is another machine, through ssh: user@box, or a name of [hosts]. `name` is shown in the daemon's log. With
    `read_only` the daemon refuses (kind `no-permission`) whatever changes something or touches a board. `lab_user` is
    the user of a lab ("host/user") for whom it speaks: what that one has acquired may be used. Acts for the lease that
    this process was started in (`flashdeck take`). Raises ConnectionFailedError, and RequestError for a host or a user
    that cannot be one.
    """
    if lab_user and not is_lab_user(lab_user):
        raise RequestError(f"{clean(lab_user, 60)!r} is no user of a lab", hint='write it as "host/user"')
    where = replace(_address(socket, host, read_only=read_only), lab_user=lab_user)
    client = await where.connect(client=name)
    try:
        outer = await act_for_lease(client)
    except BaseException:
        await client.close()
        raise
    if outer.trouble:
        _log.warning("%s", outer.trouble)
    return AsyncBench(client, another=lambda: where.connect(client=name), outer=outer)


def _address(socket: str | PathLike[str] | None, host: str, *, read_only: bool) -> "Whereabouts | SshHost":
    if not host:
        return replace(Whereabouts.of(None if socket is None else str(socket)), read_only=read_only)
    from flashdeck.hosts import find_host  # noqa: PLC0415 - the configuration is read only where it is needed

    if socket is not None:
        raise RequestError("a socket is one of this machine, and a host another machine", hint="leave one out")
    return find_host(host, read_only=read_only)


def _nobody(_change: object) -> None:
    """Tell nobody."""


def _names(boards: Boards) -> tuple[str, ...]:
    return (boards,) if isinstance(boards, str) else tuple(boards)


def _seconds(time: Time | None) -> float | None:
    return time.timestamp() if isinstance(time, datetime) else time
