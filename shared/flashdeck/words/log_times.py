"""The times of log lines in words: to the millisecond, for a board restarts within a second."""

import time
from typing import Final

_DAY: Final = "%Y-%m-%d "
_TIME: Final = "%H:%M:%S"


def clock_time(seconds: float) -> str:
    """Return a time of the epoch as a local time of day: 13:05:04.812."""
    return _in_local_time(seconds, _TIME)


def dated_time(seconds: float) -> str:
    """Return it with its day: 2026-01-31 13:05:04.812."""
    return _in_local_time(seconds, _DAY + _TIME)


def _in_local_time(seconds: float, form: str) -> str:
    return f"{time.strftime(form, time.localtime(seconds))}.{int(seconds * 1000) % 1000:03d}"
