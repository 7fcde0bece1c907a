"""The parts of every row and line: a row of a list, and foreign text made fit for a cell. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flashdeck.model import ArtifactState
from flashdeck.text import clean, format_age
from flashdeck.words.contents import image_name
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.clauses import Sentence
from flashdeck_tui.glyphs import VersionGlyph
from flashdeck_tui.store import Selection
from flashdeck_tui.widgets.columns import Column, widths

NONE = VersionGlyph.NONE.value.symbol
"""In place of what is not there, or not known."""
LONG_TEXT = 1000
"""Characters of a message that is shown whole."""
LONG_NAME = 40
"""Characters of a name in a cell."""
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Spans:
    """A cell whose parts have tones of their own."""

    parts: tuple[Phrase, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(part.text for part in self.parts)

    @property
    def tone(self) -> Tone:
        """The tone of its first part."""
        return self.parts[0].tone if self.parts else Tone.PLAIN


Cell = Phrase | Spans | Sentence


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list, and what it stands for."""

    key: Selection
    cells: tuple[Cell, ...]
    sign: str = ""
    """One character before it, as of a marked row."""
    chosen: int = -1
    """The place of a cell that is chosen in it; -1 for none."""
    is_head: bool = False
    """True for the head of a group: its first cell has the whole line."""
    is_long: bool = False
    """True: its first cell has the room of those behind it, all but the last, which are blank."""
    stale: bool = False
    """True if it is how things were: then no tone is shown but the faint one."""


def row_widths(columns: Sequence[Column], rows: Iterable[Row], available: int) -> list[int]:
    """Return the width of each column in `available` cells; a long first cell makes none wider."""
    shown = (row for row in rows if not row.is_head)
    texts = (["" if row.is_long and not place else cell.text for place, cell in enumerate(row.cells)] for row in shown)
    return widths(columns, texts, available)


def ago(then: float, now: float) -> str:
    """Return how long ago something was. Changes once a minute at the most, so that a quiet screen stays quiet."""
    return f"{format_age(now - then)} ago" if now - then >= _MINUTE else "just now"


def version_of(build: ArtifactState) -> str:
    """Return how people tell builds apart."""
    return image_name(build.version, build.sha256)


def short_name(text: str) -> str:
    """Return a foreign name as a cell has room for it."""
    return clean(text, LONG_NAME)


def whole_text(text: str) -> str:
    """Return a foreign message as it is shown whole."""
    return clean(text, LONG_TEXT)
