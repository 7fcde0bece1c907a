"""`flashdeck flash`: an image onto boards, by hand."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.image_file import read_image, send_image
from flashdeck_tui.cli.orders import Order, carry_out, ordered


@click.command(epilog=options.FILES)
@live_options.partition
@click.argument("file", type=click.Path(path_type=Path), required=False)
@live_options.boards
@ordered()
def command(*, partition: str, file: Path | None, boards: tuple[str, ...], order: Order) -> ExitCode:
    """Flash FILE, or the newest build, into PARTITION.

    Follows the jobs to their end, and says what each board waits for. A board that is absent, or has to be brought into
    DFU mode, is waited for.

    A board on hold or a blocked job ends it with 13, once no other board is being flashed. 10 means that some of
    several boards failed. Prints a row a board.
    """
    data = read_image(file) if file is not None else None

    async def ask(client: Client) -> api.JobList:
        sha256 = ""
        if file is not None and data is not None:
            sha256 = await send_image(client, file, data, partition, boards)
        return await client.call(
            api.Flash(
                partition=partition,
                sha256=sha256,
                boards=boards,
                no_wait=order.no_wait,
                cancel_on_exit=order.cancel_on_exit,
            )
        )

    return carry_out(order, partition, ask)
