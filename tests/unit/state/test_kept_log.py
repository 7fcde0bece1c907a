"""The log on the disk: a page at a time, bounded, and no harm to anything where it fails."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from asked_times import asked_times
from flashdeck.log_filter import LogFilter
from flashdeck.model import LogLevel, LogLine
from flashdeckd.state.hub import LOG_LINES
from flashdeckd.state.kept_log import GATHER_SECONDS, KEPT_LINES, LOOKED_AT, KeptLog

ALL = LogFilter()


def line(number: int, text: str = "line", *, board: str = "", job: int = 0) -> LogLine:
    level = LogLevel.WARNING if number % 2 else LogLevel.INFO
    return LogLine(id=number, time=float(number), level=level, text=text, board=board, job=job)


@asynccontextmanager
async def opened(path: Path) -> AsyncGenerator[KeptLog]:
    kept = await KeptLog.begin(path)
    try:
        yield kept
    finally:
        await kept.close()


def filled(path: Path, count: int) -> None:
    """Put so many lines into the file, as earlier daemons did."""
    with closing(sqlite3.connect(path)) as file, file:
        rows = ((number, float(number), "info", "", number % 7, f"line {number}") for number in range(1, count + 1))
        file.executemany("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?)", rows)


async def numbers(kept: KeptLog, before: int, limit: int, wanted: LogFilter = ALL, after: int = 0) -> list[int]:
    piece = await kept.below(before, after=after, limit=limit, wanted=wanted)
    return [each.id for each in piece.lines]


async def test_lines_come_back_a_page_at_a_time_also_those_of_earlier_daemons(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    async with opened(path) as kept:
        assert kept.next_line == 1
        for number in range(1, 8):
            kept.add(line(number, f"text {number}", board="left", job=number // 4))
    async with opened(path) as kept:
        assert kept.next_line == 8
        first = await kept.below(8, limit=3, wanted=ALL)
        assert [(each.id, each.text, each.board, each.job) for each in first.lines] == [
            (number, f"text {number}", "left", 1) for number in (5, 6, 7)
        ]
        assert first.before == 5
        last = await kept.below(first.before, limit=4, wanted=ALL)
        assert ([each.id for each in last.lines], last.before) == ([1, 2, 3, 4], 0)
        assert await numbers(kept, 8, 9, after=5) == [6, 7]
        assert await numbers(kept, 8, 9, LogFilter(job=1)) == [4, 5, 6, 7]
        assert await numbers(kept, 8, 9, LogFilter(text="TEXT 3")) == [3]
        assert await numbers(kept, 8, 9, LogFilter(level=LogLevel.WARNING)) == [1, 3, 5, 7]
        assert await numbers(kept, 8, 9, LogFilter(boards=("right",))) == []
        assert await numbers(kept, 8, 0) == []
    assert path.stat().st_mode & 0o077 == 0


async def test_so_many_lines_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    async with opened(path):
        pass
    await asyncio.to_thread(filled, path, KEPT_LINES)
    async with opened(path) as kept:
        kept.add(line(KEPT_LINES + 1))
    async with opened(path) as kept:
        assert await numbers(kept, 4, 9) == [2, 3], "the oldest is gone, and nothing else"


async def test_so_many_lines_are_looked_at_for_one_page(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    async with opened(path):
        pass
    await asyncio.to_thread(filled, path, 2 * LOOKED_AT + 1)
    async with opened(path) as kept:
        none = await kept.below(2 * LOOKED_AT + 2, limit=1, wanted=LogFilter(text="nothing like that"))
        assert (none.lines, none.before) == ((), LOOKED_AT + 2)
        assert (await kept.below(none.before, limit=1, wanted=LogFilter(text="nothing like that"))).before == 2


async def test_lines_are_gathered_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    async with opened(tmp_path / "log.sqlite3") as kept:
        running = asyncio.create_task(kept.run())
        kept.add(line(1))
        while await numbers(kept, 9, 9) != [1]:
            pass
        running.cancel()
    assert set(asked.naps) == {GATHER_SECONDS}


async def test_one_that_cannot_be_opened_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite3").mkdir()
    told: list[str] = []
    async with opened(tmp_path / "log.sqlite3") as kept:
        kept.watch(lambda trouble, _hint: told.append(trouble))
        for number in range(1, LOG_LINES + 3):
            kept.add(line(number))
        assert await numbers(kept, 9, 9) == []
    assert "cannot be opened" in told[0]


async def test_one_that_is_taken_away_is_told_once_it_is_written_to(tmp_path: Path) -> None:
    told: list[str] = []
    async with opened(tmp_path / "log.sqlite3") as kept:
        kept.watch(lambda trouble, _hint: told.append(trouble))
        (tmp_path / "log.sqlite3").unlink()
        kept.add(line(1))
    assert told[0] == ""
    assert "cannot be written" in told[1]
