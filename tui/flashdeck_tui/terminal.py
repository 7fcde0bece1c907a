"""The terminal under the application: whether there is one, and whether it is still there."""

import os
import select
import sys
from collections.abc import Callable

GONE = 129
"""Exit code where the terminal went away: 128 and the number of SIGHUP, as shells have it."""


def refusal(is_terminal: Callable[[int], bool] = os.isatty) -> str | None:
    """Why a screen can not be drawn here, in a sentence; None where it can.

    Keys come from stdin (0) and the screen is drawn on stderr (2), so both must be terminals.
    """
    lacking = [name for name, number in (("stdin", 0), ("stderr", 2)) if not _is(is_terminal, number)]
    if not lacking:
        return None
    what = " and ".join(lacking)
    verb = "is no terminal" if len(lacking) == 1 else "are no terminals"
    return f"flashdeck: {what} {verb}, so there is nowhere to draw the screen; 'flashdeck --help' lists the commands"


def is_gone() -> bool:
    """Whether the terminal of stdin was closed. A terminal that hung up would be read in a tight loop for ever."""
    if sys.__stdin__ is None or sys.__stdin__.closed:
        return True
    poll = select.poll()
    poll.register(sys.__stdin__.fileno(), 0)  # hang-up and error are always told
    return any(what & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, what in poll.poll(0))


def _is(is_terminal: Callable[[int], bool], number: int) -> bool:
    try:
        return is_terminal(number)
    except OSError:
        return False
