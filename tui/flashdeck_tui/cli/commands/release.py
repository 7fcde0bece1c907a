"""`flashdeck release`: the end of a hold."""

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, many_hosts, options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import hold as hold_line


@click.command()
@live_options.named_boards
@click.option(
    "--force",
    is_flag=True,
    help="Also end another person's hold, and the lease of whoever has taken BOARD, with all its boards; the log names "
    "both.",
)
@options.as_json
def command(*, boards: tuple[str, ...], force: bool, as_json: bool) -> None:
    """End the hold of each BOARD, and try its blocked jobs again.

    BOARD is a name or a glob; '*' means all boards. Also accepts the unproven flash bank and forgets recorded
    bootloader faults. Where several people use the bench, another person's hold needs --force.
    """
    reply = ask(api.Release(boards=boards, force=force), join=many_hosts.boards)
    if as_json:
        put_json(reply)
    else:
        put("\n".join(map(hold_line, reply.boards)))
