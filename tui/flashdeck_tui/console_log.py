"""Consoles of boards as sources of log lines: what a board says stands between what was done to it."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from flashdeck.api import CONSOLE_PAGE, ConsolePage, GetConsole
from flashdeck.console_kinds import ConsoleKind
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.log_filter import LogFilter
from flashdeck.model import ConsoleEntry, LogLevel
from flashdeck.names import is_meant, literal
from flashdeck.words.consoles import entry_text
from flashdeck_tui.daemon_log import PAUSE
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.log_source import LinesAtHand, OlderLines, SourceLine

CONSOLE_WAIT: Final = 30.0
"""Seconds that the daemon waits for something that a board says before it answers that there is nothing."""
MOST_CONSOLES: Final = 16
"""Consoles that are followed at once: each of them keeps a call of its host's connection."""
FORGOTTEN: Final = "The daemon was started anew: what boards said before is in its files."
_FROM_THE_OLDEST: Final = -1
_FOR_GOOD: Final = frozenset({ErrorKind.PROTOCOL_MISMATCH, ErrorKind.BAD_REQUEST, ErrorKind.NO_SUCH_BOARD})
"""Refusals that do not go by themselves: the daemon is too old, or the board has no console any more."""


def speaking_boards(fleet: Fleet, wanted: LogFilter) -> Sequence[tuple[FleetHost, str]]:
    """Return the boards with a console of which lines are wanted."""
    return [
        (host, name)
        for host in fleet
        for name, board in host.store.boards.items()
        if board.console is not None and (not wanted.boards or is_meant(name, wanted.boards))
    ]


class ConsoleLog:
    """The console of one board, asked for while somebody looks."""

    def __init__(self, host: FleetHost, board: str, shown: str = "") -> None:
        """`shown` is the name of the host on each line, where several are shown."""
        self._host = host
        self._board = board
        self._shown = shown
        self.name = f"console {host.name}/{board}"
        self._lines = LinesAtHand()
        self._fetching = asyncio.Lock()
        self._origin: str | None = None
        """The daemon that was asked first."""
        self._instance: str | None = None
        """The one that was asked last; another one counts anew."""
        self._first = self._next = 0
        """The number of its first entry that is at hand, and of the newest one that was fetched."""

    def since(self, seen: int) -> tuple[Sequence[SourceLine], int]:
        """Return what was fetched after the first `seen` lines."""
        return self._lines.since(seen)

    async def before(self, number: int, wanted: LogFilter, limit: int) -> OlderLines:
        """Ask the daemon for older entries; the newest ones of all are fetched once, and at hand then."""
        await self._fetch_newest()
        if self._instance != self._origin:
            return OlderLines(note=FORGOTTEN)
        end = number or self._first
        first = max(1, end - min(limit, CONSOLE_PAGE))
        if end <= first:
            return OlderLines()
        page = await self._ask(after=first - 1 or _FROM_THE_OLDEST, limit=end - first)
        entries = [entry for entry in page.entries if entry.number < end]
        goes_on = first > 1 and bool(entries) and entries[0].number == first  # or the older ones are forgotten
        return OlderLines([line for line in self._made(entries) if wanted.takes(line)], first if goes_on else 0)

    async def watch(self) -> None:
        """Fetch the newest entries, and then each as it comes."""
        while True:
            try:
                await self._fetch_newest()
                page = await self._ask(after=self._next, limit=CONSOLE_PAGE, wait=CONSOLE_WAIT)
            except FlashdeckError as error:
                if error.kind in _FOR_GOOD:
                    return
                await asyncio.sleep(PAUSE)
                continue
            self._take(page)
            if not page.entries:
                await asyncio.sleep(PAUSE)

    async def _fetch_newest(self) -> None:
        """Fetch the newest entries of a daemon that was not asked yet."""
        async with self._fetching:
            daemon = self._host.store.daemon
            instance = daemon.instance if daemon is not None else ""
            if self._instance == instance:
                return
            page = await self._ask(limit=CONSOLE_PAGE)
            if self._origin is None:
                self._origin, self._first = instance, page.entries[0].number if page.entries else 0
            self._instance = instance
            self._take(page)

    async def _ask(self, *, after: int = 0, limit: int, wait: float = 0.0) -> ConsolePage:
        params = GetConsole(board=literal(self._board), after=after, limit=limit, wait=wait)
        return await self._host.link.call(params)

    def _take(self, page: ConsolePage) -> None:
        self._lines.add(self._made(page.entries))
        self._next = page.next

    def _made(self, entries: Iterable[ConsoleEntry]) -> Iterable[SourceLine]:
        for entry in entries:
            said = entry.kind not in {ConsoleKind.MARK, ConsoleKind.NOISE, ConsoleKind.CRASH}
            text = f"> {entry.text}" if said else entry_text(entry)
            level = LogLevel.ERROR if entry.kind is ConsoleKind.CRASH else LogLevel.INFO
            yield SourceLine(self.name, entry.number, entry.at, level, text, board=self._board, host=self._shown)
