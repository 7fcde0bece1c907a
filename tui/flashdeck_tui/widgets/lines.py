"""Sentences with tones: the header, the notices, the details."""

from collections.abc import Iterable, Sequence

from textual.content import Content
from textual.widgets import Static

from flashdeck.words.tone import Phrase, Tone

STYLES = {
    Tone.PLAIN: "",
    Tone.STRONG: "bold",
    Tone.FAINT: "$tone-faint",
    Tone.GOOD: "$text-success",
    Tone.WAIT: "$text-warning",
    Tone.BAD: "bold $text-error",
    Tone.BUSY: "bold $text-primary",
}
ANSI_STYLES = STYLES | {
    Tone.FAINT: "dim",
    Tone.GOOD: "ansi_green",
    Tone.WAIT: "ansi_yellow",
    Tone.BAD: "bold ansi_red",
    Tone.BUSY: "bold ansi_cyan",
}


class StaticLines(Static):
    """Text that is drawn again only when it changed. What it shows is never read as markup."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id, markup=False)
        self._shown: tuple[object, ...] | None = None
        self._content = Content()

    def height_of(self, lines: Iterable[Phrase]) -> int:
        """Return the lines that this text would need here."""
        return self._height(Content("\n".join(line.text for line in lines)))

    def show(self, lines: Iterable[Phrase]) -> None:
        """Each sentence on a line of its own, wrapped where it is too long."""
        kept = tuple(lines)
        if self._changed(kept):
            self._set(Content("\n").join(self._styled(line.text, line.tone) for line in kept))

    def show_cells(self, cells: Sequence[Phrase], gap: str) -> None:
        """All on one line."""
        kept = tuple(cells)
        if self._changed(kept):
            self._set(Content(gap).join(self._styled(cell.text, cell.tone) for cell in kept))

    def _set(self, content: Content) -> None:
        before, self._content = self._content, content
        # Where it needs as many lines as before, nothing else of the screen has to be laid out again.
        self.update(content, layout=self._height(content) != self._height(before))

    def _height(self, content: Content) -> int:
        return content.get_height({}, max(1, self.size.width)) if content.plain else 0

    def _changed(self, kept: tuple[object, ...]) -> bool:
        shown = (self.has_pseudo_class("ansi"), *kept)
        changed, self._shown = shown != self._shown, shown
        return changed

    def _styled(self, text: str, tone: Tone) -> Content:
        styles = ANSI_STYLES if self.has_pseudo_class("ansi") else STYLES
        return Content.styled(text, styles[tone])
