"""Jobs that a command orders of boards: how long it follows them, and what becomes of them when it ends."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ExitCode, RemoteError
from flashdeck.job_state import name_of, stands_still
from flashdeck.model import Event, JobState, Snapshot
from flashdeck_tui.cli import many_hosts, options
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.follow import follow, tell_of_queued
from flashdeck_tui.cli.image_file import SendingFailedError
from flashdeck_tui.cli.job_results import put_result
from flashdeck_tui.cli.outcome import Result, failure_of
from flashdeck_tui.cli.output import say
from flashdeck_tui.cli.remote import command_words

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The way in which jobs are followed."""

    no_wait: bool
    timeout: float | None
    cancel_on_exit: bool
    as_json: bool
    as_jsonl: bool


Asks = Callable[[Client], Awaitable[api.JobList]]
"""Asks the daemon for the jobs."""


def ordered(*, ends_with_command: bool = False) -> Callable[[Command], Command]:
    """Options of a command that orders jobs, in one parameter `order`.

    With `ends_with_command` the daemon cancels what is not done when the command ends, whoever wants that.
    """

    def decorate(command: Command) -> Command:
        stays = "it is cancelled then" if ends_with_command else "the jobs stay in the queue"

        @click.option("--no-wait", is_flag=True, help="Do not wait for a board: 4 if one is absent, else 13.")
        @options.timeout(default=None, help=f"Stop following (6) after this long; {stays}.")
        @options.as_json
        @options.as_jsonl
        @functools.wraps(command)
        def with_order(
            *,
            no_wait: bool,
            timeout: float | None,
            as_json: bool,
            as_jsonl: bool,
            cancel_on_exit: bool = ends_with_command,
            **others: object,
        ) -> object:
            options.one_of(as_json=as_json, as_jsonl=as_jsonl)
            order = Order(
                no_wait=no_wait,
                timeout=timeout,
                cancel_on_exit=cancel_on_exit,
                as_json=as_json,
                as_jsonl=as_jsonl,
            )
            return command(order=order, **others)

        if ends_with_command:
            return with_order
        return click.option(
            "--cancel-on-exit", is_flag=True, help="Cancel what is not done when this command ends, also if killed."
        )(with_order)

    return decorate


def carry_out(order: Order, what: str, ask: Asks, *, note: str = "warning: ") -> ExitCode:
    """Order jobs, follow them to their end, and print a row a board; `what` names what they are for.

    `note` stands before each of the daemon's notes.
    """
    done = converse(lambda client: done_by(client, order, ask, note=note), join=many_hosts.results)
    tell_remarks(done)
    return put_result(done, what, as_json=order.as_json, as_jsonl=order.as_jsonl)


def tell_remarks(done: Result) -> None:
    """Say what a person should know of how the jobs went."""
    for job in done.jobs:
        for remark in job.result.remarks if job.result is not None else ():
            say(f"{job.board} {job.partition}".strip() + f": {remark}")


async def done_by(client: Client, order: Order, ask: Asks, *, note: str = "warning: ") -> Result:
    """Return what became of the jobs that `ask` orders, once there is nothing more to follow."""
    changes = client.follow()
    await anext(changes)  # first, so that nothing that happens to the jobs is missed
    try:
        reply = await ask(client)
    except SendingFailedError:
        raise
    except ConnectionFailedError as error:
        hint = f"look if it was queued: {command_words(click.get_current_context(silent=True), 'jobs')}"
        raise ConnectionFailedError(error.message, hint=hint, kind=error.kind) from error
    for noted in reply.notes:
        say(f"{note}{noted}")
    jobs = await _followed(client, order, changes, reply)
    failures = tuple(failure_of(job, waits=not order.no_wait) for job in jobs)
    unwanted = [job for job in jobs if _is_unwanted(job, order)]
    ended = {job.id: job for job in [await _take_back(client, job) for job in unwanted]}
    jobs = [ended.get(job.id, job) for job in jobs]
    tell_of_queued(jobs)
    return Result(tuple(jobs), failures, reply.notes)


async def _followed(
    client: Client, order: Order, changes: AsyncIterator[Snapshot | Event], reply: api.JobList
) -> list[JobState]:
    return await follow(
        client,
        changes,
        reply.jobs,
        as_jsonl=order.as_jsonl,
        waits=not order.no_wait,
        patience=order.timeout,
        cancels=order.cancel_on_exit,
    )


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
