"""The part of a picture that is sent: the cells that the terminal does not show yet, and no others."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from flashdeck_tui.drawn import NEAR, ChangedCells, Drawn

CONSOLE = Console(color_system="truecolor", force_terminal=True, width=200)
STYLES = (Style(), Style(bold=True), Style(color="red"))
_PARTS = re.compile(r"\x1b\[(?P<row>\d+);(?P<column>\d+)H|\x1b\[(?P<style>[0-9;]*)m|(?P<text>[^\x1b])")
WIDTH = 24


class Glass:
    """A terminal of a few lines: characters with the style that they were sent in."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], tuple[str, str]] = {}

    def take(self, sequence: str) -> None:
        row = column = 0
        style = ""
        for part in _PARTS.finditer(sequence):
            if part["row"]:
                row, column = int(part["row"]), int(part["column"])
            elif part["style"] is not None:
                style = "" if part["style"] in ("", "0") else part["style"]
            elif (width := cell_len(part["text"])) == 0:
                before = max(
                    (at for at in self.cells if at[0] == row and at[1] < column and self.cells[at][0]), default=None
                )
                if before is not None:
                    self.cells[before] = (self.cells[before][0] + part["text"], self.cells[before][1])
            else:
                self.cells[row, column] = (part["text"], style)
                for behind in range(1, width):
                    self.cells[row, column + behind] = ("", style)
                column += width


def line(*segments: tuple[str, int]) -> Strip:
    """A line of the width of all, of texts in styles."""
    strip = Strip([Segment(text, STYLES[style]) for text, style in segments])
    return strip.adjust_cell_length(WIDTH, STYLES[0])


def picture(*lines: Strip) -> LayoutUpdate:
    return LayoutUpdate([[each] for each in lines], Region(0, 0, WIDTH, len(lines)))


texts = st.text(alphabet="ab ·漢é\u0301", max_size=6)
pictures = st.lists(
    st.lists(st.lists(st.tuples(texts, st.integers(0, 2)), max_size=5), min_size=2, max_size=2), min_size=1, max_size=4
)


@given(shown=pictures)
@settings(max_examples=300, deadline=None)
def test_the_terminal_shows_the_last_picture_whatever_was_left_out(shown: list[Any]) -> None:
    drawn, glass = Drawn(), Glass()
    for lines in shown:
        whole = picture(*(line(*segments) for segments in lines))
        glass.take(drawn.changes(whole).render_segments(CONSOLE))
    alone = Glass()
    alone.take(picture(*(line(*segments) for segments in shown[-1])).render_segments(CONSOLE).replace("\n", ""))
    assert glass.cells == alone.cells


def test_a_picture_that_is_there_already_costs_nothing_until_it_is_forgotten() -> None:
    drawn = Drawn()
    once = picture(line(("rack-001", 1), (" 2 min ago", 0)))
    assert drawn.changes(once).render_segments(CONSOLE)
    assert drawn.changes(once).render_segments(CONSOLE) == ""
    drawn.forget()
    assert "rack-001" in drawn.changes(once).render_segments(CONSOLE)


def test_one_cell_that_changed_is_one_cell_that_is_sent() -> None:
    drawn = Drawn()
    drawn.changes(picture(line(("rack-001", 1), (" 2 min ago", 0))))
    assert drawn.changes(picture(line(("rack-001", 1), (" 3 min ago", 0)))).render_segments(CONSOLE) == "\x1b[1;10H3"


def test_cells_that_are_near_are_sent_in_one_go() -> None:
    for between, pieces in ((NEAR, 1), (NEAR + 1, 2)):
        drawn = Drawn()
        drawn.changes(picture(line(("a" * WIDTH, 0))))
        changes = drawn.changes(picture(line(("b" + "a" * between + "b" + "a" * WIDTH, 0))))
        assert isinstance(changes, ChangedCells)
        assert len(changes.pieces) == pieces
