"""The list of boards of one host and of several: which boards, in which order and groups, and what is marked."""

from collections import defaultdict
from dataclasses import replace as altered
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck.job_state import Failed
from flashdeck.model import Snapshot
from flashdeck.problems import ProblemKind
from flashdeck_tui.actions.action import Context
from flashdeck_tui.actions.many import target_of
from flashdeck_tui.ascii_text import to_ascii
from flashdeck_tui.board_list import Arrangement, Grouping, SortOrder, boards_of, groups_of, kept_marks, next_problem
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.glyphs import EVERYWHERE, BoardGlyph, FlashGlyph, MarkGlyph, VersionGlyph
from flashdeck_tui.link import Link, LinkState, LinkStatus
from flashdeck_tui.store import NOTHING, Selection, Store
from flashdeck_tui.views.board_line import glyph_of, map_cell
from flashdeck_tui.views.boards import (
    MAP_CELLS,
    MOST_PARTITION_COLUMNS,
    WIDE,
    WIDE_MAP_CELLS,
    Appearance,
    BoardsTable,
    board_table,
    list_note,
)
from flashdeck_tui.views.header import header, notices
from flashdeck_tui.views.jobs import fleet_job_rows
from flashdeck_tui.views.tiles import MOST_TILE_CELLS, TILE_CELLS, TILE_LINES, board_tiles, tile_cells
from flashdeck_tui.widgets.columns import fit, widths
from many_boards import ERASE_FAILED, bench, rack
from slot_scene import slots
from tui_scene import HOSTILE, KEYS, NOW, FakeLink, event, fleet_of, job, partitions

USUAL = Arrangement()
AWAY = LinkState(LinkStatus.DISCONNECTED, "ssh: connect to host box-b: Connection refused", "is it switched on?")


def store_of(snapshot: Snapshot) -> Store:
    store = Store()
    store.take(snapshot)
    return store


def two_hosts(*, b_is_away: bool = False) -> Fleet:
    """Two machines with boards of the same names."""
    hosts: list[FleetHost] = []
    for name, count in (("box-a", 4), ("box-b", 3)):
        link = FakeLink(store_of(bench(count)))
        link.state = AWAY if b_is_away and name == "box-b" else link.state
        hosts.append(FleetHost(name, link.store, cast("Link", link)))
    return Fleet(hosts)


def names(fleet: Fleet, listing: Arrangement = USUAL, **more: Any) -> list[str]:
    return [each.shown for group in groups_of(fleet, altered(listing, **more)) for each in group.boards]


def table_of(fleet: Fleet, listing: Arrangement = USUAL, **look: Any) -> BoardsTable:
    return board_table(fleet, groups_of(fleet, listing), listing, NOW, Appearance(KEYS, **look))


def test_the_worst_comes_first_then_what_is_under_way_and_what_is_behind() -> None:
    found = [name.removeprefix("rack-") for name in names(fleet_of(store_of(bench(24))))]
    assert found[:4] == ["007", "018", "003", "014"]
    assert found[4:9] == ["005", "011", "012", "009", "016"], (
        "boards that flash, wait and flash again keep their places"
    )
    assert found[9:] == sorted(found[9:])


@pytest.mark.parametrize(
    ("order", "first"),
    [
        (SortOrder.NAME, "rack-001"),
        (SortOrder.STATE, "rack-007"),
        (SortOrder.VERSION, "rack-005"),
        (SortOrder.FLASHED, "rack-001"),
    ],
)
def test_boards_are_sorted_as_somebody_wants_them(order: SortOrder, first: str) -> None:
    assert names(fleet_of(store_of(bench(24))), order=order)[0] == first


def test_numbers_in_names_count_as_numbers() -> None:
    store = store_of(replace(bench(0), boards=tuple(replace(rack(1), name=name) for name in ("b10", "b9", "B1"))))
    assert names(fleet_of(store), order=SortOrder.NAME) == ["B1", "b9", "b10"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("rack-00 hold", ["rack-003"]),
        ("hand", ["rack-014"]),
        ("start", []),  # none of those that did not start
        ("rack-00 on hold", ["rack-003"]),
        ("on hold rack-003", ["rack-003"]),
        ("product 1.0.1 needs a hand", ["rack-014"]),
        ("1.2.0 failed", ["rack-007"]),
        ("failed on hold", []),
    ],
)
def test_several_words_mean_all_of_them(wanted: str, found: list[str]) -> None:
    assert names(fleet_of(store_of(bench(24))), wanted=wanted) == found


