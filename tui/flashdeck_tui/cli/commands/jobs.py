"""`flashdeck jobs`: what was flashed, what is being flashed, what waits."""

from collections.abc import Sequence
from functools import partial

import click

from flashdeck import api
from flashdeck.model import JobState
from flashdeck.words.work import work_name
from flashdeck_tui.cli import live_options, many_hosts, options, words
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.table import Cell, table


@click.command()
@live_options.any_boards
@options.status
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, api.JOB_PAGE),
    default=20,
    show_default=True,
    metavar="COUNT",
    help="How many of those that match.",
)
@options.as_json
def command(*, boards: tuple[str, ...], statuses: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the newest jobs, newest first.

    BOARD is a name or a glob; without one, the jobs of all boards.
    """
    reply = ask(api.GetJobs(limit=limit, boards=boards, statuses=statuses), join=partial(many_hosts.jobs, limit=limit))
    if as_json:
        put_json(reply)
        return
    nothing = "no such jobs" if boards or statuses else "no jobs yet"
    put(job_table(reply.jobs) if reply.jobs else nothing)


def job_table(jobs: Sequence[JobState]) -> str:
    """The jobs, each with what it came to or waits for."""
    rows = [
        [
            Cell(job_name(job), right=True),
            job.board,
            job.partition,
            work_name(job),
            words.status(job),
            words.age(job.at),
            words.detail(job),
        ]
        for job in jobs
    ]
    return table(["JOB", "BOARD", "PARTITION", "WHAT", "STATUS", "AGE", "DETAIL"], rows)


def job_name(job: JobState) -> str:
    """Return the number of a job as it is typed: with the machine, where its board is named with that."""
    host, slash, _ = job.board.rpartition("/")
    return f"{host}{slash}{job.id}"
