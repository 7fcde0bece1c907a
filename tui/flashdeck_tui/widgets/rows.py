"""A list of rows with columns and a cursor. It draws again only the lines that changed, which matters over SSH."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style as VisualStyle

from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.store import NOTHING, Selection
from flashdeck_tui.views import Row
from flashdeck_tui.widgets.columns import GAP, Column, fit, widths

MARK = "▸ "
"""Before the row that the cursor is on, so that it is seen without colour."""
_HEADER = 1


class Rows(ScrollView, can_focus=True):
    """Shows rows, the titles of the columns above them. `empty` is shown where there are none."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"rows--{tone}" for tone in Tone} | {"rows--title", "rows--cursor"}
    DEFAULT_CSS = """
    Rows {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        .rows--title { text-style: bold; color: $foreground 70%; background: $panel; }
        .rows--cursor { background: $foreground 8%; }
        &:focus .rows--cursor { background: $primary 35%; }
        .rows--strong { text-style: bold; }
        .rows--faint { color: $foreground 60%; }
        .rows--good { color: $text-success; }
        .rows--wait { color: $text-warning; }
        .rows--bad { color: $text-error; text-style: bold; }
        .rows--busy { color: $text-primary; text-style: bold; }
        &:ansi .rows--title { color: ansi_default; background: ansi_default; text-style: bold underline; }
        &:ansi .rows--cursor { background: ansi_default; text-style: bold; }
        &:ansi:focus .rows--cursor { background: ansi_default; text-style: reverse; }
        &:ansi .rows--faint { color: ansi_default; text-style: dim; }
        &:ansi .rows--good { color: ansi_green; }
        &:ansi .rows--wait { color: ansi_yellow; }
        &:ansi .rows--bad { color: ansi_red; }
        &:ansi .rows--busy { color: ansi_cyan; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "jump(0)", "First", show=False),
        Binding("end", "jump(-1)", "Last", show=False),
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

    def __init__(self, columns: Sequence[Column], *, empty: str, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self.empty = empty
        self.note: str = ""
        """Stands beside the title of the last column."""
        self.stale = False
        """True if the rows are how things were: then no tone is shown but the faint one."""
        self._columns = tuple(columns)
        self._rows: list[Row] = []
        self._widths: list[int] = [0] * len(self._columns)
        self._cursor = 0
        self._styles: dict[tuple[str, ...], Style] = {}

    def notify_style_update(self) -> None:
        """Another theme, or the focus came or went."""
        super().notify_style_update()
        self._styles.clear()

    @property
    def selected(self) -> Selection:
        """The thing that the cursor is on."""
        return self._rows[self._cursor].key if self._rows else NOTHING

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows, from top to bottom."""
        return tuple(self._rows)

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def show(self, rows: Sequence[Row], *, stale: bool = False, empty: str | None = None, note: str = "") -> None:
        """Takes the rows as they are now.

        The cursor stays with its thing, or where it was if that is gone. At the top of a list that nobody is in, it
        stays at the top.
        """
        before, selected = self._rows, self.selected
        self._rows = list(rows)
        keys = [row.key for row in self._rows]
        if selected in keys and (self.has_focus or self._cursor):
            self._cursor = keys.index(selected)
        self._cursor = max(0, min(self._cursor, len(keys) - 1))
        found = self._measure()
        whole = found != self._widths or stale != self.stale or len(before) != len(rows) or not rows
        whole = whole or note != self.note
        self._widths, self.stale, self.note = found, stale, note
        self.empty = self.empty if empty is None else empty
        self.virtual_size = Size(self.size.width, len(self._rows) + _HEADER)
        if whole:
            self.refresh()
        else:
            for index, (old, new) in enumerate(zip(before, self._rows, strict=True)):
                if old != new:
                    self._refresh_row(index)
        if self.selected != selected:
            self.post_message(self.Moved(self))

    def select(self, key: Selection) -> None:
        """Moves the cursor to the row that stands for `key`, if there is one."""
        for index, row in enumerate(self._rows):
            if row.key == key:
                self._move_to(index)

    def action_move(self, steps: int) -> None:
        """Moves the cursor by rows."""
        self._move_to(self._cursor + steps)

    def action_page(self, pages: int) -> None:
        """Moves the cursor by what is visible."""
        self._move_to(self._cursor + pages * max(1, self.size.height - _HEADER))

    def action_jump(self, index: int) -> None:
        """Moves the cursor to the first row (0) or the last (-1)."""
        self._move_to(index if index >= 0 else len(self._rows) - 1)

    def on_click(self, event: events.Click) -> None:
        """Moves the cursor to the row under the mouse."""
        if event.y >= _HEADER:
            index = event.y - _HEADER + self.scroll_offset.y
            if index < len(self._rows):
                self._move_to(index)

    def on_resize(self) -> None:
        """Shares the new width out."""
        self._widths = self._measure()
        self._scroll_to_cursor()
        self.refresh()

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
            titles = [Phrase(title) for title in (*first, f"{last}   {self.note}".rstrip())]
            return Strip([Segment(self._text(titles, "  ", width), self._style("rows--title"))], width)
        index = y - _HEADER + self.scroll_offset.y
        if index < len(self._rows):
            return self._row_strip(index, width)
        text = f"  {self.empty}" if not self._rows and y == _HEADER else ""
        return Strip([Segment(fit(text, width), self._style("rows--faint"))], width)

    def _row_strip(self, index: int, width: int) -> Strip:
        over = ("rows--cursor",) if index == self._cursor else ()
        blank = self._style(*over)
        segments = [Segment(MARK if over else "  ", blank)]
        for cell, cells in zip(self._rows[index].cells, self._widths, strict=True):
            if cells:
                tone = Tone.FAINT if self.stale else cell.tone
                segments.append(Segment(fit(cell.text, cells), self._style(*over, f"rows--{tone}")))
                segments.append(Segment(" " * GAP, blank))
        return Strip(segments).adjust_cell_length(width, blank)

    def _text(self, cells: Sequence[Phrase], mark: str, width: int) -> str:
        shown = (fit(cell.text, cells) for cell, cells in zip(cells, self._widths, strict=True) if cells)
        return fit(mark + (" " * GAP).join(shown), width)

    def _style(self, *names: str) -> Style:
        """The style of the list with those of the components laid over it, one by one."""
        if names not in self._styles:
            style, text = self.visual_style, Style()
            for name in names:
                rules = self.get_component_styles(name)
                style += VisualStyle(
                    background=rules.background if rules.has_rule("background") else None,
                    foreground=rules.color if rules.has_rule("color") else None,
                )
                text += rules.text_style
            self._styles[names] = style.rich_style + text
        return self._styles[names]

    def _measure(self) -> list[int]:
        texts = ([cell.text for cell in row.cells] for row in self._rows)
        return widths(self._columns, texts, self.scrollable_content_region.width - len(MARK))

    def _move_to(self, index: int) -> None:
        index = max(0, min(index, len(self._rows) - 1))
        if index != self._cursor and self._rows:
            before, self._cursor = self._cursor, index
            self._refresh_row(before)
            self._refresh_row(index)
            self._scroll_to_cursor()
            self.post_message(self.Moved(self))

    def _scroll_to_cursor(self) -> None:
        visible = self.size.height - _HEADER
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif visible > 0 and self._cursor >= top + visible:
            self.scroll_to(y=self._cursor - visible + 1, animate=False)

    def _refresh_row(self, index: int) -> None:
        line = index + _HEADER - self.scroll_offset.y
        if _HEADER <= line < self.size.height:
            self.refresh(Region(0, line, self.size.width, 1))
