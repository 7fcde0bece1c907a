"""The log on the disk: lines of this daemon and of earlier ones, for whoever pages back.

It is a file of its own, beside the journal: nothing waits for it, and no flash depends on it. What fails here is told,
and costs only lines. All of SQLite happens in one thread.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flashdeck.errors import FlashdeckError
from flashdeck.log_filter import LogFilter
from flashdeck.model import LogLevel, LogLine
from flashdeck.text import clean
from flashdeckd.host import files, threads
from flashdeckd.state.hub import LOG_LINES
from flashdeckd.state.journal import set_aside
from flashdeckd.state.journal_schema import UnusableFileError, connect

KEPT_LINES = 100_000
"""Newest lines that the file keeps: some 15 MB."""
LOOKED_AT = 20_000
"""Lines that are looked at for one page: a filter that few pass costs a page, and not the whole file."""
GATHER_SECONDS = 0.25
"""Seconds in which lines are gathered before they are written at once."""

LOG_SCHEMA: Final = (
    """
    CREATE TABLE line (
        id INTEGER PRIMARY KEY, time REAL NOT NULL, level TEXT NOT NULL, board TEXT NOT NULL, job INTEGER NOT NULL,
        text TEXT NOT NULL);
    CREATE INDEX line_of_job ON line (job, id) WHERE job != 0;
    """,
)
"""SQL scripts as in `journal_schema`; released ones never change."""
_HINT: Final = "only older lines of the log are missing; nothing else depends on it"


@dataclass(frozen=True, slots=True)
class LogPiece:
    """A piece of the kept lines, in ascending order."""

    lines: tuple[LogLine, ...]
    before: int
    """Below this number it goes on; 0: there is nothing below."""


class KeptLog:
    """The file, open or not. Use `KeptLog.begin`; methods are for the event loop, and raise nothing."""

    def __init__(
        self, path: Path, writer: threads.OwnThread, connection: sqlite3.Connection | None, last: int, trouble: str
    ) -> None:
        self._path = path
        self._writer = writer
        self._connection = connection
        self.next_line = last + 1
        """An id that no line in the file has, nor any later one."""
        self._trouble = trouble
        self._report: Callable[[str, str], object] = lambda _trouble, _hint: None
        self._pending: deque[LogLine] = deque(maxlen=LOG_LINES)
        self._added = asyncio.Event()

    @classmethod
    async def begin(cls, path: Path) -> "KeptLog":
        """Open the file at `path`, or begin one. Where it cannot be used, nothing is kept, and `watch` says why.

        One that is damaged, or another program's, is moved aside.
        """
        writer = threads.OwnThread("log")
        connection, last, trouble = await writer.run(_open, path)
        return cls(path, writer, connection, last, trouble)

    def watch(self, report: Callable[[str, str], object]) -> None:
        """Tell trouble now and from now on, with what to do; "" once there is none."""
        self._report = report
        report(self._trouble, _HINT)

    def add(self, line: LogLine) -> None:
        """Keep a line; it is written soon."""
        self._pending.append(line)
        self._added.set()

    async def run(self) -> None:
        """Write what is added, until cancelled."""
        while True:
            await self._added.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._added.clear()
            await self._write()

    async def close(self) -> None:
        """Write the rest, and close the file."""
        await self._write()
        if self._connection is not None:
            await self._writer.run(self._connection.close)
        self._writer.let_go()

    async def below(self, before: int, *, after: int = 0, limit: int, wanted: LogFilter) -> LogPiece:
        """Return the newest wanted lines between two ids, neither of them included, at most `limit`."""
        connection = self._connection
        if connection is None or limit <= 0:
            return LogPiece((), 0)
        try:
            return await self._writer.run(_below, connection, before, after, limit, wanted)
        except sqlite3.Error as error:
            self._tell(f"older lines cannot be read: {error}")
            return LogPiece((), 0)

    async def _write(self) -> None:
        connection, lines = self._connection, tuple(self._pending)
        if connection is None or not lines:
            return
        try:
            await self._writer.run(_keep, connection, self._path, lines)
        except (sqlite3.Error, OSError) as error:
            self._tell(f"the log {clean(str(self._path))} cannot be written: {error}")
            return
        for line in lines:
            if self._pending and self._pending[0] is line:
                self._pending.popleft()
        self._tell("")

    def _tell(self, trouble: str) -> None:
        self._trouble = trouble
        self._report(trouble, _HINT)


def _open(path: Path) -> tuple[sqlite3.Connection | None, int, str]:
    """Return the file, the id of its last line, and what is wrong with it."""
    try:
        try:
            return (*_begin(path), "")
        except UnusableFileError as error:
            kept = set_aside(path)
            return (*_begin(path), f"the log cannot be used: {error}; it was kept as {clean(kept.name)}")
    except (OSError, sqlite3.Error, FlashdeckError, UnusableFileError) as error:
        reason = error.message if isinstance(error, FlashdeckError) else str(error)
        return None, 0, f"the log {clean(str(path))} cannot be opened: {clean(reason)}"


def _begin(path: Path) -> tuple[sqlite3.Connection, int]:
    files.close(files.open_to_change(path))  # SQLite would create it readable for all
    connection = connect(path, LOG_SCHEMA, is_vital=False)
    try:
        with closing(connection.execute("SELECT coalesce(max(id), 0) FROM line")) as rows:
            return connection, int(rows.fetchone()[0])
    except BaseException:
        connection.close()
        raise


def _keep(connection: sqlite3.Connection, path: Path, lines: Sequence[LogLine]) -> None:
    files.status(path)  # SQLite would go on in a file that was taken away
    rows = [(line.id, line.time, line.level.value, line.board, line.job, line.text) for line in lines]
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("REPLACE INTO line VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("DELETE FROM line WHERE id <= ?", (lines[-1].id - KEPT_LINES,))


def _below(connection: sqlite3.Connection, before: int, after: int, limit: int, wanted: LogFilter) -> LogPiece:
    where = "job = ? AND job != 0 AND" if wanted.job else ""
    query = f"SELECT id, time, level, board, job, text FROM line WHERE {where} id < ? AND id > ? ORDER BY id DESC"  # noqa: S608 -- nothing foreign is in it
    values = (*((wanted.job,) if wanted.job else ()), before, after)
    chosen: list[LogLine] = []
    looked_at = 0
    with closing(connection.execute(query, values)) as rows:
        for number, time, level, board, job, text in rows:
            if len(chosen) == limit or looked_at == LOOKED_AT:
                return LogPiece(tuple(chosen[::-1]), int(number) + 1)
            looked_at += 1
            line = LogLine(id=number, time=time, level=LogLevel(level), board=board, job=job, text=text)
            if wanted.takes(line):
                chosen.append(line)
    return LogPiece(tuple(chosen[::-1]), 0)
