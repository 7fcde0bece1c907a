"""`flashdeck flash`: an image onto boards, by hand."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode
from flashdeck.model import JobState
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.follow import follow
from flashdeck_tui.cli.image import read_image, send_image
from flashdeck_tui.cli.outcome import exit_code
from flashdeck_tui.cli.output import put, put_json, say


@click.command(epilog=options.FILES)
@live_options.partition
@click.argument("file", type=click.Path(path_type=Path), required=False)
@live_options.boards
@click.option("--no-wait", is_flag=True, help="Fail (4) where a board is absent, instead of waiting for it.")
@options.as_json
@options.as_jsonl
def command(
    *, partition: str, file: Path | None, boards: tuple[str, ...], no_wait: bool, as_json: bool, as_jsonl: bool
) -> ExitCode:
    """Flash FILE, or the newest build, into PARTITION.

    Follows the jobs until each has ended or is held. A board that is absent is waited for.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    data = read_image(file) if file is not None else None

    async def work(client: Client) -> tuple[list[JobState], tuple[str, ...]]:
        changes = client.follow()
        await anext(changes)  # first, so that nothing that happens to the jobs is missed
        sha256 = ""
        if file is not None and data is not None:
            sha256 = await send_image(client, file, data, partition, boards)
        order = api.Flash(partition=partition, sha256=sha256, boards=boards, present_only=no_wait)
        reply = await client.call(order)
        for note in reply.notes:
            say(f"warning: {note}")
        return await follow(client, changes, reply.jobs, as_jsonl=as_jsonl), reply.notes

    jobs, notes = converse(work)
    for job in jobs:
        for remark in job.result.remarks if job.result is not None else ():
            say(f"{job.board} {job.partition}: {remark}")
    if as_json:
        put_json({"jobs": jobs, "notes": notes})
    elif not as_jsonl:
        put(job_table(jobs))
    return exit_code(jobs)
