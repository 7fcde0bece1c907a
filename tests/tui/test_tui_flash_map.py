"""The flash map on the screen: every sector in one cell, the worst where there is no room, and only changes drawn."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.pilot import Pilot

from flash_map_scene import BUSY, BUSY_MAP, DONE, FAILED, SECTOR, TIMES, runs
from flashdeck.flash_map import FlashMap, SectorRun, SectorState
from flashdeck.job_state import Phase, PhaseTimes
from flashdeck.model import PartitionState, Snapshot
from flashdeck.words.sectors import sector_word
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.fleet import Fleet
from flashdeck_tui.glyphs import FlashGlyph
from flashdeck_tui.map_cells import (
    MAX_LINE_CELLS,
    MAX_LINES,
    glyph_of,
    legend,
    line_cells,
    map_cells,
    map_lines,
    map_of_partitions,
)
from flashdeck_tui.map_page import LONGEST_STORY, map_page
from flashdeck_tui.phase_chart import LEAST_BAR, phase_bars, phase_chart
from flashdeck_tui.screens.main import MainScreen
from flashdeck_tui.screens.map_screen import LOOK_SECONDS, FlashMapScreen
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.widgets.phrase_lines import PhraseLines
from flashdeck_tui.widgets.rows import Rows
from tui_scene import BENCH, HOSTILE, KEYS, NOW, board, contents, event, filled_store, make_app, partitions, running


def shown(*parts: tuple[int, SectorState]) -> FlashMap:
    return FlashMap(board="left", runs=runs(*parts))


def row(of: FlashMap, width: int) -> str:
    return "".join(glyph.value.ascii for glyph in map_cells(of, width))


# One row for a list.


def test_a_board_at_rest_in_a_row() -> None:
    rest = shown(
        (16, SectorState.PROTECTED),
        (13, SectorState.CONTENTS),
        (35, SectorState.UNTOUCHED),
        (48, SectorState.CONTENTS),
        (16, SectorState.FOREIGN),
    )
    assert row(rest, 16) == "LL##....######--"


def test_a_board_that_is_flashed_in_a_row() -> None:
    assert row(BUSY_MAP, 16) == "LL>>..........--"


@pytest.mark.parametrize(
    ("states", "sign"),
    [
        ((SectorState.FAILED, SectorState.VERIFIED), "!"),
        ((SectorState.INCOMPLETE, SectorState.CONTENTS), "!"),
        ((SectorState.WRITING, SectorState.ERASED), ">"),
        ((SectorState.TO_ERASE, SectorState.EQUAL), "x"),
        ((SectorState.ERASED, SectorState.WRITTEN), "."),
        ((SectorState.WRITTEN, SectorState.UNTOUCHED), "#"),
        ((SectorState.EQUAL, SectorState.FOREIGN), "#"),
        ((SectorState.UNCERTAIN, SectorState.CONTENTS), "?"),
    ],
)
def test_of_several_sectors_in_one_cell_the_one_that_tells_most_is_seen(
    states: tuple[SectorState, SectorState], sign: str
) -> None:
    one, other = states
    assert row(shown((1, one), (1, other)), 1) == sign
    assert row(shown((1, other), (1, one)), 1) == sign


STATES = st.lists(st.tuples(st.integers(1, 40), st.sampled_from(SectorState)), min_size=1, max_size=12)


@given(STATES, st.integers(1, 100))
def test_a_row_has_as_many_cells_as_asked_for_and_hides_no_failure(
    parts: list[tuple[int, SectorState]], width: int
) -> None:
    whole = shown(*parts)
    cells = map_cells(whole, width)
    assert len(cells) == width
    failed = SectorState.FAILED in {state for _, state in parts} or SectorState.INCOMPLETE in {s for _, s in parts}
    assert (FlashGlyph.FAILED in cells) is failed


def test_where_there_is_no_map_there_is_no_row() -> None:
    assert map_cells(FlashMap(board="plain", reason="no map"), 15) == ()
    assert map_cells(shown((1, SectorState.CONTENTS)), 0) == ()


def test_runs_without_bytes_are_left_out() -> None:
    empty = [SectorRun(address=0, size=size, count=count, state=SectorState.FAILED) for size, count in ((0, 1), (8, 0))]
    odd = FlashMap(board="left", runs=(*empty, SectorRun(address=0, size=8, count=-1, state=SectorState.FAILED)))
    assert map_cells(odd, 15) == ()
    assert map_lines(odd, (), 32) == []
    huge = FlashMap(board="left", runs=(SectorRun(address=0, size=1, count=10**12, state=SectorState.CONTENTS),))
    assert len(map_lines(huge, (), 32)) == MAX_LINES


def test_glyphs_are_told_apart_without_colour_and_in_ascii() -> None:
    glyphs = [each.value for each in FlashGlyph]
    for forms in ([each.symbol for each in glyphs], [each.ascii for each in glyphs]):
        assert len(set(forms)) == len(forms)
        assert all(len(form) == 1 for form in forms)
    assert all(each.ascii.isascii() and each.meaning for each in glyphs)
    assert all(glyph_of(state).value and sector_word(state).text for state in SectorState)


# Sector by sector.


def cells_of(lines: Sequence[Any]) -> int:
    return sum(line.count for line in lines)


@given(STATES, st.integers(1, 200), st.lists(st.integers(0, 500), min_size=0, max_size=6, unique=True))
def test_every_sector_is_in_exactly_one_cell(parts: list[tuple[int, SectorState]], room: int, edges: list[int]) -> None:
    whole = shown(*parts)
    start = whole.runs[0].address
    places = [
        PartitionState(name=f"p{first}", address=start + first * SECTOR, size=(last - first) * SECTOR)
        for first, last in pairwise(sorted(edges))
    ]
    lines = map_lines(whole, places, room)
    states = [(run.address + at * SECTOR, run.state) for run in whole.runs for at in range(run.count)]
    drawn = [
        (line.address + at * line.size, glyph)
        for line in lines
        for at, glyph in enumerate(glyph for glyph, count in line.cells for _ in range(count))
    ]
    assert drawn == [(address, glyph_of(state)) for address, state in states]
    assert all(line.count <= line_cells(room) <= max(1, room) for line in lines)
    owners = {place.name: place for place in places}
    for line in (line for line in lines if line.name):
        assert line.address >= owners[line.name].address


def test_a_line_has_so_many_sectors_and_a_map_so_many_lines() -> None:
    assert line_cells(MAX_LINE_CELLS) == line_cells(10 * MAX_LINE_CELLS) == MAX_LINE_CELLS
    assert line_cells(MAX_LINE_CELLS - 1) == MAX_LINE_CELLS // 2
    many = shown((MAX_LINES + 1, SectorState.CONTENTS))
    assert len(map_lines(many, (), 1)) == MAX_LINES
    assert len(map_lines(shown((MAX_LINES, SectorState.CONTENTS)), (), 1)) == MAX_LINES


def test_partitions_and_sizes_of_sectors_have_lines_of_their_own() -> None:
    memory = (
        SectorRun(address=0x08000000, size=16384, count=4, state=SectorState.PROTECTED),
        SectorRun(address=0x08010000, size=65536, count=1, state=SectorState.PROTECTED),
        SectorRun(address=0x08020000, size=131072, count=7, state=SectorState.CONTENTS),
    )
    places = (
        PartitionState(name="bootloader", address=0x08000000, size=0x20000, protected=True),
        PartitionState(name="app", address=0x08020000, size=0x40000),
    )
    lines = map_lines(FlashMap(board="left", runs=memory), places, 32)
    assert [(line.address, line.name, line.count, line.size) for line in lines] == [
        (0x08000000, "bootloader", 4, 16384),
        (0x08010000, "bootloader", 1, 65536),
        (0x08020000, "app", 2, 131072),
        (0x08060000, "", 5, 131072),
    ]


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, SectorState.CONTENTS),
        ({"complete": False}, SectorState.INCOMPLETE),
        ({"uncertain": True}, SectorState.UNCERTAIN),
        ({"erased": True}, SectorState.ERASED),
    ],
)
def test_of_an_older_daemon_the_partitions_are_the_map(fields: dict[str, Any], state: SectorState) -> None:
    made = map_of_partitions(board(partitions=partitions(contents(**fields))))
    assert [run.state for run in made.runs] == [SectorState.PROTECTED, state, SectorState.UNTOUCHED]


def test_a_plain_device_is_said_to_have_no_map() -> None:
    plain = board(partitions=(PartitionState(name="app", address=0, size=4096, alternate="0"),))
    assert map_of_partitions(plain).reason
    text = page(replace(BENCH, boards=(plain,)), "left")
    assert "no addresses" in text


# The page.


def page(snapshot: Snapshot, name: str = "bench-1", *, width: int = 78, height: int = 24) -> str:
    return text_of(map_page(filled_store(snapshot), name, NOW, width=width, height=height))


def text_of(lines: Sequence[Sequence[Phrase]]) -> str:
    return "\n".join("".join(phrase.text for phrase in line) for line in lines)


def test_while_a_job_runs_the_page_says_how_far_and_how_fast_and_what_it_saved() -> None:
    at = [0.0]
    store = Store(clock=lambda: at[0])
    store.take(BUSY)
    (job,) = [each for each in BUSY.jobs if each.id == 8]
    for at[0], done in ((0.0, 20_000), (0.5, 42_000)):
        store.take(event(job=replace(job, status=running(done=done))))
    text = text_of(map_page(store, "bench-1", NOW, width=78, height=24))
    for said in (
        "job 8: 1.0.2 into app1",
        "writing 41 %, 43 KiB/s, 1.3 s left",
        "changes 10 sectors (80 KiB): 10 erased, 5 written, 2 verified",
        "leaves 3 equal sectors alone, 24 KiB not sent",
        "0x08020000  >===✓✓+++>ooo",
        "no partition",
    ):
        assert said in text, said


def test_after_the_job_it_says_what_changed_and_where_the_seconds_went() -> None:
    text = page(DONE)
    assert "10 erased, 10 written, 10 verified" in text
    assert "done" in text
    assert "verify" in text
    assert "2.1 s" in text


def test_a_failed_job_is_said_with_what_to_do() -> None:
    text = page(FAILED)
    assert "1 sector failed" in text
    assert "To do:" not in text or "check" in text
    assert "0x08020000  oo!!!!!!!!!!!" in text


@pytest.mark.parametrize("width", [30, 40, 58, 78, 118, 198])
@pytest.mark.parametrize("snapshot", [BUSY, DONE, FAILED, BENCH], ids=["busy", "done", "failed", "none"])
def test_no_line_is_wider_than_the_screen(snapshot: Snapshot, width: int) -> None:
    for name in ("bench-1", "left", "twin"):
        lines = page(snapshot, name, width=width).splitlines()
        assert max(map(len, lines[1:])) <= width


def test_a_hostile_name_stays_on_its_line() -> None:
    hostile = replace(BENCH.boards[0], partitions=(replace(BENCH.boards[0].partitions[1], name=HOSTILE[:30]),))
    text = page(replace(BENCH, boards=(hostile,)), "left")
    assert "\x1b" not in text


def test_a_board_that_is_gone_is_said_to_be() -> None:
    assert page(BENCH, "nope") == "There is no board nope any more."


def test_an_older_daemon_is_said_to_tell_no_sectors() -> None:
    assert "tells no sectors" in page(BENCH, "left")


def test_a_long_story_is_cut() -> None:
    (story, *_) = [job for job in FAILED.jobs if job.id == 8]
    assert story.failure is not None
    long = replace(
        story, status=replace(story.status, failure=replace(story.failure, message="x " * 5 * LONGEST_STORY))
    )
    jobs = tuple(long if each.id == 8 else each for each in FAILED.jobs)
    text = page(replace(FAILED, jobs=jobs), width=2000)
    told = next(line for line in text.splitlines() if "x x" in line)
    assert len(told) in (LONGEST_STORY, LONGEST_STORY - 1)


# The chart.


def test_the_bars_are_on_one_scale() -> None:
    lines = [line.text for line in phase_chart(TIMES, 60)]
    assert [line.split()[0] for line in lines] == [
        "detach",
        "open",
        "compare",
        "erase",
        "write",
        "verify",
        "leave",
        "start",
    ]
    full = {line.split()[0]: line.count("█") for line in lines}
    assert full["write"] == max(full.values())
    assert full["erase"] < full["start"] < full["write"]
    assert all(line.endswith("%") for line in lines)


@given(
    st.builds(
        PhaseTimes,
        **{name: st.floats(0, 1e5, allow_nan=False) for name in ("detach", "compare", "erase", "write", "start")},
    ),
    st.integers(1, 150),
    st.integers(1, 10),
)
def test_no_chart_is_wider_or_longer_than_asked_for(times: PhaseTimes, width: int, most: int) -> None:
    lines = phase_chart(times, width, most=most)
    assert len(lines) == min(most, len(phase_bars(times)))
    assert all(len(line.text) <= width for line in lines)


def test_where_there_is_no_room_for_bars_the_seconds_stand_alone() -> None:
    narrow = len("write") + len("2.1 s") + len("100 %") + 3 * 2
    times = PhaseTimes(write=2.1)
    assert "█" in phase_chart(times, narrow + LEAST_BAR)[0].text
    assert "█" not in phase_chart(times, narrow + LEAST_BAR - 1)[0].text


def test_what_took_least_is_summed_up_where_there_are_too_many_lines() -> None:
    lines = [line.text for line in phase_chart(TIMES, 60, most=3)]
    assert [line.split()[0] for line in lines] == ["write", "start", "all"]
    assert sum(int(line.split()[-2]) for line in lines) in range(99, 102)


def test_the_phase_under_way_is_marked_and_nothing_is_drawn_of_no_time() -> None:
    marked = [line.text.split()[0] for line in phase_chart(TIMES, 60, now=Phase.WRITE) if line.tone is Tone.BUSY]
    assert marked == ["write"]
    assert phase_chart(PhaseTimes(), 60) == []


# The screen.


@asynccontextmanager
async def opened(
    snapshot: Snapshot, size: tuple[int, int] = (80, 24)
) -> AsyncGenerator[tuple[FlashdeckApp, Pilot[int]]]:
    app, link = make_app(snapshot)
    async with app.run_test(size=size) as pilot:
        app.refresh_views()
        await pilot.pause()
        app.main.query_one("#boards", Rows).select(Selection(board="bench-1"))
        await pilot.pause()
        await pilot.press("m")
        await pilot.pause()
        yield app, pilot
        assert link.calls == []


def lines_of(app: FlashdeckApp) -> list[str]:
    assert isinstance(app.screen, FlashMapScreen)
    return ["".join(phrase.text for phrase in line) for line in app.screen.query_one(PhraseLines).lines]


async def test_m_opens_the_map_and_escape_closes_it() -> None:
    async with opened(BUSY) as (app, pilot):
        assert "bench-1: flash map" in lines_of(app)[0]
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.main


async def test_the_map_follows_what_the_daemon_tells() -> None:
    async with opened(BUSY) as (app, pilot):
        assert isinstance(app.screen, FlashMapScreen)
        store = app.fleet.hosts[0].store
        store.take_maps([replace(BUSY_MAP, runs=runs((16, SectorState.PROTECTED), (112, SectorState.FAILED)))])
        app.screen.look()
        await pilot.pause()
        assert any("!!!!" in line for line in lines_of(app))


async def test_only_lines_that_changed_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(BUSY) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, FlashMapScreen)
        drawn: list[int] = []
        monkeypatch.setattr(PhraseLines, "_refresh_line", lambda _, index: drawn.append(index))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        screen.look()
        assert drawn == []
        more = runs((16, SectorState.PROTECTED), (2, SectorState.WRITING), *[(1, SectorState.EQUAL)] * 110)
        app.fleet.hosts[0].store.take_maps([replace(BUSY_MAP, runs=more)])
        screen.look()
        await pilot.pause()
        assert 0 < len(drawn) < len(lines_of(app))


async def test_a_map_that_is_too_long_is_scrolled() -> None:
    long = replace(BUSY, maps=(replace(BUSY_MAP, runs=runs((2000, SectorState.CONTENTS))),))
    async with opened(long, (60, 20)) as (app, pilot):
        view = app.screen.query_one(PhraseLines)
        await pilot.press("down", "j", "pagedown")
        await pilot.pause()
        assert view.scroll_offset.y > 2
        await pilot.press("home")
        await pilot.pause()
        assert view.scroll_offset.y == 0


def test_the_screen_looks_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(FlashMapScreen, "set_interval", lambda _, seconds, __: asked.append(seconds))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    FlashMapScreen(filled_store(BUSY), "bench-1", lambda: NOW, KEYS).on_mount()
    assert asked == [LOOK_SECONDS]


async def test_what_the_map_covers_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(BUSY) as (app, pilot):
        looks: list[float] = []
        show = MainScreen.show

        def noted(main: MainScreen, fleet: Fleet, now: float) -> None:
            looks.append(now)
            show(main, fleet, now)

        monkeypatch.setattr(MainScreen, "show", noted)
        store = app.fleet.hosts[0].store
        store.take_maps([BUSY_MAP])
        app.look()
        assert looks == []
        await pilot.press("escape")
        await pilot.pause()
        app.look()
        assert looks == [NOW]


async def test_while_all_of_it_is_visible_the_layout_stays() -> None:
    async with opened(BUSY) as (app, _):
        view = app.screen.query_one(PhraseLines)
        before = view.virtual_size
        view.show([*view.lines, (Phrase("one more"),)])
        assert view.virtual_size == before


# The meaning of a row's glyphs.


P, C, U, F, B = (
    FlashGlyph.PROTECTED,
    FlashGlyph.CONTENTS,
    FlashGlyph.UNTOUCHED,
    FlashGlyph.FAILED,
    FlashGlyph.BUSY,
)


@pytest.mark.parametrize(
    ("cells", "room", "told"),
    [
        ((P, P, C, U), 60, "map: L protected  # contents  . untouched"),
        ((P, F, F, C), 60, "map: L protected  ! failed  # contents"),
        ((P, B, C, U, F), 40, "map: L protected  > changing  ! failed"),
        ((P, C, F), 12, ""),
        ((P, C, F), 13, "map: ! failed"),
        ((), 60, ""),
    ],
)
def test_what_tells_most_of_a_row_is_explained_first_and_nothing_by_half(
    cells: tuple[FlashGlyph, ...], room: int, told: str
) -> None:
    assert legend(cells, room) == told


def test_every_glyph_of_a_row_has_its_place_in_the_legend() -> None:
    for state in SectorState:
        assert legend(map_cells(shown((1, state)), 1), 60) != ""
