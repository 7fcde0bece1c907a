"""The times in which nobody could hear how a board starts: silence proves nothing then. Pure.

A port that is opened a moment after the board has come misses nothing: kernel and device keep what was said. One that
is opened later, or that another program had meanwhile, does.
"""

from typing import Final

from flashdeck.text import format_duration

LATE_SECONDS: Final = 1.0
"""Seconds from the first sight of a board, or from the loss of its port, after which nobody knows what was said."""
NOT_YET: Final = "its port is not open yet"
"""The reason where nothing is known to keep it from being opened."""


class DeafTimes:
    """The deaf times of one start."""

    def __init__(self, at: float, *, is_there: bool, is_open: bool) -> None:
        """`is_there`: the port could be open, for whoever speaks on it is there."""
        self._is_there = is_there
        self._is_open = is_open
        self._was_open = is_open
        self._since: float | None = None
        """The time from which on somebody may speak whom nobody hears."""
        self._why = ""
        """The reason why the port cannot be had; "" as long as it may come by itself."""
        self._newest: tuple[float, str] | None = None
        """The end of the newest one that matters, and what to say of it."""
        self._follow(at)

    def there(self, at: float, *, is_there: bool) -> None:
        """Whoever speaks on the port has come, or has gone."""
        self._is_there = is_there
        self._follow(at)

    def opened(self, at: float) -> None:
        """The port is open."""
        self._is_open = self._was_open = True
        self._follow(at)

    def closed(self, at: float) -> None:
        """It is closed."""
        self._is_open = False
        self._follow(at)

    def refused(self, why: str) -> None:
        """It cannot be had, for a reason that a person can read."""
        if self._since is not None:
            self._why = why

    def since(self, start: float, now: float) -> str:
        """Return why not all could be heard since `start`; "" where it could."""
        if self._since is not None and (self._why or not self._was_open or now - self._since > LATE_SECONDS):
            return self._why or NOT_YET
        return self._newest[1] if self._newest is not None and self._newest[0] > start else ""

    def _follow(self, at: float) -> None:
        is_deaf = self._is_there and not self._is_open
        if is_deaf and self._since is None:
            self._since = at
        elif not is_deaf and self._since is not None:
            length = at - self._since
            if self._why or length > LATE_SECONDS:
                why = f" ({self._why})" if self._why else ""
                self._newest = (at, f"its port could not be had for {format_duration(length)}{why}")
            self._since, self._why = None, ""
