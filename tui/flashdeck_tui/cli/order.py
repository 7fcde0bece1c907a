"""An order to boards: jobs that a person asks for, followed to their end."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import RemoteError
from flashdeck.job_state import name_of, stands_still
from flashdeck.model import Event, JobState, Snapshot
from flashdeck_tui.cli.follow import follow, tell_of_queued
from flashdeck_tui.cli.job_results import Result
from flashdeck_tui.cli.outcome import failure_of
from flashdeck_tui.cli.output import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The way in which jobs are followed, as it was typed."""

    no_wait: bool
    timeout: float | None
    cancel_on_exit: bool
    as_jsonl: bool
    notes: str = "warning: "
    """The words that stand before each note of the daemon."""


async def followed(
    client: Client, changes: AsyncIterator[Snapshot | Event], asked: api.Params[api.JobList], order: Order
) -> Result:
    """Ask for jobs, follow them, and take back what is not wanted any more.

    `changes` is `Client.follow()`, begun before, so that nothing that happens to the jobs is missed.
    """
    reply = await client.call(asked)
    for note in reply.notes:
        say(f"{order.notes}{note}")
    waits = not order.no_wait
    jobs = await follow(
        client,
        changes,
        reply.jobs,
        as_jsonl=order.as_jsonl,
        waits=waits,
        patience=order.timeout,
        cancels=order.cancel_on_exit,
    )
    failures = tuple(failure_of(job, waits=waits) for job in jobs)
    unwanted = [job for job in jobs if _is_unwanted(job, order)]
    ended = {job.id: job for job in [await _take_back(client, job) for job in unwanted]}
    jobs = [ended.get(job.id, job) for job in jobs]
    tell_of_queued(jobs)
    return Result(tuple(jobs), failures, reply.notes)


def _is_unwanted(job: JobState, order: Order) -> bool:
    """Tell whether a job that nobody follows any more is to be cancelled."""
    if job.is_settled:
        return False
    return order.cancel_on_exit or (order.no_wait and stands_still(job.status) and not job.attempts)


async def _take_back(client: Client, job: JobState) -> JobState:
    try:
        ended = await client.call(api.Cancel(job=job.id))
    except RemoteError:  # it has ended meanwhile
        (ended,) = (await client.call(api.GetJobs(ids=(job.id,)))).jobs
    say(f"job {job.id} of {job.board} is {name_of(ended.status)}")
    return ended
