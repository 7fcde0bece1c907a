"""The record of one board: what it said and what happened to it meanwhile, the newest entries, in memory."""

from collections import deque
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Final

from flashdeck.console_kinds import ConsoleKind
from flashdeck.model import ConsoleEntry
from flashdeckd.consoles.console_marks import Mark
from flashdeckd.state.log_readers import LogReaders

MOST_ENTRIES: Final = 10_000
"""Newest entries that are kept of one board."""
MOST_CHARACTERS: Final = 1024 * 1024
"""Characters of them at the most."""


class ConsoleRecord:
    """The record of one board. Runs in the event loop's thread only."""

    def __init__(self) -> None:
        self._entries: deque[ConsoleEntry] = deque()
        self._characters = 0
        self._next = 1
        self._leave: int | None = None
        """The number of the last leave; it may be forgotten itself."""
        self._readers = LogReaders()

    def add(self, at: float, kind: ConsoleKind, text: str, *, is_leave: bool = False, job: int = 0) -> ConsoleEntry:
        """Add an entry, and return it; the oldest ones are forgotten for it."""
        entry = ConsoleEntry(number=self._next, at=round(at, 3), kind=kind, text=text, is_leave=is_leave, job=job)
        self._leave = entry.number if is_leave else self._leave
        self._next += 1
        self._entries.append(entry)
        self._characters += len(text)
        while len(self._entries) > MOST_ENTRIES or self._characters > MOST_CHARACTERS:
            self._characters -= len(self._entries.popleft().text)
        self._readers.wake()
        return entry

    def add_mark(self, at: float, mark: Mark) -> ConsoleEntry:
        """Add a mark for something that happened."""
        return self.add(at, ConsoleKind.MARK, mark.text, is_leave=mark.is_leave, job=mark.job)

    def page(self, *, after: int, since_leave: bool, limit: int) -> tuple[ConsoleEntry, ...]:
        """Return at most `limit` entries in ascending order: the newest ones, or the first ones of a certain part.

        That part is what has a number above `after`, and with `since_leave` what came with the last leave or later.
        """
        limit = max(0, limit)
        if since_leave:
            return () if self._leave is None else tuple(islice(self._from(max(after + 1, self._leave)), limit))
        if after:  # -1: from the oldest of all on
            return tuple(islice(self._from(after + 1), limit))
        return tuple(islice(reversed(self._entries), limit))[::-1]

    async def grown(self, seconds: float) -> None:
        """Return once an entry was added, or after so many seconds."""
        await self._readers.wait(seconds)

    def _from(self, first: int) -> Iterator[ConsoleEntry]:
        newer = sum(1 for _ in takewhile(lambda entry: entry.number >= first, reversed(self._entries)))
        return islice(self._entries, len(self._entries) - newer, None)
