"""`flashdeck virtual swap`: another unit in a port of the bench."""

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.virtual.board_table import board_table
from flashdeck_tui.cli.commands.virtual.fault import FAULTS
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.live_names import fixed
from flashdeck_tui.cli.output import put, put_json


@click.command()
@live_options.virtual_board
@click.option("--serial", type=options.name, metavar="TEXT", help="Its serial. Default: the same as the one before.")
@click.option(
    "--fault",
    type=options.name,
    default="",
    shell_complete=fixed(*FAULTS),
    metavar="FAULT",
    help="It always has this fault: it is broken.",
)
@options.as_json
def command(*, board: str, serial: str | None, fault: str, as_json: bool) -> None:
    """Take the unit of BOARD out of its port and put a new one in, as a hand does with a slot.

    The new one is of the same model with a fresh flash.
    """
    state = ask(api.VirtualSwap(board=board, serial=serial, fault=fault), virtual=True)
    if as_json:
        put_json(state)
    else:
        put(board_table([state]))
