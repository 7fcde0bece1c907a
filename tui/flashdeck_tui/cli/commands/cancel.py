"""`flashdeck cancel`: the end of a job that is not wanted any more."""

import click

from flashdeck import api
from flashdeck.errors import ExitCode
from flashdeck.job_state import Cancelled
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.live_names import jobs_to_cancel
from flashdeck_tui.cli.output import put, put_json, say


@click.command()
@live_options.job(jobs_to_cancel)
@options.as_json
def command(*, job: int, as_json: bool) -> ExitCode:
    """End JOB, a number that 'flashdeck jobs' lists. Returns once it has ended.

    A job that is already writing stops at its next safe point, and its partition does not boot until the next flash.
    Exits with 1 where the job ended in another way first.
    """
    state = ask(api.Cancel(job=job))
    if as_json:
        put_json(state)
    else:
        put(job_table([state]))
    if isinstance(state.status, Cancelled):
        return ExitCode.OK
    say(f"job {state.id} ended first: {state.text}")
    return ExitCode.OTHER
