"""Much at once: the screen changes a few times a second, whatever the daemon has to tell."""

from typing import Any

import pytest
from msgspec.structs import replace

from flashdeck.flash_map import FlashMap, SectorRun, SectorState
from flashdeck.model import BoardHold, LogLevel, LogLine, Snapshot
from flashdeck_tui.app import AGES, SILENCES, FlashdeckApp
from flashdeck_tui.fleet_log import PANEL_LINES
from flashdeck_tui.screens.main import MainScreen
from flashdeck_tui.store import Selection
from flashdeck_tui.views import board_line
from flashdeck_tui.widgets import log_panel
from flashdeck_tui.widgets.log_panel import LogPanel
from flashdeck_tui.widgets.rows import Rows
from screen_in_steps import MANY_BOARDS, bench
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
            app.fleet.hosts[0].store.take(
                event(log=LogLine(id=number, time=NOW, level=LogLevel.INFO, text=f"line {number} {HOSTILE}"))
            )
        assert not writes  # nothing is drawn for a line
        assert not looks
        app.refresh_views()
        await pilot.pause()
        assert len(writes) == 1
        assert len(app.main.log_panel.lines) <= PANEL_LINES
        await pilot.press("down")
        assert app.main.selection == Selection(board="twin")


async def test_a_storm_of_progress_draws_only_the_lines_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        lines = counted(monkeypatch, Rows, "_refresh_row")
        for done in range(42_000, 43_000):
            app.fleet.hosts[0].store.take(event(job=replace(RUNNING, status=running(done=done))))
        assert not lines
        app.fleet.hosts[0].store.take(event(job=replace(RUNNING, status=running(done=60_000))))
        app.refresh_views()
        await pilot.pause()
        drawn = [(rows.id, index) for rows, index in lines]
        assert drawn == [("boards", 3)]


async def test_lines_of_the_log_alone_draw_the_log_alone_and_no_more_than_it_keeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        looks = counted(monkeypatch, FlashdeckApp, "refresh_views")
        texts = counted(monkeypatch, log_panel, "log_text")
        for number in range(100, 5100):
            line = LogLine(id=number, time=NOW, level=LogLevel.INFO, text=f"line {number}")
            app.fleet.hosts[0].store.take(event(log=line))
        app.look()
        assert not looks
        assert len(texts) == PANEL_LINES
        assert app.main.log_panel.lines[-1].rstrip().endswith("line 5099")
        app.look()
        assert len(texts) == PANEL_LINES, "nothing new, nothing to do"


async def test_of_100_boards_only_those_that_changed_have_their_maps_drawn_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, _ = make_app(bench(running(done=0), MANY_BOARDS))
    store = app.fleet.hosts[0].store
    runs = (SectorRun(address=0x08000000, size=8192, count=128, state=SectorState.UNTOUCHED),)
    store.take_maps(FlashMap(board=name, runs=runs, job=job) for job, name in enumerate(store.boards))
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        maps = counted(monkeypatch, board_line, "map_cells")
        app.refresh_views()
        assert not maps
        written = (replace(runs[0], state=SectorState.WRITTEN),)
        store.take(event(map=FlashMap(board="rack-000", runs=written)))
        app.refresh_views()
        assert {shown.board for shown, _ in maps} == {"rack-000"}


async def test_a_key_lays_the_screen_out_again_only_where_a_text_needs_other_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, _ = make_app(bench(None, MANY_BOARDS))
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.press("down")
        await pilot.pause()
        layouts = counted(monkeypatch, MainScreen, "_refresh_layout")
        await pilot.press("down", "down", "down", "up")
        await pilot.pause()
        assert app.main.selection == Selection(board="rack-003")
        assert not layouts


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
        boards = app.main.query_one("#boards", Rows)
        assert "NO ANSWER" not in boards.rows[3].cells[-1].text
        for seconds in (4, 5):
            now = NOW + seconds
            app.look()
            assert boards.rows[3].cells[-1].text == f"write 41% NO ANSWER {seconds} s"


@pytest.mark.parametrize(
    ("bench", "patience"), [(BENCH, SILENCES), (replace(BENCH, jobs=()), AGES)], ids=["busy", "idle"]
)
async def test_a_bench_on_which_nothing_runs_is_looked_at_seldom(
    monkeypatch: pytest.MonkeyPatch, bench: Snapshot, patience: float
) -> None:
    now = NOW
    app, _ = make_app(bench, clock=lambda: now)
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        looks = counted(monkeypatch, FlashdeckApp, "refresh_views")
        now = NOW + 0.9 * patience
        app.look()
        assert not looks
        now = NOW + patience
        app.look()
        assert len(looks) == 1
