"""Data to stdout, messages to stderr; colour only on a terminal that wants it.

Nothing that a device, a file or a daemon said reaches a terminal uncleaned, whoever cleaned it before.
"""

import errno
import os
import stat
import sys
from contextvars import ContextVar
from enum import StrEnum
from io import TextIOWrapper
from typing import BinaryIO, TextIO, cast

from flashdeck.errors import MAX_PARTS, ErrorKind
from flashdeck.full_json import full_json, plain
from flashdeck.job_state import Failure
from flashdeck.text import MAX_MESSAGE, clean
from flashdeck.value import Value
from flashdeck_tui.ascii_text import to_ascii
from flashdeck_tui.cli.answers import HostsFailed, Refusal
from flashdeck_tui.cli.remote import failed_hosts, for_host, speaking_for
from flashdeck_tui.locale_text import shows_only_ascii
from flashdeck_tui.terminal import takes_control_sequences

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
"""True while no talk is wanted. Each command line has a context of its own."""


class UnreadError(Exception):
    """Nobody reads any more. What was under way was ended in order."""


class Colour(StrEnum):
    """ANSI colours by what they say; the value is the SGR parameter."""

    GOOD = "32"
    BUSY = "36"
    WARNING = "33"
    BAD = "31"
    FAINT = "2"
    STRONG = "1"


def accept_any_text() -> None:
    """Lets stdout replace what its encoding cannot express: a Latin-1 terminal must not end a command."""
    stdout: object = sys.stdout
    if isinstance(stdout, TextIOWrapper):
        cast("TextIOWrapper[BinaryIO]", stdout).reconfigure(errors="replace")


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether `stream` is a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def paint(text: str, colour: Colour | None, stream: TextIO | None) -> str:
    """`text` in `colour` where `stream` is a terminal and neither NO_COLOR nor a dumb terminal says no."""
    wanted = is_terminal(stream) and not os.environ.get("NO_COLOR") and takes_control_sequences()
    return f"\x1b[{colour.value}m{text}\x1b[0m" if colour and wanted else text


def one_line(text: str) -> str:
    """`text` without line breaks and control characters."""
    return clean(" ".join(text.splitlines()), MAX_MESSAGE)


def be_quiet() -> None:
    """From here to the end of this command line, talk goes nowhere; errors do."""
    _quiet.set(True)


def say(text: str) -> None:
    """One line of talk on stderr; where several machines are asked, with the one that it is about."""
    write_talk(_named(text) + "\n")


def write_talk(text: str) -> None:
    """Finished terminal output on stderr, control sequences included: only for text that was put together here."""
    if not _quiet.get():
        _write(sys.stderr, text)


def write_question(text: str) -> None:
    """The same for what a person is asked, also where talk goes nowhere: nobody can answer it unseen."""
    _write(sys.stderr, text)


def complain(text: str) -> None:
    """One line on stderr about something that went wrong, also for those who want no talk."""
    _write(sys.stderr, _named(text) + "\n")


def _named(text: str) -> str:
    host = speaking_for.get()
    text = for_host(text)
    return one_line(f"{host}: {text}" if host else text)


def put(text: str) -> bool:
    """Data on stdout, one or more finished lines. False once nobody reads it any more."""
    return _write(sys.stdout, for_host(text) + "\n")


def put_json(value: Value) -> bool:
    """One JSON object on one line of stdout, as pure ASCII. False once nobody reads it any more.

    Where some of several machines failed, it says so of each.
    """
    failed = failed_hosts.get()
    shown = full_json({**cast("dict[str, object]", plain(value)), "failed_hosts": failed} if failed else value)
    return _write(sys.stdout, shown + "\n")


def put_failed_hosts(*, as_jsonl: bool) -> None:
    """Print, as the last line of `--jsonl`, which machines failed."""
    if as_jsonl:
        put_json(HostsFailed(failed_hosts=failed_hosts.get()))


def report(failure: Failure, *, as_json: bool) -> None:
    """Tells an error on stderr and, for scripts, as an object on stdout."""
    is_list = failure.kind is ErrorKind.CONFIG_INVALID  # a line for each mistake
    first, *more = failure.message.splitlines()[: MAX_PARTS + 2] if is_list and failure.message else [failure.message]
    lines = [f"{paint('error:', Colour.BAD, sys.stderr)} {one_line(first)}", *(f"  {one_line(line)}" for line in more)]
    if failure.hint:
        lines.append(f"{paint('hint:', Colour.STRONG, sys.stderr)} {one_line(for_host(failure.hint))}")
    _write(sys.stderr, "\n".join(lines) + "\n")
    if as_json:
        put_json(Refusal(error=failure))


def say_error(message: str, hint: str) -> None:
    """Tell an error on stderr that does not end the command."""
    report(Failure(kind=ErrorKind.OTHER, message=message, hint=hint), as_json=False)


def _write(stream: TextIO | None, text: str) -> bool:
    if stream is None or stream.closed:
        return False
    if is_terminal(stream) and shows_only_ascii(os.environ):
        text = to_ascii(text)
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        if not _nobody_reads(stream, error):
            raise
        silence(stream)
        return False
    return True


def _nobody_reads(stream: TextIO, error: OSError) -> bool:
    """Return whether a pipe's reader has left, or a terminal was closed; of a file EIO says that its disk fails."""
    return error.errno == errno.EPIPE or (error.errno == errno.EIO and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode))


def silence(stream: TextIO | None) -> None:
    """Lets what is still buffered, and the flush at exit, go nowhere: a reader that left is no error."""
    if stream is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
