"""One line of a page that says something: where it is too long, it ends between two clauses, or two words."""

from textual.content import Content
from textual.widgets import Static

from flashdeck_tui.clauses import filled


class OneLine(Static):
    """Shows a text as far as it has room."""

    DEFAULT_CSS = """
    OneLine { height: 1; padding: 0 1; text-wrap: nowrap; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id, markup=False)
        self._text = ""
        self._drawn = ""

    def show(self, text: str) -> None:
        """Take what is said now."""
        self._text = text
        self._draw()

    def on_resize(self) -> None:
        """Shorten it anew."""
        self._draw()

    def _draw(self) -> None:
        shown = filled(self._text, self.size.width) if self.size.width else self._text
        if shown != self._drawn:
            self._drawn = shown
            self.update(Content(shown), layout=False)
