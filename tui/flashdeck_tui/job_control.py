"""Stopping this process as Ctrl-Z does it, so that the shell above it takes over."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

ProcessOf = Callable[[int], int]


def can_be_continued(
    *, parent_of: ProcessOf | None = None, group_of: ProcessOf = os.getpgid, session_of: ProcessOf = os.getsid
) -> bool:
    """True if there is a shell that would continue this process with `fg` or `bg`.

    That is a process of the same session in another process group, with one of ours as its child. Without it the kernel
    stops nothing (POSIX, "orphaned process group"), and somebody who did would be left with a dead terminal.
    """
    above_of = parent_of or _parent_of
    group, session = group_of(0), session_of(0)
    above = above_of(os.getpid())
    try:
        while above and group_of(above) == group:
            above = above_of(above)
        return bool(above) and session_of(above) == session
    except OSError:
        return False


def _parent_of(process: int) -> int:
    try:
        said = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except OSError:
        return 0
    return int(said.rpartition(")")[2].split()[1])  # behind the name, which may have anything in it: state, parent


def stop(*, everybody: bool) -> None:
    """Stop this process, or with `everybody` its whole process group, and return once it is continued.

    As long as it is in the background afterwards, it stops again: it could not draw.
    """
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTSTP, signal.SIGCONT)}
    try:
        os.kill(0 if everybody else os.getpid(), signal.SIGTSTP)
        while is_in_background() and can_be_continued():
            os.kill(os.getpid(), signal.SIGTSTP)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_in_background() -> bool:
    """True if another process group has the terminal that keys come from."""
    try:
        return os.tcgetpgrp(0) != os.getpgrp()
    except OSError:  # it is not our terminal, and so nobody hands it about
        return False
