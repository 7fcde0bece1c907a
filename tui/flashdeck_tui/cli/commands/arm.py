"""`flashdeck arm`: new builds flash by themselves again."""

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import armed


@click.command()
@live_options.any_boards
@options.as_json
def command(*, boards: tuple[str, ...], as_json: bool) -> None:
    """Let new builds flash by themselves again. This is how a board starts out.

    BOARD is a name or a glob; without one, all boards. Builds offered while disarmed still need a manual flash:
    'flashdeck flash PARTITION'.
    """
    reply = ask(api.Arm(boards=boards))
    if as_json:
        put_json(reply)
    else:
        put("\n".join(map(armed, reply.boards)))
