"""Jobs that somebody orders of boards: followed to their end, and their fate where nobody follows them any more."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from flashdeck.api import Cancel, GetJobs, JobList
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, RemoteError
from flashdeck.job_state import stands_still
from flashdeck.model import Event, JobState, Snapshot
from flashdeck.outcome import BoardResult, Outcome, are_over, failure_of

T = TypeVar("T")
Tell = Callable[[JobState], object]
"""Hears of a new state of a job."""
Watch = Callable[[JobList], AbstractAsyncContextManager[Tell]]
"""Shows jobs for as long as they are followed; it begins with the daemon's answer that names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """The way in which jobs are followed."""

    no_wait: bool = False
    """True: a board that cannot do it now is not waited for."""
    timeout: float | None = None
    """Seconds after which they are followed no more; the jobs stay in the queue."""
    cancel_on_exit: bool = False
    """True: what is not done when they are followed no more is cancelled, also where this process is killed."""
    on_change: Tell | None = None
    """Called with each new state of one of the jobs."""


class MaybeQueuedError(ConnectionFailedError):
    """The connection was lost while jobs were asked for: nobody knows if they are queued."""


@asynccontextmanager
async def unwatched(_reply: JobList) -> AsyncGenerator[Tell]:
    """Show nothing."""
    yield lambda _job: None


async def carry_out(
    client: Client,
    ask: Callable[[], Awaitable[JobList]],
    what: str,
    following: Following,
    watch: Watch = unwatched,
) -> Outcome:
    """Return what became of the jobs that `ask` orders, once there is nothing more to follow.

    `what` is what they are for; "" stands for the partition of the first. Raises what `ask` does, and
    ConnectionFailedError when the daemon ends first: MaybeQueuedError where that is before it has answered `ask`.
    """
    async with aclosing(client.follow()) as changes:
        await anext(changes)  # first, so that nothing that happens to the jobs is missed
        reply = await asked_for_jobs(ask)
        async with watch(reply) as tell:
            jobs = await _followed(client, changes, reply.jobs, following, tell)
    waits = not following.no_wait
    failures = [failure_of(job, waits=waits) for job in jobs]
    taken_back = tuple([await take_back(client, job) for job in jobs if _is_unwanted(job, following)])
    ended = {job.id: job for job in taken_back}
    rows = tuple(
        BoardResult(
            board=job.board,
            partition=job.partition,
            is_done=failure is None,
            job=ended.get(job.id, job),
            failure=failure,
        )
        for job, failure in zip(jobs, failures, strict=True)
    )
    what = what or next((job.partition for job in jobs), "")
    return Outcome(what=what, rows=rows, notes=reply.notes, taken_back=taken_back)


async def asked_for_jobs(ask: Callable[[], Awaitable[JobList]]) -> JobList:
    """Return what `ask` orders. Raises what it does, and MaybeQueuedError where the connection is lost meanwhile."""
    try:
        return await ask()
    except ConnectionFailedError as error:
        raise MaybeQueuedError(
            error.message, hint="look if it was queued: `flashdeck jobs`", kind=error.kind
        ) from error


async def _followed(
    client: Client,
    changes: AsyncIterator[Snapshot | Event],
    jobs: Sequence[JobState],
    following: Following,
    tell: Tell,
) -> list[JobState]:
    """Return the last states of `jobs`, once they are over (`are_over`), or nobody wants to follow them any more.

    `changes` is `Client.follow()`, begun before the jobs were made.
    """
    latest = {job.id: job for job in jobs}
    limit = asyncio.timeout(following.timeout)
    try:
        async with limit:
            while not are_over(tuple(latest.values()), waits=not following.no_wait):
                for job in await changed_jobs(client, await anext(changes), tuple(latest)):
                    latest[job.id] = job
                    tell(job)
                    if following.on_change is not None:
                        following.on_change(job)
    except TimeoutError:
        if not limit.expired():  # somebody who is told raised it
            raise
    return list(latest.values())


async def changed_jobs(client: Client, change: Snapshot | Event, ids: tuple[int, ...]) -> Sequence[JobState]:
    """Return those of the jobs `ids` that `change` tells something of; after a gap that is all of them."""
    if isinstance(change, Snapshot):
        # Asked for by number: a snapshot leaves out jobs that ended long ago.
        return (await client.call(GetJobs(ids=ids))).jobs
    return (change.job,) if change.job is not None and change.job.id in ids else ()


def _is_unwanted(job: JobState, following: Following) -> bool:
    """Tell whether a job that nobody follows any more is to be cancelled."""
    if job.is_settled:
        return False
    return following.cancel_on_exit or (following.no_wait and stands_still(job.status) and not job.attempts)


async def take_back(client: Client, job: JobState) -> JobState:
    """Cancel a job, and return it as it ended."""
    try:
        return await client.call(Cancel(job=job.id))
    except RemoteError:  # it has ended meanwhile
        (ended,) = (await client.call(GetJobs(ids=(job.id,)))).jobs
        return ended


async def heed(
    asked: asyncio.Future[T], changes: AsyncIterator[Snapshot | Event], tell: Callable[[Snapshot | Event], object]
) -> T:
    """Return what `asked` answers; `tell` hears of every change that comes before the answer."""
    step: asyncio.Future[Snapshot | Event] | None = None
    try:
        while True:
            step = step or asyncio.ensure_future(anext(changes))
            await asyncio.wait((asked, step), return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                return asked.result()
            if step.exception() is not None:
                return await asked  # the connection is lost, which both say
            change, step = step.result(), None
            tell(change)
    finally:
        asked.cancel()
        if step is not None:
            step.cancel()
            await asyncio.wait((step,))  # who closes `changes` now finds nobody in it
