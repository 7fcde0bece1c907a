"""The daemon's log: batched, bounded, selectable."""

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Log

from flashdeck_tui.store import LOG_LINES, Store
from flashdeck_tui.views import log_text

_INDENT = " " * 9
"""Before the rest of a line that did not fit: as wide as the time."""
_LEAST = 20


class LogPanel(Log):
    """Shows the log of all boards, or of one. Text can be selected with the mouse and copied with Ctrl+C."""

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

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id, max_lines=LOG_LINES)
        self.board = ""
        """The only board whose lines are shown; "" shows all."""
        self._seen = 0
        self._width_shown = 0

    def on_mount(self) -> None:
        """Says what is shown."""
        self._entitle()

    def show(self, store: Store) -> None:
        """Adds what is new, all at once; after a change of the width, all of it again."""
        if self._width_shown != self._wrap_at:
            self._width_shown, self._seen = self._wrap_at, 0
            self.clear()
        new = (line for line in store.log_since(self._seen) if self.board in ("", line.board))
        lines = [part for line in new for part in folded(log_text(line), self._wrap_at)]
        self._seen = store.log_count
        if lines:
            self.write_lines(lines)
            self._to_end()

    def show_board(self, store: Store, board: str) -> None:
        """Shows one board's lines from now on, or those of all."""
        self.board = board
        self._width_shown = 0
        self.show(store)
        self._entitle()

    @property
    def _wrap_at(self) -> int:
        return max(_LEAST, self.scrollable_content_region.width)

    def follow(self, *, follow: bool) -> None:
        """Follows the end of the log, or stays."""
        self.auto_scroll = follow
        self._to_end()
        self._entitle()

    def on_resize(self) -> None:
        """With another height, the end is elsewhere."""
        self._to_end()

    def on_mouse_scroll_up(self) -> None:
        """Who looks back does not want to be taken away from there."""
        self.follow(follow=False)

    def action_scroll_up(self) -> None:
        """The same with the keys."""
        self.follow(follow=False)
        super().action_scroll_up()

    def action_page_up(self) -> None:
        """The same by pages."""
        self.follow(follow=False)
        super().action_page_up()

    def action_scroll_home(self) -> None:
        """The same to the beginning."""
        self.follow(follow=False)
        super().action_scroll_home()

    def _to_end(self) -> None:
        if self.auto_scroll:
            self.scroll_end(animate=False, immediate=True)

    def _entitle(self) -> None:
        following = "following, l stops" if self.auto_scroll else "standing still, l follows"
        whose = f"of {self.board} only, o shows all" if self.board else "of all boards, o shows one"
        self.border_title = Content(f"log {whose}; {following}")


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
