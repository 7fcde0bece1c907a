"""`flashdeck flash`: an image onto boards, by hand."""

from dataclasses import dataclass
from pathlib import Path

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode
from flashdeck.model import JobState
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.follow import follow, waits_for_the_board
from flashdeck_tui.cli.image import read_image, send_image
from flashdeck_tui.cli.outcome import exit_code, is_over
from flashdeck_tui.cli.output import put, put_json, say


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What was typed."""

    partition: str
    file: Path | None
    boards: tuple[str, ...]
    no_wait: bool
    timeout: float | None
    cancel_on_exit: bool
    as_jsonl: bool


@click.command(epilog=options.FILES)
@live_options.partition
@click.argument("file", type=click.Path(path_type=Path), required=False)
@live_options.boards
@click.option("--no-wait", is_flag=True, help="Fail where a board cannot run it now: 4 if absent, else 13.")
@options.timeout(default=None, help="Stop following (6) after this long; the jobs stay.")
@click.option("--cancel-on-exit", is_flag=True, help="Cancel these jobs when this command ends, however it ends.")
@options.as_json
@options.as_jsonl
def command(
    *,
    partition: str,
    file: Path | None,
    boards: tuple[str, ...],
    no_wait: bool,
    timeout: float | None,
    cancel_on_exit: bool,
    as_json: bool,
    as_jsonl: bool,
) -> ExitCode:
    """Flash FILE, or the newest build, into PARTITION.

    Follows the jobs until each has ended or needs a person: a board that is on hold ends it at once (13). A board that
    is absent, or has to be brought into DFU mode, is waited for.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    order = _Order(
        partition=partition,
        file=file,
        boards=boards,
        no_wait=no_wait,
        timeout=timeout,
        cancel_on_exit=cancel_on_exit,
        as_jsonl=as_jsonl,
    )
    data = read_image(file) if file is not None else None
    jobs, notes = converse(lambda client: _flash(client, order, data))
    for job in jobs:
        for remark in job.result.remarks if job.result is not None else ():
            say(f"{job.board} {job.partition}: {remark}")
    if as_json:
        put_json(api.JobList(jobs=tuple(jobs), notes=notes))
    elif not as_jsonl:
        put(job_table(jobs))
    return exit_code(jobs, waits=not no_wait)


async def _flash(client: Client, order: _Order, data: bytes | None) -> tuple[list[JobState], tuple[str, ...]]:
    changes = client.follow()
    await anext(changes)  # first, so that nothing that happens to the jobs is missed
    sha256 = ""
    if order.file is not None and data is not None:
        sha256 = await send_image(client, order.file, data, order.partition, order.boards)
    reply = await client.call(
        api.Flash(
            partition=order.partition,
            sha256=sha256,
            boards=order.boards,
            no_wait=order.no_wait,
            cancel_on_exit=order.cancel_on_exit,
        )
    )
    for note in reply.notes:
        say(f"warning: {note}")

    def is_followed_no_more(job: JobState) -> bool:
        return is_over(job) or (order.no_wait and waits_for_the_board(job))

    jobs = await follow(
        client, changes, reply.jobs, as_jsonl=order.as_jsonl, until=is_followed_no_more, patience=order.timeout
    )
    for job in (job for job in jobs if not job.is_settled):
        await _take_leave(client, job, order)
    return jobs, reply.notes


async def _take_leave(client: Client, job: JobState, order: _Order) -> None:
    """Say what becomes of a job that is not over: one that never began and was not to wait is taken back."""
    if order.cancel_on_exit:
        return
    if order.no_wait and waits_for_the_board(job) and not job.attempts:
        await client.call(api.Cancel(job=job.id))
        say(f"job {job.id} was taken back: board {job.board} cannot run it now")
    else:
        say(f"job {job.id} of board {job.board} stays; 'flashdeck cancel {job.id}' takes it back")
