"""The bottom of the screen: the keys that are needed most, those that do nothing now in a fainter tone."""

from collections.abc import Sequence
from typing import Any, cast

from textual import events
from textual.app import App
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from flashdeck.config_screen import ThemeName
from flashdeck_tui.key_choice import GAP, KeyHint, fitting


class KeyBar(Static):
    """One line on a screen of 80 columns, two on a narrower one; each key can be clicked."""

    DEFAULT_CSS = """
    KeyBar { height: 1; background: $panel; color: $text; padding: 0 1; }
    KeyBar:ansi { background: ansi_default; color: ansi_default; }
    """

    class Pressed(Message):
        """A key was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id, markup=False)
        self.keys: tuple[KeyHint, ...] = ()
        """The keys for where the person is, the most needed first; not all of them have room."""

    def show(self, keys: Sequence[KeyHint]) -> None:
        """Takes the keys as they are now."""
        if tuple(keys) != self.keys:
            self.keys = tuple(keys)
            self._draw()

    def on_resize(self) -> None:
        """Breaks the lines anew."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """A click is as good as the key."""
        at = event.get_content_offset(self)
        if at is None:
            return
        column = 0
        for key in self.lines()[at.y]:
            if column <= at.x < column + key.width:
                self.post_message(self.Pressed(key.action))
            column += key.width + GAP

    def lines(self) -> list[list[KeyHint]]:
        """The keys as they stand in the lines of the bar."""
        return fitting(self.keys, max(1, self.size.width))

    def _draw(self) -> None:
        lines = self.lines()
        # Said, not left to `auto`: while a first layout is under way, Textual keeps the height of the keys before.
        self.styles.height = len(lines)
        text = Content("\n").join(Content(" " * GAP).join(map(self._content, line)) for line in lines)
        self.update(text, layout=False)

    def _content(self, key: KeyHint) -> Content:
        text = Content.assemble((key.label, "bold" if key.enabled else ""), " ", key.title)
        return text if key.enabled else text.stylize(self._faint)

    @property
    def _is_high_contrast(self) -> bool:
        application: App[object] = cast("Any", self).app
        return application.theme == ThemeName.HIGH_CONTRAST

    @property
    def _faint(self) -> str:
        """The style of a key that does nothing now."""
        if self.has_pseudo_class("ansi"):
            return "dim"
        return "$tone-faint" if self._is_high_contrast else "$foreground 45%"
