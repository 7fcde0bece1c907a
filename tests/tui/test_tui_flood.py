"""Much at once: the screen changes a few times a second, whatever the daemon has to tell."""

from typing import Any

import pytest
from msgspec.structs import replace

from flashdeck.model import BoardHold, LogLevel, LogLine
from flashdeck_tui.app import AGES, SILENCES, FlashdeckApp
from flashdeck_tui.store import LOG_LINES, Selection
from flashdeck_tui.widgets.log_panel import LogPanel
from flashdeck_tui.widgets.rows import Rows
from tui_scene import BENCH, HOSTILE, NOW, RUNNING, event, make_app, running


def counted(monkeypatch: pytest.MonkeyPatch, kind: Any, name: str) -> list[tuple[Any, ...]]:
    """The calls of a method, which goes on doing what it does."""
    calls: list[tuple[Any, ...]] = []
    method = getattr(kind, name)

    def count(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return method(*args, **kwargs)

    monkeypatch.setattr(kind, name, count)
    return calls


async def test_5000_log_lines_are_one_write_and_keys_still_work(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        writes = counted(monkeypatch, LogPanel, "write_lines")
        looks = counted(monkeypatch, FlashdeckApp, "refresh_views")
        for number in range(100, 5100):
            app.store.take(
                event(log=LogLine(id=number, time=NOW, level=LogLevel.INFO, text=f"line {number} {HOSTILE}"))
            )
        assert not writes  # nothing is drawn for a line
        assert not looks
        app.refresh_views()
        await pilot.pause()
        assert len(writes) == 1
        assert len(app.main.log_panel.lines) <= LOG_LINES
        await pilot.press("down")
        assert app.main.selection == Selection(board="right", partition="app1")


async def test_a_storm_of_progress_draws_only_the_lines_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        lines = counted(monkeypatch, Rows, "_refresh_row")
        for done in range(42_000, 43_000):
            app.store.take(event(job=replace(RUNNING, status=running(done=done))))
        assert not lines
        app.store.take(event(job=replace(RUNNING, status=running(done=60_000))))
        app.refresh_views()
        await pilot.pause()
        drawn = [(rows.id, index) for rows, index in lines]
        assert drawn == [("boards", 9), ("jobs", 0)]


async def test_nothing_is_drawn_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        await pilot.pause()
        drawn = counted(monkeypatch, Rows, "render_line")
        for _ in range(5):
            app.refresh_views()
            await pilot.pause()
        assert not drawn


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (20, 8), (10, 3)])
async def test_no_size_and_no_string_ends_the_application(size: tuple[int, int]) -> None:
    app, _ = make_app(
        replace(BENCH, boards=tuple(replace(b, product=HOSTILE, hold=BoardHold(reason=HOSTILE)) for b in BENCH.boards))
    )
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        await pilot.resize_terminal(*size)
        for key in ("end", "enter", "escape", "tab", "down", "home", "question_mark", "escape", "c", "escape"):
            await pilot.press(key)
            app.refresh_views()
        await pilot.pause()
    assert app.return_code in (None, 0)


async def test_a_board_that_falls_silent_is_told_though_nothing_comes() -> None:
    now = NOW
    app, _ = make_app(clock=lambda: now)
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        jobs = app.main.query_one("#jobs", Rows)
        assert "no answer" not in jobs.rows[0].cells[-1].text
        for seconds in (4, 5):
            now = NOW + seconds
            app.look()
            assert f"no answer for {seconds} s" in jobs.rows[0].cells[-1].text


async def test_a_bench_on_which_nothing_runs_is_looked_at_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now = NOW
    app, _ = make_app(replace(BENCH, jobs=()), clock=lambda: now)
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        looks = counted(monkeypatch, FlashdeckApp, "refresh_views")
        now = NOW + SILENCES
        app.look()
        assert not looks
        now = NOW + AGES
        app.look()
        assert len(looks) == 1
