"""The bottom of the screen: the keys, those that do nothing now in a fainter tone."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

_GAP = 2


@dataclass(frozen=True, slots=True)
class KeyHint:
    """One key and what it does."""

    action: str
    label: str
    title: str
    enabled: bool

    @property
    def width(self) -> int:
        """Cells that it takes."""
        return len(self.label) + 1 + len(self.title)


class KeyBar(Static):
    """As many lines as the keys need; each can be clicked."""

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
        """The keys that it shows."""

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
        for key in self._lines()[at.y]:
            if column <= at.x < column + key.width:
                self.post_message(self.Pressed(key.action))
            column += key.width + _GAP

    def _lines(self) -> list[list[KeyHint]]:
        return wrapped(self.keys, max(1, self.size.width))

    def _draw(self) -> None:
        lines = self._lines()
        # Said, not left to `auto`: while a first layout is under way, Textual keeps the height of the keys before.
        self.styles.height = len(lines)
        self.update(Content("\n").join(Content(" " * _GAP).join(map(self._content, line)) for line in lines))

    def _content(self, key: KeyHint) -> Content:
        text = Content.assemble((key.label, "bold" if key.enabled else ""), " ", key.title)
        if not key.enabled:
            text = text.stylize("dim" if self.has_pseudo_class("ansi") else "$foreground 45%")
        return text


def wrapped(keys: Sequence[KeyHint], width: int) -> list[list[KeyHint]]:
    """The keys in lines of at most `width` cells; none is broken in two."""
    lines: list[list[KeyHint]] = [[]]
    used = 0
    for key in keys:
        if lines[-1] and used + _GAP + key.width > width:
            lines.append([])
            used = 0
        used += key.width + (_GAP if lines[-1] else 0)
        lines[-1].append(key)
    return lines
