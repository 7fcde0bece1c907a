"""`flashdeck hold`: boards that are not to be flashed for now."""

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, many_hosts, options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import hold as hold_line


@click.command()
@live_options.named_boards
@click.option("--reason", type=options.name, default="", metavar="TEXT", help="Why; shown wherever the board is.")
@options.as_json
def command(*, boards: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Put each BOARD on hold: nothing starts on it until 'flashdeck release'.

    BOARD is a name or a glob; '*' means all boards. A job that runs is finished first. Outlives a restart of the
    daemon.
    """
    reply = ask(api.Hold(boards=boards, reason=reason), join=many_hosts.boards)
    if as_json:
        put_json(reply)
    else:
        put("\n".join(map(hold_line, reply.boards)))
