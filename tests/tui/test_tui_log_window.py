"""The window on the log: all sources by time, filtered, searched, paged back, and bounded."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.errors import ConnectionFailedError
from flashdeck.log_filter import LogFilter
from flashdeck.model import LogLevel
from flashdeck_tui.log_source import OlderLines, SourceLine
from flashdeck_tui.log_window import MOST_LINES, PAGE_LINES, LogWindow

ANY = LogFilter()


class Tape:
    """A source whose older lines are fetched, and whose newer ones come."""

    def __init__(self, name: str, times: Sequence[float], at_hand: int = 0, page: int = 3) -> None:
        self.name = name
        self._all = [self._made(number, time) for number, time in enumerate(times, 1)]
        self._hand = self._all[len(self._all) - at_hand :]
        self._page = page
        self.asked = 0
        self.looked_at = 0
        self.fails = False

    def _made(self, number: int, time: float, text: str = "") -> SourceLine:
        return SourceLine(self.name, number, time, LogLevel.INFO, text or f"{self.name} {number}", board=self.name)

    def come(self, time: float, text: str = "") -> None:
        line = self._made(len(self._all) + 1, time, text)
        self._all.append(line)
        self._hand.append(line)

    def since(self, seen: int) -> tuple[Sequence[SourceLine], int]:
        new = self._hand[seen:]
        self.looked_at += len(new)
        return new, len(self._hand)

    async def before(self, number: int, wanted: LogFilter, limit: int) -> OlderLines:
        if self.fails:
            raise ConnectionFailedError("not connected")
        self.asked += 1
        end = number or len(self._all) + 1
        start = max(1, end - min(limit, self._page))
        lines = [line for line in self._all[start - 1 : end - 1] if wanted.takes(line)]
        return OlderLines(lines, start if start > 1 else 0)

    async def watch(self) -> None:
        """Nothing is fetched."""


def texts(window: LogWindow) -> list[str]:
    return [line.text for line in window.lines]


async def all_of_it(window: LogWindow) -> None:
    while window.may_have_older:
        await window.page_back()


TIMES = st.lists(st.integers(0, 50), max_size=25).map(sorted)


@given(TIMES, TIMES, st.integers(0, 25), st.integers(0, 25), st.integers(1, 6))
def test_paged_back_to_the_beginning_all_lines_are_there_once_and_by_time(
    one: list[int], other: list[int], hand: int, other_hand: int, page: int
) -> None:
    tapes = (Tape("one", one, min(hand, len(one)), page), Tape("other", other, min(other_hand, len(other)), page))
    window = LogWindow(tapes)
    asyncio.run(all_of_it(window))
    expected = sorted(
        (time, f"{name} {n}") for name, times in (("one", one), ("other", other)) for n, time in enumerate(times, 1)
    )
    assert sorted((line.time, line.text) for line in window.lines) == expected
    fetched = window.lines[: len(window.lines) - min(hand, len(one)) - min(other_hand, len(other))]
    assert [line.time for line in fetched] == sorted(line.time for line in fetched)
    assert window.end - window.first == len(window.lines)


async def test_a_page_is_bounded_and_costs_few_questions() -> None:
    tape = Tape("one", range(5 * PAGE_LINES), 1, page=10_000)
    window = LogWindow((tape,))
    assert await window.page_back() == PAGE_LINES
    assert len(window.lines) == PAGE_LINES + 1
    assert tape.asked == 1


async def test_a_new_line_is_looked_at_once_whatever_the_filter() -> None:
    tape = Tape("one", range(1000), 1000)
    window = LogWindow((tape,), LogFilter(text="nothing"))
    assert tape.looked_at == 1000
    for at in range(10):
        tape.come(2000 + at)
        assert not window.take()
    assert tape.looked_at == 1010


async def test_paused_lines_stay_and_new_ones_are_counted() -> None:
    tape = Tape("one", range(5), 5)
    window = LogWindow((tape,))
    window.pause()
    before = window.line(window.first)
    for at in range(312):
        tape.come(10 + at)
        window.take()
    assert (window.new, window.line(window.first)) == (312, before)
    window.follow()
    assert (window.new, window.paused, len(window.lines)) == (0, False, 317)


async def test_so_many_lines_are_in_memory_following_and_paused_and_none_is_lost_for_good() -> None:
    tape = Tape("one", range(10), 10, page=10_000)
    window = LogWindow((tape,))
    for at in range(MOST_LINES):
        tape.come(100 + at)
    window.take()
    assert len(window.lines) == MOST_LINES
    assert window.lines[0].number == 11
    window.pause()
    assert await window.page_back() == 10
    assert [line.number for line in window.lines[:11]] == list(range(1, 12))
    assert len(window.lines) == MOST_LINES
    assert window.cut, "the newest went: they are taken again once it follows"
    tape.come(10**6)
    window.take()
    assert window.new == 1
    window.follow()
    assert window.lines[-1].time == 10**6
    assert not window.cut


async def test_lines_of_another_host_that_come_late_are_put_where_they_belong() -> None:
    one, other = Tape("one", (1, 5, 9), 3), Tape("other", (), 0)
    window = LogWindow((one, other))
    epoch = window.epoch
    other.come(4)
    other.come(10)
    window.search("other")
    window.take()
    assert [line.time for line in window.lines] == [1, 4, 5, 9, 10]
    assert window.epoch != epoch
    assert window.hits == [window.first + 1, window.first + 4]


async def test_lines_of_one_source_keep_their_order_also_where_its_clock_is_set_back() -> None:
    tape = Tape("one", (5,), 1)
    window = LogWindow((tape,))
    tape.come(1)
    window.take()
    assert texts(window) == ["one 1", "one 2"]


async def test_hits_are_found_in_what_comes_and_in_what_is_fetched() -> None:
    tape = Tape("one", range(40), 10)
    window = LogWindow((tape,))
    window.search("ONE 3")
    assert [line.text for hit in window.hits if (line := window.line(hit)) is not None] == [
        f"one {n}" for n in range(31, 40)
    ]
    tape.come(99, "one 3 again")
    window.take()
    await all_of_it(window)
    found = [line.text for hit in window.hits if (line := window.line(hit)) is not None]
    assert found == ["one 3", "one 30", *(f"one {n}" for n in range(31, 40)), "one 3 again"]
    last = window.hits[-1]
    assert window.hit_after(last) is None
    assert window.hit_before(last) == window.hits[-2]
    assert window.hit_before(window.hits[0]) is None
    assert window.hit_after(window.first) == window.hits[0]
    window.search("")
    assert window.hits == []


async def test_a_source_that_cannot_be_asked_costs_nothing_that_was_fetched() -> None:
    good, bad = Tape("good", range(20), 1), Tape("bad", range(20), 1)
    window = LogWindow((good, bad))
    bad.fails = True
    with pytest.raises(ConnectionFailedError):
        await window.page_back()
    bad.fails = False
    await all_of_it(window)
    assert len(window.lines) == 40


async def test_other_lines_that_are_wanted_meanwhile_win() -> None:
    tape = Tape("one", range(40), 1)
    window = LogWindow((tape,))
    paging = asyncio.create_task(window.page_back())
    window.choose(LogFilter(text="one 4"))
    await paging
    assert all("one 4" in text for text in texts(window))
    await all_of_it(window)
    assert texts(window) == ["one 4", "one 40"]
