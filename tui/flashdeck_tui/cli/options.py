"""Options and kinds of values that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from flashdeck.errors import RequestError
from flashdeck.image_formats import SUFFIXES_IN_WORDS
from flashdeck.job_state import NAMES
from flashdeck.text import clean, parse_size

_F = TypeVar("_F", bound=Callable[..., Any])
FILES = f"FILE is an image file as builds write it: {SUFFIXES_IN_WORDS}. Its contents tell the format, not its name."
"""Stands below the help of each command that takes such a file."""
PLACED = (
    "FILE without PARTITION belongs where its addresses are; a .bin, where its vector table proves it. That is one "
    "board: where several come in question, the command names them and exits with 7, unless --board chooses."
)
"""The same for each command that takes a file without a partition."""

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


force_read = click.option(
    "--force",
    is_flag=True,
    help="Read also where reads were refused, or seen not to be true. What they say may be false.",
)

status = click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(NAMES),
    metavar="STATUS",
    help=f"Only jobs with this status (repeatable): {', '.join(NAMES)}.",
)


def one_of(*, as_json: bool, as_jsonl: bool) -> None:
    """Refuses `--json` and `--jsonl` together.

    Raises:
        RequestError: both were given.
    """
    if as_json and as_jsonl:
        raise RequestError("--json and --jsonl were both given", hint="take one of them")


def timeout(*, default: float | None, help: str) -> Callable[[_F], _F]:  # noqa: A002 -- click calls it so
    """Return the option `--timeout`."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0, max=86_400),
        default=default,
        show_default=default is not None,
        metavar="SECONDS",
        help=help,
    )
