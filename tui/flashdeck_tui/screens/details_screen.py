"""The details of one thing, for where the main screen has too few lines."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from flashdeck.words.tone import Phrase
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.screens.page_keys import bind_page
from flashdeck_tui.widgets.lines import StaticLines
from flashdeck_tui.widgets.scroller import Scroller


class DetailsScreen(ModalScreen[None]):
    """Can be scrolled where it does not fit."""

    DEFAULT_CSS = """
    DetailsScreen {
        align: center middle;
        #box { width: 90%; max-width: 100; height: auto; max-height: 90%; padding: 0 1; border: round $primary;
               background: $surface; border-title-color: $foreground; scrollbar-size-vertical: 1; }
    }
    DetailsScreen:ansi #box { background: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Close")]

    def __init__(self, title: str, lines: Iterable[Phrase], keys: KeyNames, *, opened_by: str = "details") -> None:
        """Takes the action that has opened it."""
        super().__init__()
        bind_page(self, keys, opened_by=("details", opened_by))
        self._title = title
        self._lines = tuple(lines)

    def compose(self) -> ComposeResult:
        """The sentences."""
        with Scroller(id="box") as box:
            box.border_title = Content(f"{self._title or 'nothing selected'} (Esc: close)")
            yield StaticLines(id="text")

    def on_mount(self) -> None:
        """Fills it."""
        self.query_one("#text", StaticLines).show(self._lines)
