"""`flashdeck reset`: boards out of DFU mode."""

import click

from flashdeck.errors import ExitCode
from flashdeck_tui.cli import live_options
from flashdeck_tui.cli.orders import Order, carry_out, ordered
from flashdeck_tui.cli.remote import boards_here


@click.command()
@live_options.any_boards
@click.option("--force", is_flag=True, help="Leave DFU mode also where a partition is incomplete.")
@ordered()
def command(*, boards: tuple[str, ...], force: bool, order: Order) -> ExitCode:
    """Take boards out of DFU mode now: they start their applications.

    BOARD is a name or a glob; without one, all boards that are in DFU mode. A job that runs there is done first; what
    else is queued waits until the board is back. A board that is running already is left alone.

    Exits with 13 where a partition is incomplete, and says which; --force starts the board all the same. Prints a row a
    board.
    """
    return carry_out(order, lambda bench: bench.reset(*boards_here(boards), force=force, **order.how))
