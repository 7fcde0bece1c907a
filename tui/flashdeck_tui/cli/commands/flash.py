"""`flashdeck flash`: an image onto boards, by hand."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.destinations import Wanted, destinations, explained
from flashdeck_tui.cli.orders import Order, carry_out, ordered, together


@click.command(epilog=f"{options.FILES}\n\n{options.PLACED}")
@live_options.partition_or_file
@click.argument("file", type=click.Path(path_type=Path), required=False)
@live_options.boards
@ordered()
def command(*, target: str, file: Path | None, boards: tuple[str, ...], order: Order) -> ExitCode:
    """Flash FILE, or the newest build, into PARTITION.

    Follows the jobs to their end, and says what each board waits for. A board that is absent, or has to be brought into
    DFU mode, is waited for.

    A board on hold or a blocked job ends it with 13, once no other board is being flashed. 10 means that some of
    several boards failed. Prints a row a board.
    """
    wanted = Wanted.of(target, file, boards)

    async def ask(client: Client) -> api.JobList:
        found = await destinations(client, wanted)
        with explained(wanted):
            replies = [
                await client.call(
                    api.Flash(
                        partition=each.partition,
                        sha256=each.sha256,
                        boards=each.boards,
                        no_wait=order.no_wait,
                        cancel_on_exit=order.cancel_on_exit,
                    )
                )
                for each in found
            ]
        return together(replies)

    return carry_out(order, target, ask)
