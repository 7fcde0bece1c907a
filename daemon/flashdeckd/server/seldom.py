"""Log lines that many may cause at once, and somebody reads: one for all of them, with their number."""

import logging
from typing import Final

from flashdeckd.host import clock

SELDOM_SECONDS: Final = 60.0
"""Least time between two lines of one kind."""


class Seldom:
    """Says the first of many at once, and of those that follow only how many they were."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: dict[str, float] = {}
        self._more: dict[str, int] = {}

    def warn(self, kind: str, text: str) -> None:
        """Log `text`, unless something of its kind was said just before; then it is counted."""
        now = clock.monotonic()
        if now - self._said.get(kind, now - SELDOM_SECONDS) < SELDOM_SECONDS:
            self._more[kind] = self._more.get(kind, 0) + 1
            return
        self._said[kind] = now
        more = self._more.pop(kind, 0)
        self._log.warning("%s%s", text, f" (and {more} more since it was last said)" if more else "")