def test_the_name_of_a_host_finds_its_boards() -> None:
    assert set(names(two_hosts(), wanted="box-b")) == {"box-b/rack-001", "box-b/rack-002", "box-b/rack-003"}


@given(st.text(max_size=12))
def test_a_filter_only_leaves_boards_out(wanted: str) -> None:
    fleet = fleet_of(store_of(bench(9)))
    assert set(names(fleet, wanted=wanted)) <= set(names(fleet))


@given(st.sampled_from(SortOrder), st.sampled_from(Grouping), st.permutations(range(9)))
def test_each_board_is_listed_once_whatever_the_order(order: SortOrder, grouping: Grouping, kept: list[int]) -> None:
    fleet = two_hosts()
    places = [each.place for each in boards_of(fleet)]
    groups = groups_of(
        fleet, Arrangement(order=order, grouping=grouping), [places[at] for at in kept if at < len(places)]
    )
    assert sorted(each.place.host + each.board.name for group in groups for each in group.boards) == sorted(
        place.host + place.board for place in places
    )


def test_an_order_that_is_kept_does_not_change_and_new_boards_come_last() -> None:
    store = store_of(bench(4))
    fleet = fleet_of(store)
    before = [each.place for group in groups_of(fleet, Arrangement()) for each in group.boards]
    store.take(event(job=job(300, "rack-004", Failed(failure=ERASE_FAILED))))
    store.take(event(board=rack(9)))
    kept = [each.place for group in groups_of(fleet, Arrangement(), before) for each in group.boards]
    assert kept == [*before, Selection(board="rack-009")]
    assert names(fleet)[0] == "rack-004"


def test_groups_have_heads_with_counts_and_can_be_closed() -> None:
    fleet = two_hosts()
    listing = Arrangement(grouping=Grouping.HOST)
    table = table_of(fleet, listing)
    heads = [row for row in table.rows if row.is_head]
    assert [head.cells[0].text for head in heads] == [
        "▼ host box-a, 4 boards: 1 on hold, 3 current",
        "▼ host box-b, 3 boards: 1 on hold, 2 current",
    ]
    closed = listing.toggled(heads[0].key.group)
    assert [row.key.host for row in table_of(fleet, closed).rows if not row.is_head] == ["box-b"] * 3
    assert closed.toggled(heads[0].key.group) == listing
    assert closed.next_grouping().folded == frozenset()


def test_a_host_has_a_head_also_before_anything_was_seen_of_it_and_says_that_it_is_away() -> None:
    fleet = two_hosts(b_is_away=True)
    coming = FakeLink(Store())
    coming.state = LinkState(LinkStatus.CONNECTING)
    fleet = Fleet((*fleet.hosts, FleetHost("box-c", coming.store, cast("Link", coming))))
    listing = Arrangement(grouping=Grouping.HOST)
    assert [row.cells[0].text for row in table_of(fleet, listing).rows if row.is_head] == [
        "▼ host box-a, 4 boards: 1 on hold, 3 current",
        "▼ host box-b is away, 3 boards: 1 on hold, 2 current",
        "▼ host box-c is connecting, 0 boards",
    ]
    filtered = table_of(fleet, altered(listing, wanted="box-b"))
    assert [row.cells[0].text[:22] for row in filtered.rows if row.is_head] == ["▼ host box-b is away, "]


def test_groups_by_state_stand_worst_first() -> None:
    found = groups_of(fleet_of(store_of(bench(24))), Arrangement(grouping=Grouping.STATE))
    assert [group.name for group in found][:3] == ["failed", "blocked", "on hold"]


