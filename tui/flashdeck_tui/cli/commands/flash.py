"""`flashdeck flash`: an image onto boards, by hand."""

from dataclasses import dataclass
from pathlib import Path

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode, RemoteError
from flashdeck.job_state import name_of, stands_still
from flashdeck.model import JobState
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.follow import follow, tell_of_queued
from flashdeck_tui.cli.image_file import read_image, send_image
from flashdeck_tui.cli.job_results import Result, put_result
from flashdeck_tui.cli.outcome import failure_of
from flashdeck_tui.cli.output import say


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """The arguments that were typed."""

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
@click.option("--no-wait", is_flag=True, help="Do not wait for a board: 4 if one is absent, else 13.")
@options.timeout(default=None, help="Stop following (6) after this long; the jobs stay in the queue.")
@click.option("--cancel-on-exit", is_flag=True, help="Cancel what is not done when this command ends, also if killed.")
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

    Follows the jobs to their end, and says what each board waits for. A board that is absent, or has to be brought into
    DFU mode, is waited for.

    A board on hold or a blocked job ends it with 13, once no other board is being flashed. 10 means that some of
    several boards failed. Prints a row a board.
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
    done = converse(lambda client: _flash(client, order, data))
    for job in done.jobs:
        for remark in job.result.remarks if job.result is not None else ():
            say(f"{job.board} {job.partition}: {remark}")
    return put_result(done, partition, as_json=as_json, as_jsonl=as_jsonl)


async def _flash(client: Client, order: _Order, data: bytes | None) -> Result:
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


def _is_unwanted(job: JobState, order: _Order) -> bool:
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
