"""The log of a daemon, and its debug log, as sources of log lines."""

import asyncio
from collections.abc import Sequence

from flashdeck.api import LOG_PAGE, GetDebugLog, GetLogs
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.log_filter import RANK, LogFilter
from flashdeck.model import LogLevel, LogLine
from flashdeck.names import is_meant
from flashdeck_tui.fleet import FleetHost
from flashdeck_tui.log_source import LinesAtHand, OlderLines, SourceLine

DEBUG_WAIT = 30.0
"""Seconds that the daemon waits for a line of its debug log before it answers that there is none."""
PAUSE = 2.0
"""Seconds before a daemon that does not answer is asked again."""
TOO_OLD = "This daemon is too old to give older lines."


class DaemonLog:
    """The log of one daemon: what its link has fed into the store, and what the daemon has kept before that."""

    def __init__(self, host: FleetHost, shown: str = "") -> None:
        """`shown` is the name of the host on each line, where several are shown."""
        self._host = host
        self._shown = shown
        self.name = f"log {host.name}"

    def since(self, seen: int) -> tuple[Sequence[SourceLine], int]:
        """Return what the store has after its first `seen` lines, and how many it ever had."""
        store = self._host.store
        return [_line(self.name, line, self._shown) for line in store.log_since(seen)], store.log_count

    async def before(self, number: int, wanted: LogFilter, limit: int) -> OlderLines:
        """Ask the daemon for older lines."""
        # A glob that means no board of this daemon is no mistake: it may mean one of another host, or one that is gone.
        boards = tuple(name for name in self._host.store.boards if is_meant(name, wanted.boards))
        page = await self._host.link.call(
            GetLogs(
                before=number,
                limit=min(limit, LOG_PAGE),
                boards=boards,
                level=max(wanted.level, LogLevel.INFO, key=RANK.__getitem__),
                text=wanted.text,
                job=wanted.job,
            )
        )
        if page.before is None:
            return OlderLines(note=TOO_OLD)
        lines = (_line(self.name, line, self._shown) for line in page.lines)
        return OlderLines([line for line in lines if wanted.takes(line)], page.before)

    async def watch(self) -> None:
        """Do nothing: the link feeds the store."""


class DebugLog:
    """The decisions of one daemon, and why: asked for while somebody looks."""

    def __init__(self, host: FleetHost, shown: str = "") -> None:
        self._host = host
        self._shown = shown
        self.name = f"debug log {host.name}"
        self._lines = LinesAtHand()

    def since(self, seen: int) -> tuple[Sequence[SourceLine], int]:
        """Return what was fetched after the first `seen` lines."""
        return self._lines.since(seen)

    async def before(self, number: int, wanted: LogFilter, limit: int) -> OlderLines:  # noqa: ARG002 -- a source has it
        """Return nothing: a daemon keeps its decisions in memory alone, and all of them are fetched at once."""
        return OlderLines()

    async def watch(self) -> None:
        """Fetch the newest decisions, and then each as it comes."""
        after, instance = 0, ""
        while True:
            daemon = self._host.store.daemon
            if daemon is not None and daemon.instance != instance:
                after, instance = 0, daemon.instance  # another one counts anew
            try:
                page = await self._host.link.call(
                    GetDebugLog(after=after, limit=LOG_PAGE, wait=DEBUG_WAIT if after else 0)
                )
            except FlashdeckError as error:
                if error.kind is ErrorKind.PROTOCOL_MISMATCH:
                    return  # it is too old to have one
                await asyncio.sleep(PAUSE)
                continue
            self._lines.add(_line(self.name, line, self._shown) for line in page.lines)
            if not page.lines:
                await asyncio.sleep(PAUSE)
            after = page.next


def _line(source: str, line: LogLine, host: str) -> SourceLine:
    return SourceLine(source, line.id, line.time, line.level, line.text, line.board, line.job, host)
