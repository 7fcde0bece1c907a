"""`flashdeck release`: the end of a hold."""

import click

from flashdeck import api
from flashdeck_tui.cli import options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import hold as hold_line


@click.command()
@click.argument("board", type=options.name)
@options.as_json
def command(*, board: str, as_json: bool) -> None:
    """End the hold of BOARD; its queue goes on.

    Its held jobs are looked at again. A bank of its flash for which one was held is from now on written without proof,
    and what is held against its bootloader is tried anew.
    """
    state = ask(api.Release(board=board))
    if as_json:
        put_json(state)
    else:
        put(hold_line(state))
