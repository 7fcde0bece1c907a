"""The line above the keys: what the last action did, or what went wrong."""

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from flashdeck.words.tone import Phrase
from flashdeck_tui.clauses import filled
from flashdeck_tui.widgets.columns import ELLIPSIS
from flashdeck_tui.widgets.lines import ANSI_STYLES, STYLES


class StatusLine(Static):
    """One line, there as long as something is said: the log has it otherwise. It covers nothing."""

    DEFAULT_CSS = """
    StatusLine { height: 1; padding: 0 1; text-wrap: nowrap; display: none; }
    """

    def __init__(self, list_key: str, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        """Takes the key that shows all messages."""
        super().__init__(id=id, markup=False)
        self._more = f"… ({list_key}: all of it)"
        self._phrase = Phrase("")
        self._drawn: object = None

    @property
    def phrase(self) -> Phrase:
        """All of what is said now, also what has no room."""
        return self._phrase

    def show(self, phrase: Phrase) -> None:
        """Take what is said now."""
        self._phrase = phrase
        self.display = bool(phrase.text)
        self._draw()

    def on_resize(self) -> None:
        """Shorten it anew."""
        self._draw()

    def _draw(self) -> None:
        is_ansi = self.has_pseudo_class("ansi")
        text = fitted(self._phrase.text, self.size.width, self._more)
        if (text, self._phrase.tone, is_ansi) != self._drawn:
            self._drawn = (text, self._phrase.tone, is_ansi)
            self.update(Content.styled(text, (ANSI_STYLES if is_ansi else STYLES)[self._phrase.tone]), layout=False)


def fitted(text: str, width: int, more: str) -> str:
    """Return a text in so many cells, with `more` at its end where it is longer: where the rest of it is."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(more)
    return filled(text, room).removesuffix(ELLIPSIS) + more if room > 0 else filled(text, width)
