"""`flashdeck flash`: an image onto boards, by hand."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.image_file import read_image, send_image
from flashdeck_tui.cli.job_results import Result, put_result
from flashdeck_tui.cli.order import Order, followed


@click.command(epilog=options.FILES)
@live_options.partition
@click.argument("file", type=click.Path(path_type=Path), required=False)
@live_options.boards
@options.no_wait
@options.patience
@options.cancel_on_exit
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
    order = Order(no_wait=no_wait, timeout=timeout, cancel_on_exit=cancel_on_exit, as_jsonl=as_jsonl)
    data = read_image(file) if file is not None else None

    async def work(client: Client) -> Result:
        changes = client.follow()
        await anext(changes)  # first, so that nothing that happens to the jobs is missed
        sha256 = ""
        if file is not None and data is not None:
            sha256 = await send_image(client, file, data, partition, boards)
        asked = api.Flash(
            partition=partition, sha256=sha256, boards=boards, no_wait=no_wait, cancel_on_exit=cancel_on_exit
        )
        return await followed(client, changes, asked, order)

    return put_result(converse(work), partition, as_json=as_json, as_jsonl=as_jsonl)
