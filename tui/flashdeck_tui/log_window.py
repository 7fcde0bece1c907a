"""The lines of the full log that are in memory: a window on all lines of all sources, by time. Pure.

Each line that comes is looked at once, whatever the filter; only another filter looks at those at hand again. Lines are
named by where they stand: those before the first one are below zero, so that a name stays when older lines come.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from flashdeck.log_filter import LogFilter, has_text
from flashdeck_tui.log_source import LogSource, SourceLine

MOST_LINES = 20_000
"""Lines in memory. While it follows, the oldest go; while a person pages back, the newest."""
PAGE_LINES = 200
"""Lines of a page of older ones."""

_TIME: Final = attrgetter("time")


@dataclass(slots=True)
class _SourceReading:
    """The place up to which one source was read, in both directions."""

    source: LogSource
    seen: int = 0
    """Lines of it that were taken, forwards."""
    before: int = 0
    """The number of the oldest line that was taken: below that it goes on, backwards. 0: nothing was."""
    ended: bool = False
    """True once there is nothing older."""
    note: str = ""
    """The reason for that, where it is not simply the beginning."""
    fetched: list[SourceLine] = field(default_factory=list[SourceLine])
    """Older lines that were fetched, and not taken yet: another source has newer ones."""


class LogWindow:
    """Lines by time, with what is searched in them."""

    def __init__(self, sources: Sequence[LogSource], wanted: LogFilter = LogFilter()) -> None:  # noqa: B008 -- it never changes
        self.wanted = wanted
        self._readings = [_SourceReading(source) for source in sources]
        self.lines: list[SourceLine] = []
        self.first = 0
        """The name of the first line."""
        self.epoch = 0
        """Changes when names no longer mean the lines that they meant."""
        self._chosen = 0
        self.paused = False
        self.new = 0
        """Wanted lines that came since it was paused."""
        self.cut = False
        """True if newer lines than the last one are not in memory."""
        self.sought = ""
        """The text that is searched; "" for none."""
        self.hits: list[int] = []
        """The names of the lines that have it."""
        self.take()

    @property
    def end(self) -> int:
        """The name behind the last line."""
        return self.first + len(self.lines)

    def line(self, name: int) -> SourceLine | None:
        """Return a line by its name; None where it is not in memory."""
        return self.lines[name - self.first] if self.first <= name < self.end else None

    @property
    def sources(self) -> tuple[LogSource, ...]:
        """The sources, as they were given."""
        return tuple(reading.source for reading in self._readings)

    def choose(self, wanted: LogFilter, sources: Sequence[LogSource] | None = None) -> None:
        """Show other lines: all that the sources have at hand is looked at anew, and it follows again."""
        self.wanted = wanted
        self._readings = [_SourceReading(source) for source in (self.sources if sources is None else sources)]
        self.lines, self.first, self.cut, self.hits = [], 0, False, []
        self.epoch += 1
        self._chosen += 1
        self.paused, self.new = False, 0
        self.take()

    def take(self) -> bool:
        """Take what came; return True if anything that is wanted did."""
        came: list[SourceLine] = []
        for reading in self._readings:
            lines, reading.seen = reading.source.since(reading.seen)
            if lines and not reading.before and not reading.ended:
                reading.before = lines[0].number
            came += filter(self.wanted.takes, lines)
        if not came:
            return False
        came.sort(key=_TIME)
        if self.paused:
            self.new += len(came)
            self.cut = self.cut or len(self.lines) + len(came) > MOST_LINES
        if not self.cut:
            self._append(came)
        return True

    def pause(self) -> None:
        """Stay; what comes is counted."""
        self.paused = True

    def follow(self) -> None:
        """Go on at the end, which is read again where it is not in memory."""
        self.paused, self.new = False, 0
        if self.cut:
            self.choose(self.wanted)
        else:
            self._drop_oldest()

    @property
    def may_have_older(self) -> bool:
        """True unless every source has come to its beginning."""
        return any(reading.fetched or not reading.ended for reading in self._readings)

    @property
    def notes(self) -> tuple[str, ...]:
        """The reasons why there is nothing older, where that is not simply the beginning."""
        return tuple(dict.fromkeys(reading.note for reading in self._readings if reading.note))

    async def page_back(self, most: int = PAGE_LINES) -> int:
        """Fetch older lines and put them before the first; return how many there were.

        Raises FlashdeckError where a source cannot be asked now; what was fetched of others stays for the next time.
        """
        chosen, older = self._chosen, list[SourceLine]()
        try:
            while len(older) < most and await self._fetch(most) and chosen == self._chosen:
                filled = [reading for reading in self._readings if reading.fetched]
                if not filled:
                    break
                older.append(max(filled, key=lambda reading: reading.fetched[-1].time).fetched.pop())
        finally:
            if chosen == self._chosen:  # or other lines are wanted by now
                self._prepend(older[::-1])
        return len(older) if chosen == self._chosen else 0

    async def _fetch(self, most: int) -> bool:
        """Fetch a page of each source that needs one; False where one had no wanted line, and may have some beyond."""
        for reading in self._readings:
            if not reading.fetched and not reading.ended:
                page = await reading.source.before(reading.before, self.wanted, most)
                reading.fetched, reading.note = list(page.lines), page.note
                reading.before, reading.ended = page.before, not page.before
        return all(reading.fetched or reading.ended for reading in self._readings)

    def search(self, sought: str) -> None:
        """Search a text from now on; "" for none."""
        self.sought = sought
        self.hits = list(self._hits_in(self.first, self.lines))

    def hit_before(self, name: int) -> int | None:
        """Return the nearest hit above a line; None where there is none in memory."""
        at = bisect_left(self.hits, name)
        return self.hits[at - 1] if at else None

    def hit_after(self, name: int) -> int | None:
        """Return the nearest hit below a line."""
        at = bisect_right(self.hits, name)
        return self.hits[at] if at < len(self.hits) else None

    def _hits_in(self, first: int, lines: Iterable[SourceLine]) -> Iterable[int]:
        if self.sought:
            for name, line in enumerate(lines, first):
                if has_text(line, self.sought):
                    yield name

    def _append(self, came: list[SourceLine]) -> None:
        # Lines of one source stay in its order, also where its clock was set back.
        if len(self._readings) > 1 and self.lines and came[0].time < self.lines[-1].time:
            at = bisect_right(self.lines, came[0].time, key=_TIME)
            self.lines[at:] = sorted((*self.lines[at:], *came), key=_TIME)
            self.epoch += 1
            self.search(self.sought)
        else:
            self.hits += self._hits_in(self.end, came)
            self.lines += came
        if not self.paused:
            self._drop_oldest()

    def _prepend(self, older: list[SourceLine]) -> None:
        self.first -= len(older)
        self.hits = [*self._hits_in(self.first, older), *self.hits]
        self.lines = older + self.lines
        if len(self.lines) > MOST_LINES:
            del self.lines[MOST_LINES:]
            self.cut = True
            del self.hits[bisect_left(self.hits, self.end) :]

    def _drop_oldest(self) -> None:
        surplus = len(self.lines) - MOST_LINES
        if surplus <= 0:
            return
        newest_gone = {line.source: line for line in self.lines[:surplus]}
        del self.lines[:surplus]
        self.first += surplus
        del self.hits[: bisect_left(self.hits, self.first)]
        for reading in self._readings:  # what is gone is fetched again once somebody pages back
            gone = newest_gone.get(reading.source.name)
            if gone is not None:
                reading.fetched, reading.before, reading.ended, reading.note = [], gone.number + 1, False, ""
