"""The flash of one board on the whole screen, while it changes. It reads the store and changes nothing."""

from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.map_page import map_page
from flashdeck_tui.screens.page_keys import bind_page
from flashdeck_tui.store import Store
from flashdeck_tui.widgets.phrase_lines import PhraseLines

LOOK_SECONDS = 0.25
"""Seconds between two looks at the store."""


class FlashMapScreen(Screen[None]):
    """The map of one board, with its job above it and the seconds of that below."""

    DEFAULT_CSS = """
    FlashMapScreen {
        #map { padding: 0 1; height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, store: Store, board: str, clock: Callable[[], float], keys: KeyNames) -> None:
        """Take the board, and the clock that tells the seconds since the epoch."""
        super().__init__()
        bind_page(self, keys, opened_by=("flash-map", "details"))
        self._store = store
        self._board = board
        self._clock = clock

    def compose(self) -> ComposeResult:
        """All of it is lines."""
        yield PhraseLines(id="map")

    def on_mount(self) -> None:
        """Shows it, and goes on looking."""
        self.set_interval(LOOK_SECONDS, self.look)

    @on(events.Resize)
    def look(self) -> None:
        """Show the page as it is now; what did not change is not drawn."""
        lines = self.query_one(PhraseLines)
        space = lines.scrollable_content_region
        if space.width and space.height:
            lines.show(map_page(self._store, self._board, self._clock(), width=space.width, height=space.height))
