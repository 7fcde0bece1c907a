"""`flashdeck virtual list`: the emulated boards and what they counted."""

import click

from flashdeck import api
from flashdeck_tui.cli import options
from flashdeck_tui.cli.commands.virtual.board_table import board_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json


@click.command(name="list")
@options.as_json
def command(*, as_json: bool) -> None:
    """List the emulated boards and what each has counted."""
    reply = ask(api.VirtualList(), virtual=True)
    if as_json:
        put_json(reply)
    else:
        put(board_table(reply.boards) if reply.boards else "no boards on this bench")
