"""`flashdeck virtual plug`: the cable goes in."""

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.virtual.board_table import board_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json


@click.command()
@live_options.named_virtual_boards
@options.as_json
def command(*, boards: tuple[str, ...], as_json: bool) -> None:
    """Plug in each BOARD, in the mode that it powers up in.

    BOARD is a name or a glob.
    """
    reply = ask(api.VirtualPlug(boards=boards), virtual=True)
    if as_json:
        put_json(reply)
    else:
        put(board_table(reply.boards))
