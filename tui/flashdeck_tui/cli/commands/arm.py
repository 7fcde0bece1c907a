"""`flashdeck arm`: new builds flash by themselves again."""

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, many_hosts, options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import armed


@click.command()
@live_options.any_boards
@click.option("--once", is_flag=True, help="Arm for one job: the next build that is flashed by itself.")
@options.as_json
def command(*, boards: tuple[str, ...], once: bool, as_json: bool) -> None:
    """Let new builds flash by themselves again. This is how a board starts out.

    BOARD is a name or a glob; without one, all boards. Builds offered while disarmed still need a manual flash:
    'flashdeck flash PARTITION'.

    With --once a board is disarmed again by the next build that is flashed by itself, with its first erase, or where
    the board has it already. A job that ends before that leaves the board armed. While that job waits, builds for other
    partitions are offered.
    """
    reply = ask(api.Arm(boards=boards, once=once), join=many_hosts.boards)
    if as_json:
        put_json(reply)
    else:
        put("\n".join(map(armed, reply.boards)))
