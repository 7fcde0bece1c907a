"""`flashdeck hold`: a board that is not to be flashed for now."""

import click

from flashdeck import api
from flashdeck_tui.cli import options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import hold as hold_line


@click.command()
@click.argument("board", type=options.name)
@click.option("--reason", type=options.name, default="", metavar="TEXT", help="Why; shown wherever the board is.")
@options.as_json
def command(*, board: str, reason: str, as_json: bool) -> None:
    """Stop BOARD's lane from starting anything until it is released.

    A job that runs is finished first.
    """
    state = ask(api.Hold(board=board, reason=reason))
    if as_json:
        put_json(state)
    else:
        put(hold_line(state))
