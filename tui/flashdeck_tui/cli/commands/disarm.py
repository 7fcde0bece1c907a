"""`flashdeck disarm`: new images are only offered."""

import click

from flashdeck import api
from flashdeck_tui.cli import options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import armed


@click.command()
@options.any_boards
@options.as_json
def command(*, boards: tuple[str, ...], as_json: bool) -> None:
    """Flash nothing new by itself any more: new images are only offered, until 'flashdeck arm'.

    What is queued stays queued, and 'flashdeck flash PARTITION' goes on working. Outlives a restart of the daemon.
    """
    reply = ask(api.Disarm(boards=boards))
    if as_json:
        put_json(reply)
    else:
        put("\n".join(map(armed, reply.boards)))
