"""Lines of phrases that scroll where they do not fit. Only lines that changed are drawn again: this may go over SSH."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.strip import Strip

from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.slot_tiles import Solid
from flashdeck_tui.widgets.toned import TonedView

_REVERSED = Style(reverse=True)


class PhraseLines(TonedView, can_focus=True):
    """Shows lines, none of which is wrapped: whoever makes them knows how wide they may be."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
        Binding("home", "scroll_home", "First", show=False),
        Binding("end", "scroll_end", "Last", show=False),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self._lines: tuple[tuple[Phrase, ...], ...] = ()

    @property
    def lines(self) -> tuple[tuple[Phrase, ...], ...]:
        """The lines, from top to bottom."""
        return self._lines

    def show(self, lines: Sequence[tuple[Phrase, ...]]) -> None:
        """Takes the lines as they are now."""
        before, self._lines = self._lines, tuple(lines)
        # Where all of it is visible, one line more or less is no other layout, for which everything would be drawn.
        self.virtual_size = Size(self.size.width, max(len(self._lines), self.scrollable_content_region.height))
        for index in range(max(len(before), len(self._lines))):
            if before[index : index + 1] != self._lines[index : index + 1]:
                self._refresh_line(index)

    def render_line(self, y: int) -> Strip:
        """One line of what is visible."""
        index, width = y + self.scroll_offset.y, self.size.width
        line = self._lines[index] if index < len(self._lines) else ()
        segments = [Segment(phrase.text, self._style_of(phrase)) for phrase in line if phrase.text]
        return Strip(segments).adjust_cell_length(width, self.drawn_style(f"tone--{Tone.PLAIN}"))

    def _style_of(self, phrase: Phrase) -> Style:
        style = self.drawn_style(f"tone--{phrase.tone}")
        return style + _REVERSED if isinstance(phrase, Solid) else style

    def _refresh_line(self, index: int) -> None:
        line = index - self.scroll_offset.y
        if 0 <= line < self.size.height:
            self.refresh(Region(0, line, self.size.width, 1))
