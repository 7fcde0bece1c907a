"""Text in lines: what counts is the columns that it takes on a terminal, of names of files and devices, too."""

import io
import textwrap
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Partition, Profile, UsbId
from flashdeck.geometry import Geometry, Range
from flashdeck_tui.cell_width import cell_width, centred, cut_at_end, cut_at_start, padded
from flashdeck_tui.cell_wrap import wrapped
from flashdeck_tui.first_steps import terminal_front
from flashdeck_tui.first_steps.picture import UNICODE, picture
from flashdeck_tui.first_steps.terminal_front import AtTerminal

WIDE = "設定ファイルはここにあります"
"""28 columns in 14 characters."""
MARKED = "e\u0301" * 12
"""12 columns in 24 characters."""
TEXTS = st.text(alphabet="ab 設定e\u0301\u200d\t\n", max_size=60)


def test_words_are_kept_whole_and_lines_after_the_first_are_indented() -> None:
    assert wrapped("Board: it is running now", 12, rest="  ") == ["Board: it is", "  running", "  now"]
    assert wrapped("now", 20, first="Note:     ", rest="          ") == ["Note:     now"]
    assert wrapped("", 20) == []
    assert wrapped(" \t ", 20, first="x") == []


def test_wide_characters_take_two_columns() -> None:
    assert wrapped(f"in {WIDE}", 20) == ["in 設定ファイルはこ", "こにあります"]
    assert wrapped("設定 設定 設定", 9) == ["設定 設定", "設定"]


def test_a_mark_takes_none_and_stays_on_its_character() -> None:
    assert wrapped(MARKED, 12) == [MARKED]
    assert wrapped(MARKED, 5) == [MARKED[:10], MARKED[10:20], MARKED[20:]]


def test_a_word_that_may_not_be_broken_has_a_line_of_its_own() -> None:
    path = "/home/設定/build/app.bin"
    assert wrapped(f"look at {path} again", 12, breaks_words=False) == ["look at", path, "again"]
    assert wrapped(path, 12, breaks_words=False) == [path]


@given(TEXTS, st.integers(4, 30))
def test_every_line_fits_and_nothing_is_lost(text: str, width: int) -> None:
    lines = wrapped(text, width, first="- ", rest="  ")
    assert all(cell_width(line) <= width for line in lines)
    assert "".join(line[2:].replace(" ", "") for line in lines) == "".join(text.split())
    assert all(line == line.rstrip() for line in lines)


@given(TEXTS.map(lambda text: "a" + "".join(text.split())), st.integers(4, 30))
def test_no_part_of_a_word_begins_with_a_mark(word: str, width: int) -> None:
    assert all(cell_width(line[0]) for line in wrapped(word, width))


@given(st.text(alphabet="ab  ", max_size=60), st.integers(4, 30))
def test_text_without_wide_characters_is_wrapped_as_everywhere(text: str, width: int) -> None:
    usual = textwrap.wrap(text.strip(), width, break_on_hyphens=False)
    assert [line.rstrip() for line in wrapped(text, width)] == [line.rstrip() for line in usual]


@given(TEXTS.map(lambda text: "".join(text.split())), st.integers(1, 30))
def test_a_text_is_cut_to_its_columns_at_either_end(text: str, width: int) -> None:
    end, start = cut_at_end(text, width, "…"), cut_at_start(text, width, "…")
    assert max(cell_width(end), cell_width(start)) <= width
    assert text.startswith(end.removesuffix("…"))
    assert text.endswith(start.removeprefix("…"))
    assert cell_width(padded(text, width)) == cell_width(centred(text, width)) == max(width, cell_width(text))


def test_a_cut_does_not_part_a_character_from_its_mark() -> None:
    assert cut_at_end(MARKED, 4, "…") == MARKED[:6] + "…"
    assert cut_at_start(MARKED, 4, "…") == "…" + MARKED[:6]
    assert cut_at_end(WIDE, 6, "…") == "設定…"


@pytest.mark.parametrize("columns", [60, 80])
def test_init_says_wide_names_in_lines_that_fit(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()

    def size(_stream: object) -> SimpleNamespace:
        return SimpleNamespace(columns=columns)

    monkeypatch.setattr(terminal_front, "write_question", said.write)
    monkeypatch.setattr(terminal_front, "size_of", size)
    AtTerminal(root="/").say(f"{WIDE}{WIDE} {MARKED} {WIDE}{WIDE}")
    lines = said.getvalue().splitlines()
    assert len(lines) > 1
    assert max(map(cell_width, lines)) <= columns - 1


def test_the_map_of_partitions_with_wide_names_is_aligned_and_fits() -> None:
    flash = Geometry(())
    named = {"設定": 0, MARKED[:6]: 1, "app": 2}
    partitions = {
        name: Partition(name, Range.sized(0, 1024), alternate, image=f"/fw/{WIDE}/{WIDE}/app.bin")
        for name, alternate in named.items()
    }
    lines = picture(Profile(name="p", dfu=UsbId(1, 2), geometry=flash, partitions=partitions), 40, UNICODE)
    assert len({cell_width(line.partition("alt")[0]) for line in lines}) == 1
    assert max(map(cell_width, lines)) <= 39
