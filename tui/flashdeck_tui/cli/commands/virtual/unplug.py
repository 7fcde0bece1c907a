"""`flashdeck virtual unplug`: the cable comes out."""

import click

from flashdeck import api
from flashdeck_tui.cli import options
from flashdeck_tui.cli.commands.virtual.board_table import board_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json


@click.command()
@click.argument("board", type=options.name)
@options.as_json
def command(*, board: str, as_json: bool) -> None:
    """Pull the cable of BOARD: it loses power at once, whatever it is doing."""
    state = ask(api.VirtualUnplug(board=board), virtual=True)
    if as_json:
        put_json(state)
    else:
        put(board_table([state]))
