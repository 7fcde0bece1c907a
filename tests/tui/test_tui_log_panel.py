"""The log as it is drawn, also where it is longer than what is kept of it."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.selection import Selection

from flashdeck.model import LogLevel, LogLine
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.fleet_log import PANEL_LINES
from flashdeck_tui.link import Link
from flashdeck_tui.widgets.log_panel import LogPanel
from glass import Glass
from tui_scene import NOW, FakeLink, event, filled_store

FIRST = 1000
"""The number of the first line, so that all have as many digits."""
LONG = " of a text that does not fit into the width of any terminal that is drawn on here and is therefore folded" * 2


class Bench:
    """An application with a log, and what is seen of it."""

    def __init__(self, app: Glass, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot
        self.next = FIRST

    @property
    def panel(self) -> LogPanel:
        return self.app.main.log_panel

    async def log(self, count: int, text: str = "", board: str = "") -> None:
        """Takes that many lines at once, and draws them."""
        for number in range(self.next, self.next + count):
            line = LogLine(id=number, time=NOW, level=LogLevel.INFO, text=f"line {number}{text}", board=board)
            self.app.fleet.hosts[0].store.take(event(log=line))
        self.next += count
        await self.draw()

    async def draw(self) -> None:
        self.app.refresh_views()
        await self.pilot.pause()
        await self.pilot.pause()

    async def resize(self, columns: int, lines: int) -> None:
        await self.pilot.resize_terminal(columns, lines)
        await self.draw()

    def shown(self) -> list[str]:
        """The lines of the panel, as they stand on the glass."""
        region = self.panel.scrollable_content_region
        return [line[region.x : region.right].rstrip() for line in self.app.glass()[region.y : region.bottom]]

    def numbers(self) -> list[int]:
        """The numbers of the lines that begin on the glass."""
        return [int(found[1]) for line in self.shown() if (found := re.search(r"line (\d+)", line))]


@asynccontextmanager
async def opened() -> AsyncGenerator[Bench]:
    store = filled_store()
    app = Glass(Fleet((FleetHost("", store, cast("Link", FakeLink(store))),)), clock=lambda: NOW)
    async with app.run_test(size=(80, 60)) as pilot:
        bench = Bench(app, pilot)
        await bench.draw()
        await bench.resize(80, 61)  # all of it is drawn once
        yield bench


@pytest.mark.parametrize("text", ["", LONG], ids=["short", "folded"])
async def test_it_follows_past_the_limit(text: str) -> None:
    async with opened() as bench:
        for count in (PANEL_LINES - 10, 9, 1, 1, 1, 7, 300, PANEL_LINES + 5, 1):
            await bench.log(count, text)
            numbers = bench.numbers()
            assert numbers == list(range(bench.next - len(numbers), bench.next)), f"after {bench.next - FIRST}"
            assert len(numbers) >= 3
            assert len(bench.panel.lines) <= PANEL_LINES
        assert "stays" not in str(bench.panel.border_title)


@pytest.mark.parametrize("text", ["", LONG], ids=["short", "folded"])
async def test_it_stands_still_past_the_limit_until_its_lines_are_gone(
    text: str,
) -> None:
    async with opened() as bench:
        await bench.log(PANEL_LINES + 20, text)
        bench.panel.follow(follow=False)
        shown = bench.shown()
        for count in (1, 1, 20, 60):
            await bench.log(count, text)
            assert bench.shown() == shown
        await bench.log(PANEL_LINES, text)
        kept = bench.numbers()
        assert kept == list(range(kept[0], kept[0] + len(kept)))
        assert kept[-1] < bench.next - len(kept), "it does not follow"
        bench.panel.focus()
        await bench.pilot.press("end")
        await bench.draw()
        assert bench.numbers()[-1] == bench.next - 1


async def test_one_line_at_a_time_moves_it_by_one() -> None:
    async with opened() as bench:
        await bench.log(PANEL_LINES + 3)
        for _ in range(30):
            before = bench.numbers()
            await bench.log(1)
            assert bench.numbers() == [number + 1 for number in before]


@pytest.mark.parametrize("follows", [True, False], ids=["following", "standing still"])
async def test_another_width_folds_anew_and_stays_at_its_line(follows: bool) -> None:
    async with opened() as bench:
        await bench.log(PANEL_LINES + 200, LONG)
        if not follows:
            bench.panel.focus()
            await bench.pilot.press("pageup", "pageup")
            await bench.draw()
        for columns, lines in ((60, 61), (120, 61), (70, 50), (70, 64), (100, 61)):
            top = bench.numbers()[0]
            await bench.resize(columns, lines)
            assert all(len(line) <= columns for line in bench.shown())
            if follows:
                assert bench.numbers()[-1] == bench.next - 1
            else:
                assert abs(bench.numbers()[0] - top) <= 1
                await bench.log(3, LONG)
                assert abs(bench.numbers()[0] - top) <= 1


async def test_what_is_selected_stays_selected() -> None:
    async with opened() as bench:
        await bench.log(PANEL_LINES)
        place = bench.panel.lines.index(next(line for line in bench.panel.lines if f"line {bench.next - 9}" in line))
        bench.app.main.selections = {bench.panel: Selection(Offset(0, place), Offset(22, place))}
        before = bench.app.main.get_selected_text()
        assert before is not None
        assert f"line {bench.next - 9}" in before
        await bench.log(5)
        assert bench.app.main.get_selected_text() == before
        await bench.log(PANEL_LINES)
        assert not bench.app.main.get_selected_text(), "it was let go"