def test_marks_end_with_their_boards_and_not_with_the_filter() -> None:
    fleet = two_hosts()
    marks = [each.place for each in boards_of(fleet)]
    assert kept_marks(marks, fleet) == frozenset(marks)
    fleet.hosts[1].store.take(bench(1))
    assert kept_marks(marks, fleet) == frozenset(each.place for each in boards_of(fleet))
    note = list_note(Arrangement(wanted="x", order=SortOrder.NAME, grouping=Grouping.HOST), 2, 5, marks, 3)
    assert note == "2 of 5 boards: /x; 7 boards marked, 3 of them not shown; sorted by name; by host"


def test_the_way_to_the_next_problem_goes_round_in_both_directions() -> None:
    fleet = fleet_of(store_of(bench(24)))
    boards = [each for group in groups_of(fleet, Arrangement()) for each in group.boards]
    troubled = [each.problem for each in boards if each.problem is not None]
    assert len(troubled) == 4
    for step, order in ((1, troubled), (-1, troubled[::-1])):
        at: Selection | None = NOTHING
        seen: list[Selection | None] = []
        for _ in range(5):
            assert at is not None
            at = next_problem(boards, at, step)
            seen.append(at)
        assert seen == [*order, order[0]]
    assert next_problem(boards[4:], NOTHING) is None


def test_boards_of_one_kind_have_a_column_for_each_partition() -> None:
    fleet = fleet_of(store_of(bench(3)))
    assert [column.title.strip() for column in table_of(fleet).columns] == ["BOARD", "MAP", "APP1", "PART2", "STATE"]
    mixed = replace(bench(2), boards=(rack(1), rack(2, partitions=partitions(None)[:2])))
    table = table_of(fleet_of(store_of(mixed)))
    assert [column.title.strip() for column in table.columns] == ["BOARD", "MAP", "PARTITIONS", "STATE"]
    assert [row.cells[2].text for row in table.rows] == ["app1 1.0.2 ok, part2 1.2.0 ok", "app1 -"]
    for number, has_columns in ((MOST_PARTITION_COLUMNS, True), (MOST_PARTITION_COLUMNS + 1, False)):
        many = tuple(replace(rack(1).partitions[1], name=f"p{at}") for at in range(number))
        table = table_of(fleet_of(store_of(replace(bench(1), boards=(rack(1, partitions=many),)))))
        assert (len(table.columns) == number + 3) is has_columns


def test_the_map_is_wider_where_there_is_room() -> None:
    fleet = fleet_of(store_of(bench(1)))
    for width, cells in ((WIDE - 1, MAP_CELLS), (WIDE, WIDE_MAP_CELLS)):
        (row,) = table_of(fleet, width=width).rows
        assert len(row.cells[1].text) == cells


def test_a_host_that_is_away_has_a_line_and_its_boards_are_as_last_seen() -> None:
    fleet = two_hosts(b_is_away=True)
    cells = [cell.text for cell in header(fleet, KEYS)]
    assert "2 hosts, 1 away" in cells
    assert "7 boards" in cells, "the counts are those of all hosts"
    (line,) = notices(fleet, NOW, 80)
    assert line.text.startswith("box-b is away, reconnecting: ssh: connect")
    rows = {(row.key.host, row.key.board): row for row in table_of(fleet).rows}
    away, here = rows["box-b", "rack-001"], rows["box-a", "rack-001"]
    assert (away.stale, here.stale) == (True, False)
    assert (away.cells[0].text, away.cells[-1].text) == ("  box-b/rack-001", "last seen running, 2 min")
    assert here.cells[-1].text == "running, 2 min"


def test_several_hosts_that_are_away_each_say_why_and_what_to_do_on_their_share_of_the_lines() -> None:
    said = "ssh: @ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @"
    reasons = {
        "box-a": (f"the key of box-a is not the one that ssh knows ({said})", "find out why it changed"),
        "box-b": ("box-b: no flashdeckd listens on /run/s", "on box-b, start it: flashdeckd"),
    }
    fleet = two_hosts(b_is_away=True)
    for host in fleet:
        cast("FakeLink", host.link).state = LinkState(LinkStatus.DISCONNECTED, *reasons[host.name])
    texts = [line.text for line in notices(fleet, NOW, 80)]
    assert texts == [
        "the key of box-a is not the one that ssh knows. find out why it changed",
        "box-b is away: no flashdeckd listens on /run/s. on box-b, start it: flashdeckd",
    ]
    cast("FakeLink", fleet.hosts[1].link).state = LinkState(LinkStatus.CONNECTING)
    (line,) = notices(fleet, NOW, 80)
    assert said in line.text, "one alone is told whole"
    assert "2 hosts, 1 away, 1 connecting" in [cell.text for cell in header(fleet, KEYS)]


