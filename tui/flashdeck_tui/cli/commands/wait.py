"""`flashdeck wait`: until an image is on the boards."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.api import JobList
from flashdeck.client import Client
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.image import read_image, send_image
from flashdeck_tui.cli.output import put, put_json


@click.command(epilog=options.FILES)
@live_options.partition
@click.option("--for", "file", type=click.Path(path_type=Path), metavar="FILE", help="Wait for the image in it.")
@live_options.boards
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, max=86_400),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up (6) after this long.",
)
@options.as_json
def command(*, partition: str, file: Path | None, boards: tuple[str, ...], timeout: float, as_json: bool) -> None:
    """Return once the image of --for, or the newest build, is on the boards' PARTITION.

    Files of one build are the same image in every format, whichever of them was flashed. Only a .bin with filled gaps
    is another one.

    Returns at once, with the exit code that says why, when that can no longer happen.
    """
    data = read_image(file) if file is not None else None

    async def work(client: Client) -> JobList:
        sha256 = ""
        if file is not None and data is not None:
            sha256 = await send_image(client, file, data, partition, boards)
        return await client.call(api.Wait(partition=partition, sha256=sha256, boards=boards, timeout=timeout))

    reply = converse(work)
    if as_json:
        put_json(reply)
    elif reply.jobs:
        put(job_table(reply.jobs))
