"""Jobs that a command orders of boards: how long it follows them, what it says of them, and what becomes of them."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import click
from msgspec.structs import replace

from flashdeck.api import JobList
from flashdeck.async_bench import AsyncBench, Ordering
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ExitCode, NotDoneError
from flashdeck.job_following import MaybeQueuedError, Tell, Watch
from flashdeck.job_state import name_of
from flashdeck.model import JobState
from flashdeck.outcome import Outcome
from flashdeck_tui.cli import many_hosts, options
from flashdeck_tui.cli.answers import JobLine
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.job_results import put_result
from flashdeck_tui.cli.named_target import tell_placed
from flashdeck_tui.cli.output import UnreadError, put_json, say
from flashdeck_tui.cli.progress import progress
from flashdeck_tui.cli.queued_jobs import tell_of_queued
from flashdeck_tui.cli.readers import Until, while_read
from flashdeck_tui.cli.remote import command_words, prefixed

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The way in which jobs are followed, and shown."""

    no_wait: bool = False
    timeout: float | None = None
    cancel_on_exit: bool = False
    as_json: bool
    as_jsonl: bool

    @property
    def how(self) -> Ordering:
        """The first of it, for a bench."""
        return Ordering(no_wait=self.no_wait, timeout=self.timeout, cancel_on_exit=self.cancel_on_exit)

    @property
    def until(self) -> Until:
        """Return how long somebody has to read what is said of them."""
        return Until.UNREAD if self.as_jsonl else Until.UNHEARD


Work = Callable[[AsyncBench], Awaitable[Outcome]]
"""Orders the jobs of a bench, and follows them."""


def ordered(*, ends_with_command: bool = False) -> Callable[[Command], Command]:
    """Options of a command that orders jobs, in one parameter `order`.

    With `ends_with_command` the daemon cancels what is not done when the command ends, whoever wants that.
    """

    def decorate(command: Command) -> Command:
        stays = "it is cancelled then" if ends_with_command else "the jobs stay in the queue"

        @click.option("--no-wait", is_flag=True, help="Do not wait for a board: exit with 4 if one is absent, else 13.")
        @options.timeout(default=None, help=f"Stop following after this long, and exit with 6; {stays}.")
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


def carry_out(order: Order, work: Work, *, note: str = "warning: ") -> ExitCode:
    """Order jobs, follow them to their end, and print a row a board; `note` stands before each note of the daemon."""
    return put_result(outcome_of(order, work, note=note), as_json=order.as_json, as_jsonl=order.as_jsonl)


def outcome_of(order: Order, work: Work, *, note: str = "warning: ") -> Outcome:
    """Return what became of the jobs that `work` orders; what a person should know of it is said."""

    async def session(client: Client) -> Outcome:
        try:
            done = await work(AsyncBench(client, watch=watch_of(order, note), tell_placed=tell_placed))
        except NotDoneError as error:
            done = error.outcome
        except MaybeQueuedError as error:
            hint = f"look if it was queued: {command_words(click.get_current_context(silent=True), 'jobs')}"
            raise ConnectionFailedError(error.message, hint=hint, kind=error.kind) from error
        for job in done.taken_back:
            say(f"job {job.id} of {job.board} is {name_of(job.status)}")
        tell_of_queued(done.jobs)
        return done

    done = converse(session, join=many_hosts.outcomes)
    tell_remarks(done)
    return done


def tell_remarks(done: Outcome) -> None:
    """Say what a person should know of how the jobs went."""
    for job in done.jobs:
        for remark in job.result.remarks if job.result is not None else ():
            say(f"{job.board} {job.partition}".strip() + f": {remark}")


def watch_of(order: Order, note: str = "warning: ") -> Watch:
    """Return what shows the jobs while they are followed.

    Progress is talk on stderr; with `as_jsonl` every state of a job is also an object on stdout.
    """

    @asynccontextmanager
    async def watch(reply: JobList) -> AsyncGenerator[Tell]:
        latest = {job.id: job for job in reply.jobs}
        try:
            # Only now: whether the jobs are ordered does not depend on how quickly a reader leaves.
            async with while_read(order.until):
                for noted in reply.notes:
                    say(f"{note}{noted}")
                for job in reply.jobs if order.as_jsonl else ():
                    _put_line(job)
                async with progress(reply.jobs) as shown:

                    def tell(job: JobState) -> None:
                        latest[job.id] = job
                        shown.show(job)
                        if order.as_jsonl:
                            _put_line(job)

                    yield tell
        except (asyncio.CancelledError, ConnectionFailedError, UnreadError):
            tell_of_queued(tuple(latest.values()), cancelled=order.cancel_on_exit)
            raise

    return watch


def _put_line(job: JobState) -> None:
    put_json(JobLine(job=replace(job, board=prefixed(job.board))))
