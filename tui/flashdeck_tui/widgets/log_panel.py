"""The daemon's log: batched, bounded, selectable."""

from bisect import bisect_left

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Offset
from textual.selection import Selection
from textual.widgets import Log

from flashdeck_tui.clauses import filled
from flashdeck_tui.fleet import Fleet
from flashdeck_tui.fleet_log import PANEL_LINES, FleetLog
from flashdeck_tui.views.log import log_text

_INDENT = " " * 13
"""Before the rest of a line that did not fit: as wide as the time."""
_LEAST = 20
LOW = 4
"""Lines from which on the panel has room for all of a long line; with fewer, each is cut: the full log has its end."""


class LogPanel(Log):
    """Shows the newest lines of all hosts. Text can be selected with the mouse and copied with Ctrl+C."""

    DEFAULT_CSS = """
    LogPanel {
        border-top: solid $panel;
        border-title-color: $text-muted;
        scrollbar-size: 1 1;
        overflow-x: hidden;
        padding: 0 1;
        background: $background;
    }
    LogPanel:ansi { background: ansi_default; border-title-color: ansi_default; border-top: solid ansi_bright_black; }
    LogPanel:focus { border-top: solid $primary; }
    """

    def __init__(self, log_key: str, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        """Takes the key that opens the full log."""
        super().__init__(id=id, max_lines=PANEL_LINES)
        self._log = FleetLog()
        self._log_key = log_key
        self._seen = 0
        self._shape: tuple[int, bool, int] = (0, False, 0)
        """The width and the kind of lines, and the run of the log that they are of."""
        self._origins: list[tuple[int, int]] = []
        """The origin of each line of the panel: a line of the log, counted from the store's first, and its piece."""

    def on_mount(self) -> None:
        """Says what is shown."""
        self._entitle()

    def show(self, fleet: Fleet) -> None:
        """Add what is new, all at once; after a change of the width, or of the lines' order, all of it again.

        A panel that stands still goes on showing the same lines, for as long as they are kept.
        """
        top, width = self._origin_at_top, self._wrap_at
        self._log.take(fleet)
        shape = (width, self._is_low, self._log.epoch)
        folds_anew = self._shape != shape
        if folds_anew:
            self._shape, self._seen = shape, 0
            self._origins.clear()
            self.clear()
            self._select(None)
        new = self._log.since(self._seen)
        first, self._seen = self._log.count - len(new), self._log.count
        lines: list[str] = []
        for number, each in enumerate(new, first):
            text = log_text(each.line, each.host)
            pieces = [filled(text, width)] if self._is_low else folded(text, width)
            lines += pieces
            self._origins += [(number, piece) for piece in range(len(pieces))]
        if lines:
            self.write_lines(lines)
            self._let_go(len(self._origins) - len(self.lines))
        if self.auto_scroll:
            if lines:
                self._to_end()
        elif lines or folds_anew:
            self.scroll_to(y=bisect_left(self._origins, top), animate=False, immediate=True)

    @property
    def _wrap_at(self) -> int:
        return max(_LEAST, self.scrollable_content_region.width)

    @property
    def _is_low(self) -> bool:
        return self.size.height < LOW

    def follow(self, *, follow: bool) -> None:
        """Follows the end of the log, or stays."""
        self.auto_scroll = follow
        self._to_end()
        self._entitle()

    def on_resize(self) -> None:
        """With another height, the end is elsewhere."""
        self._to_end()

    def on_mouse_scroll_up(self) -> None:
        """Stops following: a person who looks back wants to stay there."""
        self.follow(follow=False)

    def action_scroll_up(self) -> None:
        """The same with the keys."""
        self.follow(follow=False)
        super().action_scroll_up()

    def action_page_up(self) -> None:
        """The same by pages."""
        self.follow(follow=False)
        super().action_page_up()

    def action_scroll_end(self) -> None:
        """Follows again."""
        self.follow(follow=True)

    def action_scroll_home(self) -> None:
        """The same to the beginning."""
        self.follow(follow=False)
        super().action_scroll_home()

    @property
    def _origin_at_top(self) -> tuple[int, int]:
        """The origin of the first line that is visible."""
        return self._origins[min(self.scroll_offset.y, len(self._origins) - 1)] if self._origins else (0, 0)

    def _let_go(self, count: int) -> None:
        """The log dropped so many of its first lines: all others move up, and so does what is selected."""
        if not count:
            return
        del self._origins[:count]
        # The log draws what it added, at the place where it stood before others were dropped, and nothing else.
        self.refresh()
        selected = self.text_selection
        if selected is not None:
            self._select(_moved_up(selected, count))

    def _select(self, selection: Selection | None) -> None:
        if self in self.screen.selections:
            others = {widget: kept for widget, kept in self.screen.selections.items() if widget is not self}
            self.screen.selections = others if selection is None else {**others, self: selection}

    def _to_end(self) -> None:
        if self.auto_scroll:
            self.scroll_end(animate=False, immediate=True)

    def _entitle(self) -> None:
        stays = "" if self.auto_scroll else "; stays here (End: newest)"
        self.border_title = Content(f"log ({self._log_key}: all of it){stays}")


def _moved_up(selection: Selection, lines: int) -> Selection | None:
    """The selection that many lines further up; None where nothing of it is left."""
    start, end = selection
    if end is not None and end.y < lines:
        return None
    return Selection(
        None if start is None or start.y < lines else start - Offset(0, lines),
        None if end is None else end - Offset(0, lines),
    )


def folded(line: str, width: int) -> list[str]:
    """A line in pieces of at most `width` cells, between two words where that leaves no piece half empty.

    All but the first are indented; without their indents they are the line again.
    """
    pieces: list[str] = []
    indent, rest = "", line
    while cell_len(rest) > (room := width - len(indent)):
        fits, cells = 0, 0
        while fits < len(rest) and cells + (wide := cell_len(rest[fits])) <= room:
            fits, cells = fits + 1, cells + wide
        behind_a_word = rest.rfind(" ", 0, fits) + 1
        cut = behind_a_word if behind_a_word > fits // 2 else fits
        pieces.append(indent + rest[:cut])
        indent, rest = _INDENT, rest[cut:]
    return [*pieces, indent + rest]
