"""Signals that whoever runs the tests has told them to ignore: each program that a test starts would do so, too."""

import signal
from types import FrameType


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Outlive it, as was asked for; a handler is no child's."""


def heard_again() -> None:
    """Hear what nohup, and a shell that runs something in the background of a script, let a program ignore."""
    for number, handler in ((signal.SIGHUP, _nothing), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
