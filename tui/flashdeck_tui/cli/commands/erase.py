"""`flashdeck erase`: a partition without contents."""

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode
from flashdeck_tui.cli import live_options
from flashdeck_tui.cli.orders import Order, carry_out, ordered


@click.command()
@live_options.partition
@live_options.boards
@ordered()
def command(*, partition: str, boards: tuple[str, ...], order: Order) -> ExitCode:
    """Erase all of PARTITION. The board stays in DFU mode.

    From then on new builds for it are offered, until you flash one. 'flashdeck plan PARTITION --erase' shows what
    it would do. Plain DFU 1.1 has no erase: 9.

    Follows the jobs and ends as 'flash' does. Prints a row a board.
    """

    async def ask(client: Client) -> api.JobList:
        return await client.call(
            api.Erase(partition=partition, boards=boards, no_wait=order.no_wait, cancel_on_exit=order.cancel_on_exit)
        )

    return carry_out(order, partition, ask)
