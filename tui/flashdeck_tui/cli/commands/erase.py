"""`flashdeck erase`: a partition without contents."""

import click

from flashdeck.errors import ExitCode
from flashdeck_tui.cli import live_options
from flashdeck_tui.cli.orders import Order, carry_out, ordered
from flashdeck_tui.cli.remote import boards_here


@click.command()
@live_options.partition
@live_options.boards
@ordered()
def command(*, partition: str, boards: tuple[str, ...], order: Order) -> ExitCode:
    """Erase all of PARTITION. The board stays in DFU mode.

    From then on new builds for it are offered, until you flash one. 'flashdeck plan PARTITION --erase' shows what
    it would do. Plain DFU 1.1 has no erase: then it exits with 9.

    Follows the jobs and ends as 'flash' does. Prints a row a board.
    """
    return carry_out(order, lambda bench: bench.erase(partition, boards=boards_here(boards), **order.how), note="")
