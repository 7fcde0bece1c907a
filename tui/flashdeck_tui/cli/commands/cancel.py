"""`flashdeck cancel`: the end of a job that is not wanted any more."""

import asyncio

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, ExitCode, RemoteError
from flashdeck.job_following import heed
from flashdeck.job_state import Cancelled
from flashdeck.model import Event, JobState, LogLevel, Snapshot
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.live_names import jobs_to_cancel
from flashdeck_tui.cli.output import complain, put, put_json, say


@click.command()
@live_options.job(jobs_to_cancel)
@options.as_json
def command(*, job: int, as_json: bool) -> ExitCode:
    """End JOB, a number that 'flashdeck jobs' lists. Returns once it has ended.

    A job that is already writing stops at its next safe point, and its partition does not boot until the next flash.
    Where the board does not answer, that takes as long as the running transfer. Exits with 1 where the job ended in
    another way first.
    """
    state = converse(lambda client: _cancel(client, job))
    if as_json:
        put_json(state)
    else:
        put(job_table([state]))
    if isinstance(state.status, Cancelled):
        return ExitCode.OK
    complain(f"job {state.id} ended first: {state.text}")
    return ExitCode.OTHER


async def _cancel(client: Client, number: int) -> JobState:
    """Cancel a job; meanwhile say what keeps it from ending, as a board that hangs does."""
    changes = client.follow()
    try:
        await anext(changes)
    except RemoteError as error:
        if error.kind is not ErrorKind.UNREACHABLE:
            raise
        return await client.call(api.Cancel(job=number))  # so many clients follow that nobody else may
    has_ended = False

    def tell(change: Snapshot | Event) -> None:
        nonlocal has_ended
        if isinstance(change, Snapshot):
            return
        if change.job is not None and change.job.id == number:
            has_ended = change.job.is_settled
        line = change.log
        if line is not None and line.job == number and line.level is LogLevel.WARNING and not has_ended:
            say(f"{line.board}: {line.text}")

    return await heed(asyncio.ensure_future(client.call(api.Cancel(job=number))), changes, tell)
