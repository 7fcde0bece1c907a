"""`flashdeck verify`: what boards have, compared by reading."""

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
@options.force_read
@ordered()
def command(*, target: str, file: Path | None, boards: tuple[str, ...], force: bool, order: Order) -> ExitCode:
    """Read PARTITION and compare it with FILE, or with what flashdeck knows of it.

    Erases and writes nothing, and leaves a board as it was: one that was running is started again.

    Ends with 5 where something is different, and says how many bytes and where the first is. Ends with 13 where the
    board cannot be read. Prints a row a board; all else is as with 'flash'.
    """
    wanted = Wanted.of(target, file, boards)

    async def ask(client: Client) -> api.JobList:
        found = await destinations(client, wanted)
        with explained(wanted):
            replies = [
                await client.call(
                    api.Verify(
                        partition=each.partition,
                        sha256=each.sha256,
                        boards=each.boards,
                        force=force,
                        no_wait=order.no_wait,
                        cancel_on_exit=order.cancel_on_exit,
                    )
                )
                for each in found
            ]
        return together(replies)

    return carry_out(order, target, ask)
