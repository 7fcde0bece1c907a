"""Runs `flashdeckd` beside a command, which never loads the daemon: it answers in JSON, one object a line."""

import json
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar, cast

import click
import msgspec

from flashdeck import own_python
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError, RemoteError
from flashdeck.extras import Extra, require
from flashdeck.first_board.found import ScanLine
from flashdeck.job_state import Failure
from flashdeck.text import clean
from flashdeck_tui.cli.connect import is_read_only, whereabouts
from flashdeck_tui.cli.output import say
from flashdeck_tui.cli.remote import only_host

_A = TypeVar("_A")
_PROGRAM = own_python.module("flashdeckd")


def without_daemon(error: ConnectionFailedError) -> None:
    """Say that a command looks without the daemon that `error` has not found.

    Raises it where there is another trouble, or where the daemon that was asked for is another machine's: what is
    plugged in here is not what was asked for then. So it does where only a daemon could see to it that nothing is
    changed. Where flashdeckd cannot run here, it says so, too.
    """
    context = click.get_current_context()
    if error.kind is not ErrorKind.UNREACHABLE or only_host(context) or is_read_only(context):
        raise error
    try:
        require(Extra.DAEMON, "a look without one")
    except FlashdeckError as lacking:
        raise ConnectionFailedError(f"{error.message}, and {lacking.message}", hint=lacking.hint) from error
    say("no daemon answers: looking without one")
    say_who_else_runs(context)


def say_who_else_runs(context: click.Context) -> None:
    """Say which other daemon runs, where none answers that was asked for: a virtual bench may be what is meant."""
    if elsewhere := whereabouts(context).elsewhere:
        say(elsewhere)


def answer_of(kind: type[_A], *words: str) -> _A:
    """Return the one answer of `flashdeckd` to these arguments; what it says on stderr is passed on.

    Raises the error that it answers with, and FlashdeckError where it does not answer so.
    """
    run = subprocess.run(  # noqa: S603 - our own program
        [*_PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    said = run.stderr.decode(errors="replace").strip().splitlines()
    try:
        answer = _answer(kind, run.stdout)
    except (ValueError, msgspec.ValidationError) as error:
        last = clean(said[-1]) if said else "it said nothing"
        raise _mute(words[0], f"ended with {run.returncode}: {last}") from error
    for line in said:
        say(line)
    return answer


def builds_below(directory: Path) -> ScanLine:
    """Return the builds below a directory, the newest first, and notes on what was not looked at."""
    return answer_of(ScanLine, "scan", "--no-devices", "--", str(directory))


def plugged_devices() -> ScanLine:
    """Return the devices that are plugged in, without a daemon."""
    return answer_of(ScanLine, "scan")


@contextmanager
def following_devices() -> Generator[Iterator[ScanLine]]:
    """Give the devices that are plugged in, and all of them again whenever that changes."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [*_PROGRAM, "scan", "--follow"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a Ctrl-C, which is for us
        start_new_session=True,
    ) as process:
        try:
            yield _scan_lines(cast("IO[bytes]", process.stdout))
        finally:
            # It ends with its input. Nobody reads on, so it must not wait for room in the pipe either.
            cast("IO[bytes]", process.stdin).close()
            cast("IO[bytes]", process.stdout).close()


def _scan_lines(lines: Iterator[bytes]) -> Iterator[ScanLine]:
    for line in lines:
        try:
            yield _answer(ScanLine, line)
        except (ValueError, msgspec.ValidationError) as error:
            raise _mute("scan", f"answers with what cannot be understood ({error})") from error


def _answer(kind: type[_A], line: bytes) -> _A:
    answer: object = json.loads(line)
    if isinstance(answer, dict) and "error" in answer:
        failure = msgspec.convert(cast("dict[str, object]", answer)["error"], Failure)
        raise RemoteError(failure.message, hint=failure.hint, kind=failure.kind)
    return msgspec.convert(cast("object", answer), kind)


def _mute(command: str, how: str) -> FlashdeckError:
    return FlashdeckError(f"flashdeckd {command} {how}", hint=f"run it by hand: flashdeckd {command}")
