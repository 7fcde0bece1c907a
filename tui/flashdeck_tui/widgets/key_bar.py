"""The bottom of the screen: the keys, those that do nothing now in a fainter tone."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.style import Style
from textual.widgets import Static

_GAP = 2


@dataclass(frozen=True, slots=True)
class Key:
    """One key and what it does."""

    action: str
    label: str
    title: str
    enabled: bool


class KeyBar(Static):
    """As many lines as the keys need; each can be clicked."""

    DEFAULT_CSS = """
    KeyBar { height: auto; background: $panel; color: $text; padding: 0 1; }
    KeyBar:ansi { background: ansi_default; color: ansi_default; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id, markup=False)
        self._keys: tuple[Key, ...] = ()

    def show(self, keys: Sequence[Key]) -> None:
        """Takes the keys as they are now."""
        if tuple(keys) != self._keys:
            self._keys = tuple(keys)
            self._draw()

    def on_resize(self) -> None:
        """Breaks the lines anew."""
        self._draw()

    def _draw(self) -> None:
        lines = wrapped(self._keys, max(1, self.size.width))
        self.update(Content("\n").join(Content(" " * _GAP).join(map(self._content, line)) for line in lines))

    def _content(self, key: Key) -> Content:
        text = Content.assemble((key.label, "bold" if key.enabled else ""), " ", key.title)
        if not key.enabled:
            text = text.stylize("dim" if self.has_pseudo_class("ansi") else "$text-disabled")
        return text.stylize(Style.from_meta({"@click": f"app.act({key.action!r})"}))


def wrapped(keys: Sequence[Key], width: int) -> list[list[Key]]:
    """The keys in lines of at most `width` cells; none is broken in two."""
    lines: list[list[Key]] = [[]]
    used = 0
    for key in keys:
        needed = len(key.label) + 1 + len(key.title)
        if lines[-1] and used + _GAP + needed > width:
            lines.append([])
            used = 0
        used += needed + (_GAP if lines[-1] else 0)
        lines[-1].append(key)
    return lines