def test_names_behind_their_hosts_can_be_told_apart_where_room_is_short() -> None:
    table = table_of(two_hosts())
    for columns in (80, 60):
        cells = [[cell.text for cell in row.cells] for row in table.rows]
        (name, *_) = widths(table.columns, cells, columns - 2)
        assert len({fit(row[0], name) for row in cells}) == len(cells)


def test_the_queue_has_the_jobs_of_all_hosts_and_their_positions() -> None:
    fleet = two_hosts()
    for host in fleet:
        for number, partition in ((31, "part2"), (30, "app1")):
            host.store.take(event(job=job(number, "rack-001", partition=partition)))
    rows = fleet_job_rows(fleet, NOW)
    assert [(row.key.host, row.key.partition, row.cells[0].text, row.cells[2].text) for row in rows] == [
        ("box-a", "app1", "1", "box-a/rack-001"),
        ("box-a", "part2", "2", "box-a/rack-001"),
        ("box-b", "app1", "1", "box-b/rack-001"),
        ("box-b", "part2", "2", "box-b/rack-001"),
    ]


def test_every_condition_has_a_glyph_and_every_glyph_a_form_of_its_own_in_ascii() -> None:
    fleet = fleet_of(store_of(bench(24)))
    glyphs = {each.health.condition: glyph_of(each) for each in boards_of(fleet)}
    assert glyphs[ProblemKind.FAILED] is BoardGlyph.NEEDS_PERSON
    assert glyphs[ProblemKind.ON_HOLD] is BoardGlyph.ON_HOLD
    assert glyphs[ProblemKind.CURRENT] is BoardGlyph.GOOD
    for table in (BoardGlyph, MarkGlyph, VersionGlyph, FlashGlyph):
        found = [glyph.value for glyph in table]
        assert [to_ascii(glyph.symbol) for glyph in found] == [glyph.ascii for glyph in found]
        assert all(len(glyph.symbol) == len(glyph.ascii) == 1 and glyph.meaning for glyph in found)
    board_glyphs = [glyph.value.ascii for glyph in BoardGlyph]
    assert len(set(board_glyphs)) == len(board_glyphs)


def test_a_sign_that_stands_in_several_tables_means_the_same_in_all_of_them() -> None:
    for form in (attrgetter("symbol"), attrgetter("ascii")):
        places: dict[str, set[str]] = defaultdict(set)
        for table in (BoardGlyph, MarkGlyph, VersionGlyph, FlashGlyph):
            for glyph in table:
                places[form(glyph.value)].add(table.__name__)
        assert {sign for sign, tables in places.items() if len(tables) > 1} == set(EVERYWHERE)
    assert {table.BUSY.value.symbol for table in (BoardGlyph, VersionGlyph, FlashGlyph)} == {">"}
    assert {table.UNCERTAIN.value.symbol for table in (VersionGlyph, FlashGlyph)} == {"?"}


@pytest.mark.parametrize("order", SortOrder)
def test_the_boards_that_need_you_are_those_with_the_signs_of_the_count_and_those_that_n_goes_to(
    order: SortOrder,
) -> None:
    fleet, listing = fleet_of(store_of(bench(24))), Arrangement(order=order)
    signs = "".join(glyph.value.symbol for glyph in (BoardGlyph.NEEDS_PERSON, BoardGlyph.ON_HOLD))
    marked = [row.key for row in table_of(fleet, listing).rows if row.cells[0].text[0] in signs]
    (counted,) = (cell.text for cell in header(fleet, KEYS, "", 84) if "need you" in cell.text)
    assert counted == f"{signs}{len(marked)} need you (1 FAILED)"
    (group,) = groups_of(fleet, listing)
    at, visited = NOTHING, set[Selection]()
    for _ in group.boards:
        found = next_problem(group.boards, at)
        assert found is not None
        at = found
        visited.add(at.whole_board)
    assert visited == set(marked)
    if order is SortOrder.WORST:
        assert [each.place for each in group.boards[: len(marked)]] == marked


