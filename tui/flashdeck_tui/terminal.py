"""The terminal under the application: whether a screen can be drawn on it, and how the process ends with it."""

import errno
import os
import select
import shutil
import signal
import termios
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import TextIO

from flashdeck.text import clean

GONE = 128 + signal.SIGHUP
"""Exit code where the terminal went away: as shells have it for a process that SIGHUP ended."""
_UNABLE = ("dumb", "unknown")
"""Values of TERM for what takes text and no control sequences."""
LOOK_AGAIN = 1.0
"""Seconds: a poll that waits is not told of every way in which a terminal can end, but the next one sees it."""
_STDIN, _STDOUT, _STDERR = range(3)
DRIVER_VARIABLE = "TEXTUAL_DRIVER"
"""Names what draws the screen in place of a terminal, as MODULE:CLASS: a program that shows it in a browser does so."""


def takes_control_sequences() -> bool:
    """Return whether TERM says that the terminal can do more than print text."""
    return os.environ.get("TERM", "").partition("-")[0] not in ("", *_UNABLE)


def size_of(stream: TextIO) -> os.terminal_size:
    """Return the size of the terminal that a stream goes to: stdout may go to a file where stderr does not.

    As elsewhere, $COLUMNS and $LINES come first; without any terminal it is 80 columns and 24 lines.
    """
    try:
        there = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # none, or a stream without a file
        there = os.terminal_size((80, 24))
    return shutil.get_terminal_size(there)


def has_driver(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether something else than a terminal draws the screen; stdin and stdout are then its pipes."""
    return bool(environ.get(DRIVER_VARIABLE))


def driver_trouble(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return why the driver that the environment names cannot be had, in a line; None where it can, or none is named.

    Textual must be installed.
    """
    name = environ.get(DRIVER_VARIABLE, "")
    if not name:
        return None
    module, _, symbol = name.partition(":")
    try:
        found = getattr(import_module(module), symbol, None)
    except (ImportError, ValueError):  # ValueError: it is empty
        found = None
    if isinstance(found, type):
        return None
    return (
        f"flashdeck: {DRIVER_VARIABLE}={clean(name)} names no driver of Textual; unset it, or name one as MODULE:CLASS"
    )


def refusal(*, instead: str, is_terminal: Callable[[int], bool] = os.isatty) -> str | None:
    """Return why a screen cannot be drawn here, in a line, and the command to use `instead`; None where it can.

    Keys come from stdin and the screen is drawn on stderr, so both must be terminals, and able to draw; unless another
    driver brings the keys and draws.
    """
    if has_driver():
        return None
    lacking = [name for name, number in (("stdin", _STDIN), ("stderr", _STDERR)) if not _is(is_terminal, number)]
    if lacking:
        what = " and ".join(lacking)
        verb = "is no terminal" if len(lacking) == 1 else "are no terminals"
        return f"flashdeck: {what} {verb}, and the screen needs one; use '{instead}' (over ssh: ssh -t)"
    if not takes_control_sequences():
        name = os.environ.get("TERM", "")
        seen = f"TERM={name} shows no screen" if name else "TERM is not set"
        return f"flashdeck: {seen}; use '{instead}' or set TERM"
    return None


def has_gone() -> bool:
    """Return whether stdin, stdout or stderr was a terminal that has hung up: it says of itself that it is none."""
    return any(_has_hung_up(number) for number in (_STDIN, _STDOUT, _STDERR))


def end_with_it() -> None:
    """From now on, end the process with `GONE` as soon as its terminal hangs up.

    This is a thread of its own: where a terminal that took nothing more went away, the main thread waits for ever to
    write to it. Nothing is put back, as there is nothing left to put it on. Other processes must see by themselves
    that this one has gone.
    """
    threading.Thread(target=end_at_hang_up, name="hang-up", daemon=True).start()


@contextmanager
def ended_by(
    numbers: Sequence[signal.Signals], end: Callable[[signal.Signals], object], *, within: float
) -> Generator[None]:
    """Call `end` when the first of these signals comes, for the length of the block: at once, between any two lines.

    A loop that waits for a terminal which takes nothing hears of no signal: where the process is still there `within`
    seconds later, it ends with the signal's exit code all the same.
    """
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked:
            return  # whoever is impatient does not stop the cleaning up
        asked.append(number)
        end(signal.Signals(number))
        at_last = threading.Timer(within, os._exit, (128 + number,))
        at_last.daemon = True
        at_last.start()

    # What was started by `nohup` goes on; what needs its terminal ends with that in any case.
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    wanted = [number for number in numbers if not (nohup and number is signal.SIGHUP)]
    before = {number: signal.signal(number, ask) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_hang_up() -> None:
    """End this process once its terminal has gone."""
    poll = select.poll()
    for number in (_STDIN, _STDOUT, _STDERR):
        # stdout may be a file or a pipe: it takes no part in this, unless the screen is drawn there.
        if number != _STDOUT or has_driver() or _is(os.isatty, number):
            poll.register(number, 0)  # hang-up and error are always told
    while not poll.poll(LOOK_AGAIN * 1000):
        pass
    os._exit(GONE)


def _has_hung_up(number: int) -> bool:
    try:
        termios.tcgetattr(number)
    except termios.error as error:
        return error.args[0] == errno.EIO  # ENOTTY where it never was a terminal
    return False


def _is(is_terminal: Callable[[int], bool], number: int) -> bool:
    try:
        return is_terminal(number)
    except OSError:
        return False
