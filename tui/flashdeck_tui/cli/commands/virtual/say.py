"""`flashdeck virtual say`: a line on the serial port of a board's application."""

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.virtual.board_table import board_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json


@click.command()
@live_options.virtual_board
@click.argument("text")
@options.as_json
def command(*, board: str, text: str, as_json: bool) -> None:
    """Let the application of BOARD, an emulated board, say TEXT on its serial port, as one line."""
    state = ask(api.VirtualSay(board=board, text=text), virtual=True)
    if as_json:
        put_json(state)
    else:
        put(board_table([state]))
