"""Follows jobs until nothing more will happen to them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from flashdeck.api import GetJobs
from flashdeck.client import Client
from flashdeck.job_state import WaitFor, Waiting
from flashdeck.model import Event, JobState, Snapshot
from flashdeck_tui.cli.outcome import is_over
from flashdeck_tui.cli.output import put_json, say
from flashdeck_tui.cli.progress import Progress, progress

_LOOK_AGAIN = 1.0
"""Seconds between two looks at the jobs while nothing is heard of them."""

T = TypeVar("T")


async def follow(
    client: Client,
    changes: AsyncIterator[Snapshot | Event],
    jobs: Sequence[JobState],
    *,
    as_jsonl: bool,
    until: Callable[[JobState], bool] = is_over,
    patience: float | None = None,
) -> list[JobState]:
    """Return the last states of `jobs`, once `until` is so of each, or after `patience` seconds.

    `changes` is `Client.follow()`, begun before the jobs were made. Progress is talk on stderr; with `as_jsonl` every
    state of a job is also an object on stdout. Raises ConnectionFailedError when the daemon ends first.
    """
    latest = {job.id: job for job in jobs}
    shown = progress(jobs)
    if as_jsonl:
        for job in jobs:
            put_json({"job": job})
    try:
        async with _looked_at_again(shown), asyncio.timeout(patience):
            while not all(map(until, latest.values())):
                for job in await _changed(client, await anext(changes), tuple(latest)):
                    latest[job.id] = job
                    shown.show(job)
                    if as_jsonl:
                        put_json({"job": job})
    except TimeoutError:
        pass  # the states say how far each job is
    except asyncio.CancelledError:
        numbers = ", ".join(str(job.id) for job in latest.values() if not is_over(job))
        say(f"the daemon goes on by itself with job {numbers}; 'flashdeck jobs' shows what becomes of it")
        raise
    finally:
        shown.close()
    return list(latest.values())


async def show_while(
    asked: asyncio.Future[T], changes: AsyncIterator[Snapshot | Event], shows: Callable[[JobState], bool], boards: int
) -> T:
    """Return what `asked` answers; meanwhile tell on stderr how far the jobs are that `shows` picks.

    They are jobs of so many `boards`.
    """
    shown = progress((), boards)
    step: asyncio.Future[Snapshot | Event] | None = None
    try:
        async with _looked_at_again(shown):
            while True:
                step = step or asyncio.ensure_future(anext(changes))
                await asyncio.wait((asked, step), return_when=asyncio.FIRST_COMPLETED)
                if asked.done():
                    return asked.result()
                change, step = step.result(), None
                jobs = change.jobs if isinstance(change, Snapshot) else (change.job,) if change.job is not None else ()
                for job in filter(shows, jobs):
                    shown.show(job)
    finally:
        if step is not None:
            step.cancel()
        shown.close()


@asynccontextmanager
async def _looked_at_again(shown: Progress) -> AsyncGenerator[None]:
    """Show each second what no change of a job tells: that its board does not answer."""

    async def look() -> None:
        while True:
            await asyncio.sleep(_LOOK_AGAIN)
            shown.look_again()

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()


def waits_for_the_board(job: JobState) -> bool:
    """Tell whether a job can not go on without a cable, a hand or access: `--no-wait` does not wait for that."""
    return isinstance(job.status, Waiting) and job.status.for_ is not WaitFor.PAUSE


async def _changed(client: Client, change: Snapshot | Event, ids: tuple[int, ...]) -> Sequence[JobState]:
    """Return those of the jobs `ids` that `change` tells something of; after a gap that is all of them."""
    if isinstance(change, Snapshot):
        # Asked for by number: a snapshot leaves out jobs that ended long ago.
        return (await client.call(GetJobs(ids=ids))).jobs
    return (change.job,) if change.job is not None and change.job.id in ids else ()
