"""A source of log lines, as the full log reads it: what is at hand, what comes, and what was before. Pure.

The daemon's log is one, its debug log another, and the console of each board one more.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from flashdeck.log_filter import LogFilter
from flashdeck.model import LogLevel

MOST_AT_HAND: Final = 5000
"""Newest lines that a source keeps which is fetched while somebody looks."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line of one source. Nothing of its text has been made harmless yet."""

    source: str
    """The name of its source."""
    number: int
    """Its number there, which grows."""
    time: float
    level: LogLevel
    text: str
    board: str = ""
    job: int = 0
    host: str = ""
    """The machine that it comes from, where several are shown."""


@dataclass(frozen=True, slots=True)
class OlderLines:
    """A page of older lines."""

    lines: Sequence[SourceLine] = ()
    """In the order in which they were written. There may be none, and more in the next page."""
    before: int = 0
    """The number below which it goes on; 0: nowhere."""
    note: str = ""
    """The reason, in a sentence, why there is nothing older; "" where that is simply the beginning."""


class LogSource(Protocol):
    """Gives the lines of one log. Nothing is asked of it twice at a time."""

    @property
    def name(self) -> str:
        """Its name, which no other source has that is shown with it."""
        ...

    def since(self, seen: int) -> tuple[Sequence[SourceLine], int]:
        """Return the lines after the first `seen` that it ever had, as far as it has them at hand, and their count."""
        ...

    async def before(self, number: int, wanted: LogFilter, limit: int) -> OlderLines:
        """Return the newest wanted lines below a number (0: the newest of all), at most `limit`.

        Raises FlashdeckError where they cannot be had now.
        """
        ...

    async def watch(self) -> None:
        """Fetch what comes only to those who ask for it, until cancelled."""
        ...


class LinesAtHand:
    """The newest lines of a source that is fetched while somebody looks."""

    def __init__(self) -> None:
        self._lines: deque[SourceLine] = deque(maxlen=MOST_AT_HAND)
        self._count = 0

    def add(self, lines: Iterable[SourceLine]) -> None:
        """Add lines that came."""
        for line in lines:
            self._lines.append(line)
            self._count += 1

    def since(self, seen: int) -> tuple[Sequence[SourceLine], int]:
        """Return the lines after the first `seen` that ever came, as far as they are still at hand, and their count."""
        new = min(self._count - seen, len(self._lines))
        return list(islice(self._lines, len(self._lines) - new, None)) if new > 0 else [], self._count
