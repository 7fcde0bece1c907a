"""`flashdeck wait`: until an image is on the boards."""

import hashlib
from pathlib import Path

import click

from flashdeck import api
from flashdeck.errors import RequestError
from flashdeck.text import clean
from flashdeck_tui.cli import options
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.image import read_image
from flashdeck_tui.cli.output import put, put_json

_CONTAINERS = (".elf", ".hex", ".dfu")
"""Files that hold an image among other things; only the daemon takes them apart."""


@click.command()
@click.argument("partition", type=options.name)
@click.option("--for", "file", type=click.Path(path_type=Path), metavar="FILE", help="Wait for these very bytes.")
@options.boards
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

    Returns at once, with the exit code that says why, when that can no longer happen.
    """
    if file is not None and file.suffix.lower() in _CONTAINERS:
        raise RequestError(
            f"{clean(file.name)} can not be waited for: it is known by the image in it",
            hint="name the .bin of the same build, or leave --for out to wait for the newest build",
        )
    sha256 = hashlib.sha256(read_image(file)).hexdigest() if file is not None else ""
    reply = ask(api.Wait(partition=partition, sha256=sha256, boards=boards, timeout=timeout))
    if as_json:
        put_json(reply)
    elif reply.jobs:
        put(job_table(reply.jobs))
