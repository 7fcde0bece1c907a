"""What the main screen says where there is little room: nothing that matters is lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from flashdeck.job_state import JobKind, WaitFor, Waiting
from flashdeck.model import DeviceState
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.actions.registry import ACTIONS
from flashdeck_tui.board_list import Arrangement, boards_of, groups_of
from flashdeck_tui.clauses import Sentence
from flashdeck_tui.keymap import key_names, with_keys
from flashdeck_tui.views.below import below_text, short_list
from flashdeck_tui.views.board_line import names_by_partition
from flashdeck_tui.views.boards import (
    MAP_CELLS,
    NARROW_MAP_CELLS,
    VERSION_CELLS,
    WIDE,
    WIDE_MAP_CELLS,
    WIDE_VERSION_CELLS,
    Appearance,
    board_table,
)
from flashdeck_tui.views.details import details, shortened
from flashdeck_tui.views.header import header
from flashdeck_tui.views.jobs import job_rows
from flashdeck_tui.views.tiles import board_tiles
from flashdeck_tui.views.version_names import VersionNames, version_names
from flashdeck_tui.widgets.log_panel import LOW, LogPanel
from many_boards import bench
from tui_hands import opened
from tui_scene import BENCH, DAEMON, KEYS, NOW, board, contents, filled_store, fleet_of, job, listed_rows

OTHER_KEYS = {each.id: f"f{at}" for at, each in enumerate((a for a in ACTIONS if a.key), 1)}
_VERBS = "retries|lets|tries|flashes|reflashes|cancels|arms|shows|gives|examines|builds"
EACH = "1 FAILED  1 blocked  1 on hold  1 needs a hand  2 flashing"
"""The first conditions of the 24 boards, each counted by itself."""
_DEFAULT_KEYS = re.compile(rf"(?<![\w'])([a-zA-Z/!*?123]) ({_VERBS})\b|\[/\] filter")


@pytest.mark.parametrize(
    ("names", "shared"),
    [
        (["demo 1.0.1", "demo 1.0.2"], ["1.0.1", "1.0.2"]),
        (["demo 1.0.1", "blinky 1.0.2"], ["demo 1.0.1", "blinky 1.0…"]),
        (["demo 1.0.1", "4f2a91c0d3e5"], ["demo 1.0.1", "4f2a91c0d3…"]),
        (["1.0.2+build.5-gabc", "1.0.2+build.6-gdef"], ["…5-gabc", "…6-gdef"]),
        (["my app v2", "my app v2 + a patch"], ["v2", "v2 + a pat…"]),
        (["app1 1.0.1", "app1 1.0.2-rc1"], ["1.0.1", "1.0.2-rc1"]),
        (["stm32h7 loader V2.1", "stm32h7 loader V2.2"], ["V2.1", "V2.2"]),
        (["demo gabc12", "demo gdef34"], ["gabc12", "gdef34"]),
        (["1.0.1 beta 2", "1.0.1 beta 3"], ["…2", "…3"]),
        (["a-very-long-name-of-a-version"], ["a-very-lon…"]),
        (["nothing", "unknown + a patch"], ["nothing", "unknown +…"]),
    ],
)
def test_a_short_version_is_what_tells_it_from_the_others(names: list[str], shared: list[str]) -> None:
    found = version_names(names)
    assert [found.short(name, VERSION_CELLS) for name in names] == shared


def test_two_versions_in_one_cell_are_both_seen() -> None:
    assert (
        version_names(["demo 1.0.1", "demo 1.0.2"]).change("demo 1.0.1", "demo 1.0.2", VERSION_CELLS, ">")
        == "1.0.1>1.0.2"
    )
    long = version_names(["1.0.2+build.5-gabc", "1.0.2+build.6-gdef"])
    assert long.change("1.0.2+build.5-gabc", "1.0.2+build.6-gdef", VERSION_CELLS, ">") == "…5-g…>…6-g…"
    assert long.change("-", "1.0.2+build.6-gdef", VERSION_CELLS, ":") == "-:…6-gdef"


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4), st.integers(min_value=3, max_value=WIDE_VERSION_CELLS))
def test_versions_never_take_more_than_their_room(names: list[str], room: int) -> None:
    found = version_names(names)
    assert all(cell_len(found.short(name, room)) <= room for name in names)
    assert all(cell_len(found.change(name, names[0], room, ":")) <= room for name in names)


@pytest.mark.parametrize(("width", "cells"), [(WIDE - 1, VERSION_CELLS), (WIDE, WIDE_VERSION_CELLS)])
def test_no_version_is_cut_by_its_column(width: int, cells: int) -> None:
    version = "release-2026.11.30-with-a-long-name"
    snapshot = bench(3)
    changed = tuple(
        replace(board, partitions=tuple(replace(p, contents=contents(version=version)) for p in board.partitions))
        for board in snapshot.boards
    )
    fleet, listing = fleet_of(filled_store(replace(snapshot, boards=changed))), Arrangement()
    table = board_table(fleet, groups_of(fleet, listing), listing, NOW, Appearance(KEYS, width))
    assert {column.most for column in table.columns[2:4]} == {cells}
    assert {cell_len(cell.text) for row in table.rows for cell in row.cells[2:4]} == {cells}
    assert all(cell.text.endswith("ok") for row in table.rows for cell in row.cells[2:4])


@pytest.mark.parametrize(
    ("version", "heads"),
    [("demo 1.0.1", ["APP1 demo", "PART2 demo"]), ("app1 1.0.1", ["APP1", "PART2 app1"])],
)
def test_the_head_of_a_column_names_the_program_where_it_has_room(version: str, heads: list[str]) -> None:
    snapshot = bench(2)
    named = tuple(
        replace(board, partitions=tuple(replace(p, contents=contents(version=version)) for p in board.partitions))
        for board in snapshot.boards
    )
    fleet, listing = fleet_of(filled_store(replace(snapshot, boards=named))), Arrangement()
    table = board_table(fleet, groups_of(fleet, listing), listing, NOW, Appearance(KEYS))
    assert [column.title for column in table.columns] == ["  BOARD", "MAP", *heads, "STATE"]
    assert table.rows[0].cells[2].text == "1.0.1 ok"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["rack-001", "rack-002", "rack-004"], "rack-001 002 004"),
        (["rack-009", "rack-010", "rack-011", "left"], "rack-009-011, left"),
        (["a1", "b2", "a2", "a3", "a10"], "a1-3 10, b2"),
        ([], ""),
    ],
)
def test_names_are_told_in_short(names: list[str], told: str) -> None:
    assert short_list(names) == told


def test_the_line_below_the_list_says_as_much_as_it_has_room_for() -> None:
    boards = boards_of(fleet_of(filled_store(bench(24))))
    hidden = [each for each in boards if each.board.name in ("rack-016", "rack-019", "rack-020", "rack-021")]
    versions = names_by_partition(boards)

    def told(width: int) -> str:
        return below_text(hidden, 0, versions, width)

    assert told(200) == "4 boards below, absent (1.0.1, 1.2.0): rack-016; current (1.0.2, 1.2.0): rack-019-021"
    assert told(60) == "4 boards below, absent: rack-016; current: rack-019-021"
    assert told(40) == "4 boards below, 1 absent, 3 current"
    assert told(20) == "4 boards below"
    assert below_text([], 2, versions, 80) == "2 devices below"
    assert below_text(hidden[:1], 1, versions, 30) == "1 board and 1 device below"
    assert below_text([], 0, versions, 80) == ""


def test_the_header_counts_together_what_has_no_room_alone() -> None:
    fleet = fleet_of(filled_store(bench(24)))

    def told(width: int) -> str:
        cells = [cell.text for cell in header(fleet, KEYS, "", width)]
        assert cell_len("  ".join(cells)) <= width
        return "  ".join(cells)

    assert told(300).startswith(f"flashdeck  24 boards  {EACH}  1 taken  1 absent  1 offered  15 current  [/] filter")
    assert told(111) == f"24 boards  {EACH}  1 taken  1 absent  1 offered  15 current"
    assert told(107) == f"flashdeck  24 boards  {EACH}  2 not current  16 current", "what is taken has its newest build"
    assert told(84) == "flashdeck  24 boards  !‖4 need you (1 FAILED)  2 flashing  2 not current  16 current"
    assert told(78) == "24 boards  !‖4 need you (1 FAILED)  2 flashing  2 not current  16 current"
    assert told(58) == "24 boards  !‖4 need you (1 FAILED)  2 flashing  16 current"


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            120,
            f"24 boards  {EACH}  1 taken  1 absent  1 offered  15 current",
        ),
        (80, "24 boards  !‖4 need you (1 FAILED)  2 flashing  2 not current  16 current"),
        (60, "24 boards  !‖4 need you (1 FAILED)  2 flashing  16 current"),
    ],
)
def test_counts_matter_more_than_that_the_boards_are_virtual(columns: int, told: str) -> None:
    fleet = fleet_of(filled_store(replace(bench(24), daemon=replace(DAEMON, virtual=True))))
    assert "  ".join(cell.text for cell in header(fleet, KEYS, "", columns - 2)) == told
    assert header(fleet, KEYS, "", 300)[1].text == "virtual", "where there is room it stands before the counts"


def test_where_nothing_else_gives_way_the_last_counts_do_and_none_is_cut() -> None:
    fleet = fleet_of(filled_store(bench(24)))
    whole = ["24 boards", "!‖4 need you (1 FAILED)", "2 flashing", "16 current"]
    for width in range(58):
        cells = [cell.text for cell in header(fleet, KEYS, "rack", width)]
        assert cells == whole[: len(cells)]
        assert cell_len("  ".join(cells)) <= width


@pytest.mark.parametrize("columns", [60, 80, 120])
async def test_a_device_has_its_whole_name_and_takes_no_room_of_boards(columns: int) -> None:
    odd = DeviceState(port="1-9", usb_id="0483:df11", serial="X", product="Acme STM32 Bootloader (DFU)")
    async with opened(replace(bench(8), devices=(odd,)), size=(columns, 20)) as screen:
        assert "- Acme STM32 Bootloader (DFU)  " in screen.shown
        assert "no board: 0483:df11, 1-9" in screen.shown
        alone = [line for line in screen.shown.splitlines() if "rack-" in line]
    async with opened(bench(8), size=(columns, 20)) as screen:
        assert [line for line in screen.shown.splitlines() if "rack-" in line][: len(alone)] == alone


async def test_a_device_alone_has_the_room_that_the_screen_has() -> None:
    odd = DeviceState(port="1-9", usb_id="0483:df11", serial="X", product="Acme Bootloader of a Gadget, Revision 7")
    async with opened(replace(bench(0), devices=(odd,)), size=(80, 24)) as screen:
        assert "- Acme Bootloader of a Gadget, Revision 7  no board: 0483:df11, 1-9, X" in screen.shown
    async with opened(replace(bench(3), devices=(odd,)), size=(60, 20)) as screen:
        assert "- Acme Bootloader of a Gadget,…  " in screen.shown, "all but what the state needs"


@pytest.mark.parametrize(
    ("hint", "cells", "told"),
    [
        ("hold SW2, press RESET", 80, 'needs a hand: "hold SW2, press RESET"'),
        ("hold SW2, press RESET", 24, '"hold SW2, press RESET"'),
        ("unplug it, hold BOOT, plug it in", 24, '"unplug it, hold BOOT…"'),
        ("hold SW2, press RESET", 15, '"hold SW2…"'),
        ("", 25, "needs a hand (Enter: why)"),
    ],
)
def test_what_a_hand_has_to_do_matters_more_than_that_one_is_needed(hint: str, cells: int, told: str) -> None:
    waiting = Waiting(for_=WaitFor.HAND, reason="it is running", hint=hint)
    snapshot = replace(BENCH, boards=(board("left", armed=False),), jobs=(job(1, "left", waiting),))
    (row,) = (row for row in listed_rows(filled_store(snapshot)) if row.key.board)
    state = row.cells[-1]
    assert isinstance(state, Sentence)
    assert state.within(cells, more="(Enter: why)" if cells > 24 or not hint else "").removesuffix("; disarmed") == told


def test_the_queue_says_what_to_do_at_the_board_too() -> None:
    waiting = Waiting(for_=WaitFor.HAND, reason="it is running", hint="hold SW2, press RESET")
    store = filled_store(replace(BENCH, jobs=(job(1, "left", waiting), job(2, "left", waiting, kind=JobKind.ERASE))))
    flashing, erasing = (row.cells[-1] for row in job_rows(store, NOW))
    assert isinstance(flashing, Sentence)
    assert flashing.text == 'it is running; "hold SW2, press RESET"'
    assert flashing.within(29) == '"hold SW2, press RESET"'
    assert isinstance(erasing, Sentence)
    assert erasing.within(36) == 'erase: "hold SW2, press RESET"'


async def test_a_tile_keeps_the_most_alarming_clause_whole() -> None:
    async with opened(bench(24), size=(80, 24)) as screen:
        await screen.press("w")
        assert "NO ANSWER 12 s" in screen.shown
        assert "NO…" not in screen.shown
        assert '"hold SW2…"' in screen.shown


def test_no_tile_breaks_a_word_of_a_state() -> None:
    store = filled_store(bench(24))
    tiles = board_tiles(groups_of(fleet_of(store), Arrangement()), NOW, KEYS, 79)
    for tile in tiles:
        state = tile.cells[-1]
        assert isinstance(state, Sentence)
        words = set(re.findall(r"[^\s;,:\"]+", state.text + " NO ANSWER"))
        for width in range(12, 40):
            told = state.within(width)
            assert cell_len(told) <= width
            assert set(re.findall(r"[^\s;,:\"…]+", told)) <= words, (told, state.text)


def test_what_to_do_is_seen_though_the_story_is_long() -> None:
    lines = [Phrase("it failed because " * 20, Tone.BAD), Phrase("To do: look at the cable", Tone.STRONG), Phrase("x")]
    story, todo, last = shortened(lines, 40, 3)
    assert todo == lines[1]
    assert last == lines[2]
    assert len(story.text) <= 80
    assert story.text == "it failed because it failed because it failed because it failed because it…"
    assert shortened(lines, 40, 30) == lines
    assert shortened(lines[:1], 40, 3) == lines[:1]
    long = [
        Phrase("it failed", Tone.BAD),
        Phrase("To do: look at the cable, then at the board; r retries", Tone.STRONG),
    ]
    assert [line.text for line in shortened(long, 30, 2)] == ["it failed", "To do: look at the cable"]


async def test_a_low_log_cuts_its_lines_and_a_higher_one_folds_them() -> None:
    async with opened(size=(80, 18)) as screen:
        panel, seen = screen.app.main.query_one(LogPanel), set[int]()
        for lines in range(18, 40):
            await screen.pilot.resize_terminal(80, lines)
            await screen.settle()
            screen.app.refresh_views()
            await screen.settle()
            height = panel.size.height
            seen.add(height)
            assert any(line.startswith("   ") for line in panel.lines) is (height >= LOW), height
        assert {LOW - 1, LOW} <= seen


def test_the_map_is_narrower_before_it_goes() -> None:
    fleet, listing = fleet_of(filled_store()), Arrangement()  # whose second partition has a long name
    groups = groups_of(fleet, listing)
    maps = {
        width: {
            cell_len(row.cells[1].text)
            for row in board_table(fleet, groups, listing, NOW, Appearance(KEYS, width)).rows
            if row.key.board
        }
        for width in (76, 100, WIDE)
    }
    assert maps == {76: {NARROW_MAP_CELLS}, 100: {MAP_CELLS}, WIDE: {WIDE_MAP_CELLS}}


async def test_the_list_says_which_boards_are_below_until_its_end() -> None:
    async with opened(bench(24), size=(80, 24)) as screen:
        assert "11 boards below, current" in foot(screen.shown)
        await screen.press("G")
        assert "the end of the list" in foot(screen.shown)
        assert "rack-024" in screen.shown


def foot(shown: str) -> str:
    """The line above the details."""
    lines = shown.splitlines()
    return lines[next(at for at, line in enumerate(lines) if line.startswith("─")) - 1]


def test_hints_name_the_keys_that_a_person_has_given() -> None:
    keys = key_names(with_keys(ACTIONS, OTHER_KEYS))
    for snapshot in (BENCH, bench(24)):
        store = filled_store(snapshot)
        fleet, listing = fleet_of(store), Arrangement()
        rows = board_table(fleet, groups_of(fleet, listing), listing, NOW, Appearance(keys)).rows
        said = [cell.text for row in rows for cell in row.cells]
        said += [line.text for row in rows for line in details(store, row.key, NOW, keys)]
        said += [cell.text for cell in header(fleet, keys)]
        assert [text for text in said if _DEFAULT_KEYS.search(text)] == []
        assert any(OTHER_KEYS["retry"] + " retries this job" in text for text in said)


async def test_the_screen_names_no_key_that_was_given_away() -> None:
    async with opened(bench(24), size=(80, 24), keys=OTHER_KEYS) as screen:
        assert not _DEFAULT_KEYS.search(screen.shown)
        assert "(3: all" not in screen.shown
        for action in ("take", "mark", "sort", "hold"):
            await screen.press(OTHER_KEYS[action])
            await screen.press("escape")
        assert not any(_DEFAULT_KEYS.search(text) for text in screen.said)


def test_an_action_without_a_key_is_named_by_the_palette() -> None:
    keys = key_names(with_keys(ACTIONS, {"release": "none"}))
    assert keys["release"] == "^p Release"
    assert keys["details"] == "Enter"
    assert VersionNames().short("1.0.2", 11) == "1.0.2"


async def test_the_meaning_stands_above_the_details_of_a_board_whose_map_is_seen() -> None:
    async with opened(bench(24), size=(80, 24)) as screen:
        assert "─rack-007 (Enter: all of it)   map: L protected  ! failed  # contents─" in screen.shown
        await screen.press("2")
        assert "map: L" not in screen.shown
        await screen.press("w")
        assert "map: L protected" in screen.shown
        await screen.pilot.resize_terminal(60, 20)
        await screen.press("1")
        screen.app.refresh_views()
        await screen.settle()
        assert "map: L" not in screen.shown, "there the map has no room"
