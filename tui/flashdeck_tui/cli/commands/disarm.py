"""`flashdeck disarm`: builds are offered, not flashed."""

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, many_hosts, options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import armed


@click.command()
@live_options.any_boards
@options.as_json
def command(*, boards: tuple[str, ...], as_json: bool) -> None:
    """Only offer new builds from now on, until 'flashdeck arm'.

    BOARD is a name or a glob; without one, all boards. The queue goes on, and 'flashdeck flash PARTITION' still works.
    Outlives a restart of the daemon.
    """
    reply = ask(api.Disarm(boards=boards), join=many_hosts.boards)
    if as_json:
        put_json(reply)
    else:
        put("\n".join(map(armed, reply.boards)))
