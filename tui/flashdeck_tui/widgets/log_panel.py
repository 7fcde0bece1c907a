"""The daemon's log: batched, bounded, selectable."""

from textual.content import Content
from textual.widgets import Log

from flashdeck_tui.store import LOG_LINES, Store
from flashdeck_tui.views import log_text


class LogPanel(Log):
    """Shows the log of all boards, or of one. Text can be selected with the mouse and copied with Ctrl+C."""

    DEFAULT_CSS = """
    LogPanel {
        border-top: solid $panel;
        border-title-color: $text-muted;
        scrollbar-size: 1 1;
        overflow-x: hidden;
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

    def on_mount(self) -> None:
        """Says what is shown."""
        self._entitle()

    def show(self, store: Store) -> None:
        """Adds what is new, all at once."""
        lines = [log_text(line) for line in store.log_since(self._seen) if self.board in ("", line.board)]
        self._seen = store.log_count
        if lines:
            self.write_lines(lines)

    def show_board(self, store: Store, board: str) -> None:
        """Shows one board's lines from now on, or those of all."""
        self.board = board
        self._seen = 0
        self.clear()
        self.show(store)
        self._entitle()

    def toggle_follow(self) -> None:
        """Follows the end of the log, or stays."""
        self.auto_scroll = not self.auto_scroll
        if self.auto_scroll:
            self.scroll_end(animate=False)
        self._entitle()

    def _entitle(self) -> None:
        following = "following, l stops" if self.auto_scroll else "standing still, l follows"
        whose = f"of {self.board} only, o shows all" if self.board else "of all boards, o shows one"
        self.border_title = Content(f"log {whose}; {following}")
