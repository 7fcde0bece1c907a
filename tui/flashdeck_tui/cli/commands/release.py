"""`flashdeck release`: the end of a hold."""

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, many_hosts, options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import hold as hold_line


@click.command()
@live_options.named_boards
@options.as_json
def command(*, boards: tuple[str, ...], as_json: bool) -> None:
    """End the hold of each BOARD, and try its blocked jobs again.

    BOARD is a name or a glob; '*' means all boards. Also accepts the unproven flash bank and forgets recorded
    bootloader faults.
    """
    reply = ask(api.Release(boards=boards), join=many_hosts.boards)
    if as_json:
        put_json(reply)
    else:
        put("\n".join(map(hold_line, reply.boards)))
