"""Follows jobs until nothing more will happen to them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import click
from msgspec.structs import replace

from flashdeck.api import GetJobs
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError
from flashdeck.model import Event, JobState, Snapshot
from flashdeck.names import few
from flashdeck_tui.cli.answers import JobLine
from flashdeck_tui.cli.outcome import are_over
from flashdeck_tui.cli.output import put_json, say
from flashdeck_tui.cli.progress import progress
from flashdeck_tui.cli.remote import command_words, prefixed

T = TypeVar("T")


async def follow(
    client: Client,
    changes: AsyncIterator[Snapshot | Event],
    jobs: Sequence[JobState],
    *,
    as_jsonl: bool,
    waits: bool = True,
    patience: float | None = None,
    cancels: bool = False,
) -> list[JobState]:
    """Return the last states of `jobs`, once they are over (`are_over`), or after `patience` seconds.

    `changes` is `Client.follow()`, begun before the jobs were made. Progress is talk on stderr; with `as_jsonl` every
    state of a job is also an object on stdout. The daemon `cancels` the jobs where this client leaves before. Raises
    ConnectionFailedError when the daemon ends first.
    """
    latest = {job.id: job for job in jobs}
    if as_jsonl:
        for job in jobs:
            _put_line(job)
    try:
        async with progress(jobs) as shown, asyncio.timeout(patience):
            while not are_over(tuple(latest.values()), waits=waits):
                for job in await _changed(client, await anext(changes), tuple(latest)):
                    latest[job.id] = job
                    shown.show(job)
                    if as_jsonl:
                        _put_line(job)
    except TimeoutError:
        pass  # the states say how far each job is
    except (asyncio.CancelledError, ConnectionFailedError):
        tell_of_queued(tuple(latest.values()), cancelled=cancels)
        raise
    return list(latest.values())


def tell_of_queued(jobs: Sequence[JobState], *, cancelled: bool = False) -> None:
    """Say what becomes of those jobs that have not ended, now that nobody follows them any more."""
    numbers = [str(job.id) for job in jobs if not job.is_settled]
    match numbers:
        case []:
            return
        case [number]:
            which, stays = f"job {number} is", f"it stays in the queue; '{_cancel(number)}' ends it"
        case _:
            which, stays = f"jobs {few(numbers)} are", f"they stay in the queue; '{_cancel('JOB')}' ends one"
    say(f"{which} not done: {'the daemon cancels that' if cancelled else stays}")


def _cancel(job: str) -> str:
    return command_words(click.get_current_context(silent=True), f"cancel {job}")


def _put_line(job: JobState) -> None:
    put_json(JobLine(job=replace(job, board=prefixed(job.board))))


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


async def _changed(client: Client, change: Snapshot | Event, ids: tuple[int, ...]) -> Sequence[JobState]:
    """Return those of the jobs `ids` that `change` tells something of; after a gap that is all of them."""
    if isinstance(change, Snapshot):
        # Asked for by number: a snapshot leaves out jobs that ended long ago.
        return (await client.call(GetJobs(ids=ids))).jobs
    return (change.job,) if change.job is not None and change.job.id in ids else ()
