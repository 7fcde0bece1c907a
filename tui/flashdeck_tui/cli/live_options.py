"""Words and options of a command line that a shell completes from the running daemon."""

import functools
from collections.abc import Callable
from typing import Any, Final

import click

from flashdeck.names import required
from flashdeck_tui.cli import live_names, options
from flashdeck_tui.cli.live_names import Complete
from flashdeck_tui.cli.remote import note_boards, note_job

Command = Callable[..., Any]
MOST_JOBS: Final = 2**63 - 1
"""The number of a job at the most: as large as the daemon's journal (SQLite) may count."""


def noted_boards(context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Note the boards of an option or an argument: a machine of which none is meant is not asked."""
    note_boards(context, value)
    return value


def _noted_one(context: click.Context, _parameter: click.Parameter, value: str) -> str:
    note_boards(context, (value,))
    return value


def _noted_lot(context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value:
        note_boards(context, (value,))
    return value


boards = click.option(
    "--board",
    "boards",
    multiple=True,
    type=options.name,
    metavar="NAME|GLOB",
    shell_complete=live_names.boards,
    callback=noted_boards,
    help="Only these boards (repeatable). Default: all boards that have the partition.",
)
"""For a command whose words mean something else than boards."""


def _board_words(*, needed: bool, complete: Complete) -> Callable[[Command], Command]:
    """Boards as words and as `--board`, both in one parameter `boards`.

    Where they are `needed`, a command line without any is refused: nothing happens to all boards by accident.
    """
    spelled = "BOARD..." if needed else "[BOARD]..."

    def decorate(command: Command) -> Command:
        @click.argument("words", nargs=-1, type=options.name, metavar=spelled, shell_complete=complete)
        @click.option(
            "--board",
            "more",
            multiple=True,
            type=options.name,
            metavar="NAME|GLOB",
            shell_complete=complete,
            help="The same as BOARD (repeatable).",
        )
        @functools.wraps(command)
        def with_boards(*, words: tuple[str, ...], more: tuple[str, ...], **others: object) -> object:
            named = (*words, *more)
            note_boards(click.get_current_context(), named)
            return command(boards=required(named) if needed else named, **others)

        return with_boards

    return decorate


any_boards = _board_words(needed=False, complete=live_names.boards)
"""Names and globs of boards; without any, all boards are meant."""
named_boards = _board_words(needed=True, complete=live_names.boards)
"""Names and globs of boards, at least one."""
named_virtual_boards = _board_words(needed=True, complete=live_names.virtual_boards)
"""Names and globs of emulated boards, at least one."""
any_slots = click.argument(
    "slots",
    nargs=-1,
    type=options.name,
    metavar="[SLOT]...",
    shell_complete=live_names.slots,
    callback=noted_boards,
)
"""Names and globs of slots; without any, all slots are meant."""


def _lot(complete: Complete) -> Callable[[Command], Command]:
    """The name of a lot, or none; as it is printed for several machines, HOST/LOT, it is that machine's alone."""
    return click.argument("name", type=options.name, default="", callback=_noted_lot, shell_complete=complete)


any_lot = _lot(live_names.lots)
"""The name of a lot that there is, or was; or none."""
lot_going_on = _lot(live_names.lots_going_on)
"""The name of a lot that goes on; or none."""
board = click.argument(
    "board",
    type=options.name,
    shell_complete=live_names.boards,
    callback=_noted_one,
)
"""One board: its name, or a glob that means one."""
virtual_board = click.argument("board", type=options.name, shell_complete=live_names.virtual_boards)
"""One emulated board: its name, or a glob that means one."""
partition = click.argument("partition", type=options.name, shell_complete=live_names.partitions)

partition_or_file = click.argument(
    "target", type=options.name, metavar="PARTITION|FILE", shell_complete=live_names.partitions_or_file
)
"""A partition; or, where no file follows, a file that says itself where it belongs."""


def _job(context: click.Context, parameter: click.Parameter, value: str) -> int:
    host, _, number = value.rpartition("/")
    found = click.IntRange(1, MOST_JOBS).convert(number if host else value, parameter, context)  # pyright: ignore[reportArgumentType] - text is what it converts
    if host:
        note_job(context, host, found)
    return found


def job(complete: Complete) -> Callable[[Command], Command]:
    """The number of a job; as it is printed for several machines, HOST/JOB, it counts there alone."""
    return click.argument("job", callback=_job, shell_complete=complete)