def test_a_map_is_as_wide_as_its_column() -> None:
    (each,) = boards_of(fleet_of(store_of(bench(1))))
    assert map_cell(each, 12).text.startswith("L")
    assert len(map_cell(each, 12).text) == 12


def test_tiles_use_the_width_and_say_what_the_list_says() -> None:
    groups = groups_of(fleet_of(store_of(bench(9))), Arrangement())
    tiles = board_tiles(groups, NOW, KEYS, 199, marks=[Selection(board="rack-003")])
    assert [len(tile.cells) for tile in tiles] == [TILE_LINES] * 9
    assert tiles[0].cells[0].text == "! rack-007"
    assert tiles[0].cells[1].text == "incomplete  1.2.0", "whole versions come before what is well"
    assert tiles[0].cells[3].text.startswith("FAILED erase 0x08024000")
    assert [tile.key.board for tile in tiles if tile.sign] == ["rack-003"]
    assert tile_cells(199, 100) * (199 // tile_cells(199, 100)) <= 199
    assert 199 // tile_cells(199, 100) == 199 // TILE_CELLS
    assert tile_cells(199, 2) == MOST_TILE_CELLS


def test_no_name_of_a_board_or_a_device_gets_at_the_terminal() -> None:
    odd = replace(bench(0), boards=(replace(rack(1), name=HOSTILE, profile=HOSTILE),))
    store = store_of(odd)
    link = FakeLink(store)
    fleet = Fleet((FleetHost(HOSTILE, store, cast("Link", link)), *two_hosts(b_is_away=True).hosts))
    texts = [
        cell.text
        for listing in (Arrangement(), Arrangement(grouping=Grouping.HOST))
        for row in table_of(fleet, listing).rows
        for cell in row.cells
    ]
    texts += [line.text for line in notices(fleet, NOW, 80)]
    texts += [line.text for tile in board_tiles(groups_of(fleet, Arrangement()), NOW, KEYS, 80) for line in tile.cells]
    texts.append(list_note(Arrangement(wanted=HOSTILE), 0, 0, (), 0))
    assert not [text for text in texts if any(ch < " " or ch in "\x7f\u202e" for ch in text)]


def test_a_store_tells_of_a_board_without_a_look_at_the_jobs_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(bench(24))
    asked: list[str] = []
    jobs_at = Store.jobs_at

    def noted(self: Store, board: str, partition: str = "") -> Any:
        asked.append(board)
        return jobs_at(self, board, partition)

    store.counts()
    monkeypatch.setattr(Store, "jobs_at", noted)
    store.take(event(board=rack(3)))
    assert store.health("rack-003").condition is ProblemKind.CURRENT
    store.counts()
    assert asked == ["rack-003"]


@pytest.mark.parametrize(
    "fleet", [two_hosts(), fleet_of(store_of(bench(2)), name="box-a"), fleet_of(store_of(bench(2)))]
)
def test_what_an_action_says_calls_a_board_as_the_list_does(fleet: Fleet) -> None:
    """Also on one other machine, where the list has the plain names."""
    context = cast("Context", SimpleNamespace(fleet=fleet))
    said = {target_of(context, host, board).shown for host in fleet for board in host.store.boards.values()}
    assert said == set(names(fleet))


def test_slots_are_counted_beside_the_boards_and_in_brief_those_that_failed() -> None:
    jigs = tuple(rack(number, slot=True) for number in range(2, 5))
    snapshot = replace(slots(9), boards=(rack(1), *jigs))
    fleet = fleet_of(store_of(snapshot))
    assert [cell.text for cell in header(fleet, KEYS, "", 300)][1:8] == [
        "1 board",
        "1 current",
        *("9 slots", "1 FAIL", "3 PASS", "1 empty", "2 flashing"),
    ]
    assert [cell.text for cell in header(fleet, KEYS, "", 42)] == ["1 board", "1 current", "9 slots", "1 FAIL"]
    alone = fleet_of(store_of(replace(snapshot, boards=jigs)))
    assert header(alone, KEYS, "", 300)[1].text == "9 slots"
