"""How columns and heights are shared out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from flashdeck.screen_keys import DEFAULT_KEYS
from flashdeck.text import clean
from flashdeck_tui.actions.registry import registry
from flashdeck_tui.key_choice import NEEDED, WIDE_BAR, KeyHint, fitting, needed, wrapped
from flashdeck_tui.middle import Middle
from flashdeck_tui.widgets.columns import GAP, Column, Want, allot, fit, long_first, widths
from flashdeck_tui.widgets.log_panel import folded

COLUMNS = (Column("A", most=10), Column("B", least=5, drop=1), Column("C", drop=2), Column("LAST", least=10))


def test_all_columns_have_what_they_need_where_there_is_room() -> None:
    assert widths(COLUMNS, [["a" * 8, "b" * 9, "c" * 3, "x"]], 60) == [8, 9, 3, 60 - 8 - 9 - 3 - 3 * GAP]


def test_a_column_shrinks_before_another_is_dropped_and_they_go_by_their_order() -> None:
    rows = [["a" * 20, "b" * 20, "c" * 6, "x"]]
    assert widths(COLUMNS, rows, 45) == [10, 13, 6, 10]
    assert widths(COLUMNS, rows, 36) == [10, 5, 0, 36 - 15 - 2 * GAP]
    assert widths(COLUMNS, rows, 25) == [10, 0, 0, 13]


def test_a_long_first_cell_has_blank_room_and_then_what_the_last_one_can_spare() -> None:
    found = [4, 4, 3, 43]
    assert long_first(COLUMNS, found, 9) == [15, 0, 0, 43]
    assert long_first(COLUMNS, found, 30) == [30, 0, 0, 28]
    assert long_first(COLUMNS, found, 90) == [48, 0, 0, 10]
    assert long_first(COLUMNS, [4, 0, 0, 10], 90) == [4, 0, 0, 10]


@given(
    st.lists(st.lists(st.text(max_size=30), min_size=4, max_size=4), max_size=8),
    st.integers(40, 200),
    st.integers(0, 200),
)
def test_what_is_shown_always_fits(rows: list[list[str]], available: int, needs: int) -> None:
    found = widths(COLUMNS, rows, available)
    assert sum(width + GAP for width in found[:-1] if width) + found[-1] == available
    first, *_, last = long_first(COLUMNS, found, needs)
    assert first + GAP + last == available


@given(st.text(max_size=60), st.integers(0, 40))
def test_a_text_has_exactly_its_width(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


def test_a_text_that_does_not_fit_says_so() -> None:
    assert fit("failed: board", 8) == "failed:…"
    assert fit("ok", 4) == "ok  "


@given(
    st.integers(0, 100),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 60)).map(lambda n: Want(*n)), min_size=1, max_size=5),
)
def test_no_line_is_given_twice_or_lost(space: int, wants: list[Want]) -> None:
    given_out = allot(space, wants)
    assert sum(given_out) == space
    assert all(lines >= 0 for lines in given_out)
    if sum(want.least for want in wants) <= space:
        assert all(lines >= want.least for lines, want in zip(given_out, wants, strict=True))


@given(st.text(max_size=200).map(clean), st.integers(20, 90))
def test_a_folded_log_line_fits_and_loses_nothing(text: str, width: int) -> None:
    parts = folded(text, width)
    assert all(cell_len(part) <= width for part in parts)
    assert parts[0] + "".join(part[13:] for part in parts[1:]) == text


def test_a_log_line_is_folded_between_words_where_there_are_any() -> None:
    line = "12:00:00.123 left: plug in board left again: lost in its write phase"
    assert folded(line, 44) == ["12:00:00.123 left: plug in board left ", "             again: lost in its write phase"]
    path = "12:00:00.123 " + "x" * 60
    assert folded(path, 44) == ["12:00:00.123 " + "x" * 31, "             " + "x" * 29]


def test_no_key_is_broken_in_two() -> None:
    keys = [KeyHint(str(n), "x", "Title" * n, enabled=True) for n in range(1, 6)]
    lines = wrapped(keys, 30)
    assert [key for line in lines for key in line] == keys
    assert all(sum(key.width for key in line) + 2 * (len(line) - 1) <= 30 for line in lines)


def test_the_keys_that_do_something_have_room_first_and_the_last_one_always() -> None:
    keys = [KeyHint(str(n), "x", "ten cells", enabled=n != 1) for n in range(8)]
    (line,) = fitting(keys, WIDE_BAR)
    assert [key.action for key in line] == ["0", "2", "3", "4", "5", "7"]
    assert [[key.action for key in line] for line in fitting(keys, WIDE_BAR - 1)] == [list("012345"), list("67")]
    assert [[key.action for key in line] for line in fitting(keys, 5)] == [["0"], ["7"]]


@pytest.mark.parametrize("middle", Middle)
def test_every_place_has_its_keys_and_the_way_to_all_others(middle: Middle) -> None:
    hints = [KeyHint(action.id, action.key_label, action.title, enabled=True) for action in registry() if action.key]
    found = needed(hints, middle)
    demo = {name for name in DEFAULT_KEYS if name.startswith("demo-")}
    assert [key.action for key in found] == [name for name in NEEDED[middle] if name not in demo]
    assert set(NEEDED[middle]) <= set(DEFAULT_KEYS)
    assert found[-1].action == "help"
