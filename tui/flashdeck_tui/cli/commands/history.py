"""`flashdeck history`: what was flashed, from the whole journal."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import click
from msgspec import structs

from flashdeck import api
from flashdeck.client import Client
from flashdeck.history_pages import history_pages
from flashdeck.model import JobState
from flashdeck.text import counted
from flashdeck.words.jobs import hook_text, times_text
from flashdeck.words.work import work_name
from flashdeck_tui.cli import live_names, live_options, many_hosts, options, words
from flashdeck_tui.cli.answers import History, JobLine
from flashdeck_tui.cli.commands.jobs import job_name
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.output import put, put_json, say
from flashdeck_tui.cli.readers import Until
from flashdeck_tui.cli.remote import asked_hosts, boards_here, speaking_for
from flashdeck_tui.cli.table import Cell, table
from flashdeck_tui.cli.when import When, shown


@click.command()
@live_options.any_boards
@click.option(
    "--partition",
    type=options.name,
    default="",
    shell_complete=live_names.partitions,
    metavar="NAME",
    help="Only jobs for this partition.",
)
@click.option("--since", type=When(), metavar="TIME", help="Only what happened then or later: 13:05, 2026-01-31, 2h.")
@click.option("--until", type=When(), metavar="TIME", help="Only what happened then or before.")
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=20, show_default=True, metavar="COUNT", help="How many of those."
)
@options.as_json
@options.as_jsonl
def command(
    *,
    boards: tuple[str, ...],
    partition: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
    as_jsonl: bool,
) -> None:
    """List past and present jobs from the whole journal, newest first, with the time that each phase took.

    BOARD is a name or a glob, also of a board that is no longer configured; without one, the jobs of all boards. TIME
    is a time of today (13:05), a day (2026-01-31), both, or how long ago (30min, 2h, 3d). The time of a job is that of
    its end; of one that has not ended, that of its start.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    wanted = api.GetHistory(
        boards=boards,
        partition=partition,
        since=since.timestamp() if since is not None else None,
        until=until.timestamp() if until is not None else None,
        limit=limit,
    )

    async def work(client: Client) -> History:
        jobs: list[JobState] = []
        last = api.HistoryPage()
        async for last in history_pages(client, structs.replace(wanted, boards=boards_here(boards))):
            jobs += last.jobs
            if as_jsonl and not speaking_for.get():  # of several machines the newest are known at the end
                _put_lines(last.jobs)
        return History(jobs=tuple(jobs), since=last.since, kept=last.kept)

    found = converse(
        work, join=partial(many_hosts.history, limit=limit), until=Until.UNREAD if as_jsonl else Until.DONE
    )
    if as_json:
        put_json(found)
    elif not as_jsonl:
        put(_table(found.jobs) if found.jobs else "no such jobs")
    elif len(asked_hosts(click.get_current_context())) > 1:
        _put_lines(found.jobs)
    say(_reach(found))


def _put_lines(jobs: Sequence[JobState]) -> None:
    for job in jobs:
        put_json(JobLine(job=job))


def _reach(found: History) -> str:
    if found.since is None:
        return "the journal has no jobs yet"
    told = f"the journal has every job since {shown(found.since)}"
    return f"{told}; it keeps the newest {counted(found.kept, 'job')}" if found.kept else told


def _table(jobs: Sequence[JobState]) -> str:
    rows = [
        [
            Cell(job_name(job), right=True),
            job.board,
            job.partition,
            work_name(job),
            words.status(job),
            shown(job.at),
            _detail(job),
        ]
        for job in jobs
    ]
    return table(["JOB", "BOARD", "PARTITION", "WHAT", "STATUS", "WHEN", "DETAIL"], rows)


def _detail(job: JobState) -> str:
    hook = hook_text(job.hook) if job.hook is not None else ""
    return "; ".join(filter(None, (words.detail(job), times_text(job.times), hook)))
