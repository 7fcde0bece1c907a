"""`flashdeck adopt`: a device that is plugged in becomes a configured board."""

import click

from flashdeck import api
from flashdeck_tui.cli import options
from flashdeck_tui.cli.commands.boards import board_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.live_names import profiles, strangers
from flashdeck_tui.cli.output import put, put_json


@click.command()
@click.argument("device", type=options.name, shell_complete=strangers)
@click.option(
    "--profile",
    type=options.name,
    default="",
    metavar="NAME",
    shell_complete=profiles,
    help="Its profile. Default: the one that has its USB id.",
)
@click.option(
    "--name", type=options.name, default="", metavar="NAME", help="The board's name. Default: made from the profile's."
)
@options.as_json
def command(*, device: str, profile: str, name: str, as_json: bool) -> None:
    """Make DEVICE a board of the bench.

    DEVICE is the port or the serial of a device in DFU mode that 'flashdeck boards' lists as not configured. Its
    serial, memory map and version number are pinned: if one of them changes, the board is put on hold. The daemon
    keeps it in boards.toml beside its configuration.
    """
    state = ask(api.Adopt(device=device, profile=profile, name=name))
    if as_json:
        put_json(state)
    else:
        put(board_table([state]))
