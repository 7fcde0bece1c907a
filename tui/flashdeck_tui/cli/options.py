"""Options and kinds of values that several commands share."""

import functools
from collections.abc import Callable
from typing import Any

import click

from flashdeck.errors import RequestError
from flashdeck.image_formats import SUFFIXES_IN_WORDS
from flashdeck.model import JobStatus
from flashdeck.names import required
from flashdeck.text import clean, parse_size
from flashdeck_tui.cli import live_names

Command = Callable[..., Any]
Complete = Callable[[click.Context, click.Parameter, str], Any]
"""What a shell may complete a word with."""

FILES = f"FILE is an image file as builds write it: {SUFFIXES_IN_WORDS}. Its contents tell the format, not its name."
"""Stands below the help of each command that takes such a file."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
as_jsonl = click.option("--jsonl", "as_jsonl", is_flag=True, help="Print a JSON object a line, as things happen.")


def name(value: str) -> str:
    """The name of a board, a partition or a fault: any text that can travel as UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise click.BadParameter(f"'{clean(value)}' is not UTF-8.") from error
    return value


def size(value: str) -> int:
    """A number of bytes or an address, in any spelling that the configuration takes."""
    try:
        return parse_size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


boards = click.option(
    "--board",
    "boards",
    multiple=True,
    type=name,
    metavar="NAME|GLOB",
    shell_complete=live_names.boards,
    help="Only these boards (repeatable). Default: all boards that have the partition.",
)
"""For a command whose words mean something else than boards."""


def _board_words(*, needed: bool, complete: Complete) -> Callable[[Command], Command]:
    """Boards as words and as `--board`, both in one parameter `boards`.

    Where they are `needed`, a command line without any is refused: nothing happens to all boards by accident.
    """
    spelled = "BOARD..." if needed else "[BOARD]..."

    def decorate(command: Command) -> Command:
        @click.argument("words", nargs=-1, type=name, metavar=spelled, shell_complete=complete)
        @click.option(
            "--board",
            "more",
            multiple=True,
            type=name,
            metavar="NAME|GLOB",
            shell_complete=complete,
            help="The same as BOARD (repeatable).",
        )
        @functools.wraps(command)
        def with_boards(*, words: tuple[str, ...], more: tuple[str, ...], **others: object) -> object:
            named = (*words, *more)
            return command(boards=required(named) if needed else named, **others)

        return with_boards

    return decorate


any_boards = _board_words(needed=False, complete=live_names.boards)
"""Names and globs of boards; without any, all boards are meant."""
named_boards = _board_words(needed=True, complete=live_names.boards)
"""Names and globs of boards, at least one."""
named_virtual_boards = _board_words(needed=True, complete=live_names.virtual_boards)
"""Names and globs of emulated boards, at least one."""
virtual_board = click.argument("board", type=name, shell_complete=live_names.virtual_boards)
"""One emulated board: its name, or a glob that means one."""
partition = click.argument("partition", type=name, shell_complete=live_names.partitions)

status = click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in JobStatus]),
    help="Only jobs with this status (repeatable).",
)


def job(complete: Complete) -> Callable[[Command], Command]:
    """The number of a job; as large as the daemon's journal (SQLite) may count."""
    return click.argument("job", type=click.IntRange(1, 2**63 - 1), shell_complete=complete)


def one_of(*, as_json: bool, as_jsonl: bool) -> None:
    """Refuses `--json` and `--jsonl` together.

    Raises:
        RequestError: both were given.
    """
    if as_json and as_jsonl:
        raise RequestError("--json and --jsonl were both given", hint="take one of them")
