"""The lines of the full log: wrapped, with a cursor, a range that is marked, and what is searched."""

from bisect import bisect_left
from typing import ClassVar, Final

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from flashdeck.model import LogLevel
from flashdeck.words.tone import Tone
from flashdeck_tui.log_window import LogWindow
from flashdeck_tui.views.log import source_text
from flashdeck_tui.widgets.columns import fit
from flashdeck_tui.widgets.log_panel import folded
from flashdeck_tui.widgets.toned import TonedView

LEAST_WIDTH = 20
"""Cells that a line is folded to at the least."""
_TONES: Final = {LogLevel.DEBUG: Tone.FAINT, LogLevel.WARNING: Tone.WAIT, LogLevel.ERROR: Tone.BAD}


class LogLines(TonedView, can_focus=True):
    """Shows a window of log lines. The cursor is on a line, by its name in the window."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--cursor", "log--marked", "log--hit"}
    DEFAULT_CSS = """
    LogLines {
        padding: 0 1;
        .log--cursor { background: $primary 25%; }
        .log--marked { background: $foreground 10%; }
        .log--hit { text-style: underline bold; }
        &:ansi .log--cursor { background: ansi_default; text-style: reverse; }
        &:ansi .log--marked { background: ansi_default; text-style: reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "first", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
        Binding("shift+up", "mark(-1)", "Mark up", show=False),
        Binding("shift+down", "mark(1)", "Mark down", show=False),
    ]

    class CursorMoved(Message):
        """The cursor moved, or a person wants to stay, to follow, or to see older lines."""

        def __init__(self, *, wants_older: bool = False) -> None:
            super().__init__()
            self.wants_older = wants_older

    def __init__(self, window: LogWindow, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self.window = window
        self.cursor = window.end - 1
        """The line that the cursor is on."""
        self.mark: int | None = None
        """The other end of the range that is marked; None where none is."""
        self._rows: list[tuple[int, int]] = []
        """A line and a piece of it for each row."""
        self._from = self._to = 0
        """The lines that have rows: from the first of these to before the second."""
        self._epoch: int = -1
        self._width: int = 0

    @property
    def marked(self) -> range:
        """The lines that are marked, by their names; those that are gone from memory are left out."""
        if self.mark is None:
            return range(self.cursor, self.cursor + 1)
        first, last = min(self.mark, self.cursor), max(self.mark, self.cursor)
        return range(max(first, self.window.first), min(last, self.window.end - 1) + 1)

    def show(self) -> None:
        """Take the window as it is now. Where it is paused, the same lines stay where they are."""
        window, top = self.window, self._row_at_top
        if (window.epoch, self._fold_at) != (self._epoch, self._width):
            if window.epoch != self._epoch:
                self.mark = None
            self._epoch, self._width = window.epoch, self._fold_at
            self._rows, self._from, self._to = [], window.first, window.first
        if window.first >= self._to or window.end <= self._from:
            self._rows, self._from, self._to = [], window.first, window.first
        if window.first < self._from:
            self._rows = [*self._rows_of(window.first, self._from), *self._rows]
        elif window.first > self._from:
            del self._rows[: bisect_left(self._rows, (window.first, 0))]
        if window.end > self._to:
            self._rows += self._rows_of(self._to, window.end)
        elif window.end < self._to:
            del self._rows[bisect_left(self._rows, (window.end, 0)) :]
        self._from, self._to = window.first, window.end
        self.virtual_size = Size(self.size.width, len(self._rows))
        if not window.paused:
            self.cursor = window.end - 1
            self.scroll_end(animate=False, immediate=True)
        else:
            self.cursor = max(window.first, min(self.cursor, window.end - 1))
            self.scroll_to(y=bisect_left(self._rows, top), animate=False, immediate=True)
        self.refresh()

    def go_to(self, name: int) -> None:
        """Move the cursor to a line that is in memory, and stay there."""
        self.window.pause()
        self.cursor = max(self.window.first, min(name, self.window.end - 1))
        self._scroll_to_cursor()
        self.refresh()
        self.post_message(self.CursorMoved())

    def action_move(self, lines: int) -> None:
        """Move the cursor by lines."""
        at_top = self.cursor <= self.window.first and lines < 0
        self.go_to(self.cursor + lines)
        if at_top:
            self.post_message(self.CursorMoved(wants_older=True))

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is visible."""
        at = bisect_left(self._rows, (self.cursor, 0)) + pages * max(1, self.size.height - 1)
        if at <= 0:
            self.post_message(self.CursorMoved(wants_older=True))
        if self._rows:
            self.go_to(self._rows[max(0, min(at, len(self._rows) - 1))][0])

    def action_first(self) -> None:
        """Go to the first line in memory; there, go on to older ones."""
        at_top = self.cursor <= self.window.first
        self.go_to(self.window.first)
        if at_top:
            self.post_message(self.CursorMoved(wants_older=True))

    def action_last(self) -> None:
        """Follow the end again."""
        self.window.follow()
        self.show()
        self.post_message(self.CursorMoved())

    def action_mark(self, lines: int) -> None:
        """Mark from here on, and move the cursor."""
        if self.mark is None:
            self.mark = self.cursor
        self.action_move(lines)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """A person who looks back wants to stay there."""
        event.stop()
        self._wheel(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Down again, to the end of what is there."""
        event.stop()
        self._wheel(3)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the line under the mouse."""
        at = event.y + self.scroll_offset.y
        if at < len(self._rows):
            self.go_to(self._rows[at][0])

    def on_resize(self) -> None:
        """Fold the lines anew."""
        self.show()

    def render_line(self, y: int) -> Strip:
        """One row of what is visible."""
        width, at = self.size.width, y + self.scroll_offset.y
        if at >= len(self._rows):
            return Strip([Segment(" " * width, self.drawn_style())], width)
        name, piece = self._rows[at]
        line = self.window.line(name)
        if line is None:
            return Strip([Segment(" " * width, self.drawn_style())], width)
        names = [f"tone--{_TONES[line.level]}"] if line.level in _TONES else []
        if self.mark is not None and name in self.marked:
            names.append("log--marked")
        if name == self.cursor and self.window.paused:
            names.append("log--cursor")
        text, style = fit(folded(source_text(line), self._width)[piece], width), self.drawn_style(*names)
        sought = self.window.sought
        at_hit = text.casefold().find(sought.casefold()) if sought else -1
        if at_hit < 0:
            return Strip([Segment(text, style)], width)
        end = at_hit + len(sought)
        over = self.drawn_style(*names, "log--hit")
        parts = ((text[:at_hit], style), (text[at_hit:end], over), (text[end:], style))
        return Strip([Segment(part, style) for part, style in parts if part], width)

    def _wheel(self, rows: int) -> None:
        self.window.pause()
        if self.scroll_offset.y + rows < 0:
            self.post_message(self.CursorMoved(wants_older=True))
        self.scroll_to(y=max(0, self.scroll_offset.y + rows), animate=False, immediate=True)
        if self._rows:
            top = min(self.scroll_offset.y, len(self._rows) - 1)
            bottom = min(top + max(1, self.size.height) - 1, len(self._rows) - 1)
            self.cursor = max(self._rows[top][0], min(self.cursor, self._rows[bottom][0]))
        self.refresh()
        self.post_message(self.CursorMoved())

    @property
    def _fold_at(self) -> int:
        return max(LEAST_WIDTH, self.scrollable_content_region.width)

    @property
    def _row_at_top(self) -> tuple[int, int]:
        return self._rows[min(self.scroll_offset.y, len(self._rows) - 1)] if self._rows else (self.cursor, 0)

    def _rows_of(self, first: int, end: int) -> list[tuple[int, int]]:
        rows: list[tuple[int, int]] = []
        for name in range(first, end):
            line = self.window.line(name)
            if line is not None:
                rows += [(name, piece) for piece in range(len(folded(source_text(line), self._fold_at)))]
        return rows

    def _scroll_to_cursor(self) -> None:
        first, end = bisect_left(self._rows, (self.cursor, 0)), bisect_left(self._rows, (self.cursor + 1, 0))
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if first < top:
            self.scroll_to(y=first, animate=False, immediate=True)
        elif end > top + height:
            self.scroll_to(y=max(first - height + 1, end - height), animate=False, immediate=True)
