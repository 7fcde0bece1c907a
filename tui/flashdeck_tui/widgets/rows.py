"""A list of rows with columns and a cursor. It draws again only the lines that changed, which matters over SSH."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.clauses import Sentence, cut, filled
from flashdeck_tui.store import NOTHING, Selection
from flashdeck_tui.views.cells import Cell, Row, Spans, row_widths
from flashdeck_tui.widgets.columns import GAP, MARK, Column, fit, long_first
from flashdeck_tui.widgets.toned import TonedView

_HEADER = 1
_BEFORE_NOTE = 3
"""Cells before the note beside the title of the last column."""
_LEAST_ROWS = 3
"""Rows that are seen at once before one of their lines says which come below."""


class Rows(TonedView, can_focus=True):
    """Shows rows, the titles of the columns above them. `empty` is shown where there are none."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--title", "rows--cursor", "rows--chosen"}
    DEFAULT_CSS = """
    Rows {
        .rows--title { text-style: bold; color: $foreground 70%; background: $panel; }
        .rows--cursor { background: $foreground 8%; }
        &:focus .rows--cursor { background: $primary 35%; }
        .rows--chosen { text-style: reverse; }
        &:ansi .rows--title { color: ansi_default; background: ansi_default; text-style: bold underline; }
        &:ansi .rows--cursor { background: ansi_default; text-style: bold; }
        &:ansi:focus .rows--cursor { background: ansi_default; text-style: reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "jump(0)", "First", show=False),
        Binding("end,G", "jump(-1)", "Last", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row, or its row became another thing."""

        def __init__(self, rows: "Rows") -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> "Rows":
            """The list, so that handlers can name it by its selector."""
            return self.rows

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str,
        below: Callable[[Sequence[Selection], int], str] | None = None,
        more: str = "",
        id: str,  # noqa: A002 - Textual's name for it
    ) -> None:
        """Takes what says in so many cells which rows come below, for the last line of a list that has no room for all.

        Without it, that line is one more row. `more` stands behind a sentence of which only the head has room.
        """
        super().__init__(id=id)
        self._more = more
        self.empty = empty
        self._below = below
        self.note: str = ""
        """Stands beside the title of the last column."""
        self.stale = False
        """True if the rows are how things were: then no tone is shown but the faint one."""
        self._columns = tuple(columns)
        self._rows: list[Row] = []
        self._widths: list[int] = [0] * len(self._columns)
        self._cursor: int = 0

    @property
    def selected(self) -> Selection:
        """The thing that the cursor is on."""
        return self._rows[self._cursor].key if self._rows else NOTHING

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows, from top to bottom."""
        return tuple(self._rows)

    def width_of(self, title: str) -> int:
        """Return the cells of the column with this title; 0 where it has no room, or there is none."""
        shown = zip(self._columns, self._widths, strict=False)
        return next((cells for column, cells in shown if column.title == title), 0)

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def show(
        self,
        rows: Sequence[Row],
        *,
        stale: bool = False,
        empty: str | None = None,
        note: str = "",
        columns: Sequence[Column] | None = None,
    ) -> None:
        """Takes the rows as they are now, and the columns, where they are others than before.

        The cursor stays with its thing, or where it was if that is gone, and is always visible. At the top of a list
        that nobody is in, it stays at the top.
        """
        before, selected, was_at = self._rows, self.selected, self._cursor
        other_columns = columns is not None and tuple(columns) != self._columns
        self._columns = self._columns if columns is None else tuple(columns)
        self._rows = list(rows)
        keys = [row.key for row in self._rows]
        if selected in keys and self._follows:
            self._cursor = keys.index(selected)
        self._cursor = max(0, min(self._cursor, len(keys) - 1))
        found = self._measure()
        whole = found != self._widths or stale != self.stale or len(before) != len(rows) or not rows
        whole = whole or note != self.note or other_columns
        self._widths, self.stale, self.note = found, stale, note
        self.empty = self.empty if empty is None else empty
        self.virtual_size = self._whole_size()
        if whole:
            self.refresh()
        else:
            for index, (old, new) in enumerate(zip(before, self._rows, strict=True)):
                if old != new:
                    self._refresh_row(index)
            if self._foot and before != self._rows:
                self.refresh(Region(0, self.size.height - self._foot, self.size.width, self._foot))
            if was_at != self._cursor:
                self._refresh_row(was_at)
                self._refresh_row(self._cursor)
        if was_at != self._cursor:
            self._scroll_to_cursor()
        if self.selected != selected:
            self.post_message(self.Moved(self))

    def select(self, key: Selection) -> bool:
        """Moves the cursor to the row that stands for `key`; False where there is none."""
        index = next((index for index, row in enumerate(self._rows) if row.key == key), None)
        if index is not None:
            self._move_to(index)
        return index is not None

    def action_move(self, steps: int) -> None:
        """Moves the cursor by rows."""
        self._move_to(self._cursor + steps)

    def action_page(self, pages: float) -> None:
        """Moves the cursor by what is visible, or by a part of it."""
        self._move_to(self._cursor + int(pages * max(2, self._visible)))

    def action_jump(self, index: int) -> None:
        """Moves the cursor to the first row (0) or the last (-1)."""
        self._move_to(index if index >= 0 else len(self._rows) - 1)

    def on_click(self, event: events.Click) -> None:
        """Moves the cursor to the row under the mouse."""
        index = self._index_at(event.x, event.y)
        if index is not None:
            self._move_to(index)

    def on_resize(self) -> None:
        """Shares the new room out."""
        self._widths = self._measure()
        self.virtual_size = self._whole_size()
        self._scroll_to_cursor()
        self.refresh()

    def _index_at(self, x: int, y: int) -> int | None:
        """Return what stands at a place of the widget; None for nothing."""
        del x  # a row has the whole width
        index = y - _HEADER + self.scroll_offset.y
        return index if _HEADER <= y < self.size.height - self._foot and index < len(self._rows) else None

    def on_focus(self) -> None:
        """The row of the cursor looks different now."""
        self.refresh()
        self.post_message(self.Moved(self))

    def on_blur(self) -> None:
        """The row of the cursor looks different now."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen: the titles, a row, or nothing."""
        width = self.size.width
        if y == 0:
            *first, last = (column.title for column in self._columns)
            note = cut(self.note, max(0, self._widths[-1] - cell_len(last) - _BEFORE_NOTE)) if self._widths else ""
            titles = [Phrase(title) for title in (*first, f"{last}{' ' * _BEFORE_NOTE}{note}".rstrip())]
            return Strip([Segment(self._text(titles, "  ", width), self.drawn_style("rows--title"))], width)
        index = y - _HEADER + self.scroll_offset.y
        if self._foot and y >= self.size.height - self._foot:
            return self._foot_strip(width)
        if index < len(self._rows):
            return self._row_strip(index, width)
        text = f"  {self.empty}" if not self._rows and y == _HEADER else ""
        return Strip([Segment(fit(text, width), self.drawn_style("tone--faint"))], width)

    def _foot_strip(self, width: int) -> Strip:
        """Return the line that says which rows come below."""
        hidden = [row.key for row in self._rows[self.scroll_offset.y + self._visible :]]
        room = width - len(MARK)
        told = self._below(hidden, room) if self._below is not None and hidden else "the end of the list"
        return Strip([Segment(fit(f"  {told}", width), self.drawn_style("tone--faint"))], width)

    def _row_strip(self, index: int, width: int) -> Strip:
        over = ("rows--cursor",) if index == self._cursor else ()
        blank = self.drawn_style(*over)
        row = self._rows[index]
        segments = [Segment(f"{MARK[0] if over else ' '}{row.sign or ' '}", blank)]
        if row.is_head:
            room = max(0, width - len(MARK))
            text = fit(filled(row.cells[0].text, room), room)
            segments.append(Segment(text, self.drawn_style(*over, f"tone--{row.cells[0].tone}")))
            return Strip(segments).adjust_cell_length(width, blank)
        for place, (cell, cells) in enumerate(zip(row.cells, self._cells_of(row), strict=True)):
            if cells:
                chosen = ("rows--chosen",) if place == row.chosen else ()
                shown = self._in_clauses(cell, cells) if self._columns[place].is_prose else cell
                segments += self._cell_segments(shown, cells, (*over, *chosen), is_stale=self.stale or row.stale)
                segments.append(Segment(" " * GAP, blank))
        return Strip(segments).adjust_cell_length(width, blank)

    def _cells_of(self, row: Row) -> list[int]:
        """Return the width of each cell of a row; 0 for one that has no room, or leaves its room to the first."""
        return long_first(self._columns, self._widths, cell_len(row.cells[0].text)) if row.is_long else self._widths

    def _in_clauses(self, sentence: Cell, cells: int) -> Cell:
        """Return as much of a sentence as has room and is a whole thought."""
        if isinstance(sentence, Sentence):
            return Phrase(sentence.within(cells, more=self._more), sentence.tone)
        return Phrase(cut(sentence.text, cells, more=self._more), sentence.tone)

    def _cell_segments(self, cell: Cell, cells: int, over: tuple[str, ...], *, is_stale: bool) -> list[Segment]:
        """Return a cell of a row; one with parts has the tone of each."""
        parts = (
            cell.parts if isinstance(cell, Spans) and cell_len(cell.text) <= cells else (Phrase(cell.text, cell.tone),)
        )
        drawn: list[Segment] = []
        left = cells
        for part in parts:
            tone = Tone.FAINT if is_stale else part.tone
            text = fit(part.text, min(cell_len(part.text), left))
            left -= cell_len(text)
            drawn.append(Segment(text, self.drawn_style(*over, f"tone--{tone}")))
        return [*drawn, Segment(" " * left, self.drawn_style(*over[:1]))] if left else drawn

    def _text(self, cells: Sequence[Phrase], mark: str, width: int) -> str:
        shown = (fit(cell.text, cells) for cell, cells in zip(cells, self._widths, strict=True) if cells)
        return fit(mark + (" " * GAP).join(shown), width)

    def _whole_size(self) -> Size:
        """Return the room that all rows take."""
        return Size(self.size.width, len(self._rows) + _HEADER + self._foot)

    @property
    def _foot(self) -> int:
        """Lines at the end that say which rows come below."""
        room = self.size.height - _HEADER
        return 1 if self._below is not None and _LEAST_ROWS < room < len(self._rows) else 0

    @property
    def _visible(self) -> int:
        """Rows that are seen at once."""
        return self.size.height - _HEADER - self._foot

    @property
    def _follows(self) -> bool:
        """True if the cursor goes with its row when that gets another place."""
        return self.has_focus or self._cursor > 0

    def _measure(self) -> list[int]:
        return row_widths(self._columns, self._rows, self.scrollable_content_region.width - len(MARK))

    def _move_to(self, index: int) -> None:
        index = max(0, min(index, len(self._rows) - 1))
        if index != self._cursor and self._rows:
            before, self._cursor = self._cursor, index
            self._refresh_row(before)
            self._refresh_row(index)
            self._scroll_to_cursor()
            self.post_message(self.Moved(self))

    def _scroll_to_cursor(self) -> None:
        visible = self._visible
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif visible > 0 and self._cursor >= top + visible:
            self.scroll_to(y=self._cursor - visible + 1, animate=False)

    def _refresh_row(self, index: int) -> None:
        line = index + _HEADER - self.scroll_offset.y
        if _HEADER <= line < self.size.height - self._foot:
            self.refresh(Region(0, line, self.size.width, 1))
