"""`flashdeck virtual fault`: something goes wrong, on demand."""

from typing import Final

import click

from flashdeck import api
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.virtual.board_table import board_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.live_names import fixed
from flashdeck_tui.cli.output import put, put_json

FAULTS: Final = (
    *("stall", "timeout", "lost-answer", "error-status", "wrong-state", "hang", "unplug", "error-erase", "error-write"),
    *("corrupt", "corrupt-word", "silent-erase", "silent-write"),
    *("app-vanish", "app-hang", "app-reset", "app-restart"),
)
"""The faults that the emulated boards of this release have."""


@click.command(epilog=f"FAULT is one of: {', '.join(FAULTS)}.")
@live_options.virtual_board
@click.argument("fault", type=options.name, shell_complete=fixed(*FAULTS))
@click.option(
    "--after",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="At the N-th DFU request from now; 1 is the next. For app-…: in the N-th start, 1 is the one that runs.",
)
@click.option(
    "--times",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="How often it happens, in a row.",
)
@click.option(
    "--address",
    type=options.size,
    metavar="ADDRESS",
    help="Only to erases or writes of this byte of the flash; what is corrupted is corrupted there.",
)
@click.option(
    "--delay",
    type=click.FloatRange(0, 3600),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="For app-…: so long after that start; at once, if that is over.",
)
@options.as_json
def command(
    *, board: str, fault: str, after: int, times: int, address: int | None, delay: float, as_json: bool
) -> None:
    """Let FAULT happen on BOARD, an emulated board: at one of its next requests, or to its application."""
    params = api.VirtualFault(board=board, fault=fault, after=after, times=times, address=address, delay=delay)
    state = ask(params, virtual=True)
    if as_json:
        put_json(state)
    else:
        put(board_table([state]))
