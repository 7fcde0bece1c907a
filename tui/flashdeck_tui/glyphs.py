"""The glyphs of the screen: the one table of what stands for a state, in one cell of the terminal. Pure.

Each has a form in ASCII for terminals that show nothing else, its meaning for the legend and the help, and a tone. The
tone never says what the glyph does not: within one table no two glyphs share a symbol, nor a form in ASCII. A sign that
stands in several tables means the same in all of them: `EVERYWHERE` says what.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from flashdeck.words.tone import Tone


@dataclass(frozen=True, slots=True)
class Glyph:
    """One sign and what it stands for."""

    symbol: str
    """One character, one cell wide."""
    ascii: str
    """Its stand-in on a terminal that shows nothing but ASCII: one character, too."""
    meaning: str
    tone: Tone = Tone.PLAIN
    brief: str = ""
    """The meaning in a word, for a legend with little room; "" where `meaning` is short."""

    @property
    def word(self) -> str:
        """The meaning in a word or two."""
        return self.brief or self.meaning


class FlashGlyph(Enum):
    """The glyphs of a flash map: the state of a sector. In the order of the legend."""

    PROTECTED = Glyph("L", "L", "protected", Tone.FAINT)
    CONTENTS = Glyph("#", "#", "has contents", Tone.GOOD, "contents")
    UNTOUCHED = Glyph(".", ".", "untouched", Tone.FAINT)
    FOREIGN = Glyph("-", "-", "no partition", Tone.FAINT)
    EQUAL = Glyph("=", "=", "equal", Tone.GOOD)
    TO_ERASE = Glyph("x", "x", "to be erased", Tone.WAIT, "to erase")
    BUSY = Glyph(">", ">", "being changed", Tone.BUSY, "changing")
    ERASED = Glyph("o", "o", "erased", Tone.WAIT)
    WRITTEN = Glyph("+", "+", "written", Tone.BUSY)
    VERIFIED = Glyph("✓", "v", "verified", Tone.GOOD)
    UNCERTAIN = Glyph("?", "?", "uncertain", Tone.WAIT)
    FAILED = Glyph("!", "!", "failed or incomplete", Tone.BAD, "failed")


class BoardGlyph(Enum):
    """The glyphs of a board in the list and on the wall: its condition. A board that is all right has none."""

    NEEDS_PERSON = Glyph("!", "!", "something is wrong: it needs you, and STATE says for what", Tone.WAIT)
    ON_HOLD = Glyph("‖", "|", "on hold: it needs you, too", Tone.WAIT)
    BUSY = Glyph(">", ">", "being flashed, or other work", Tone.BUSY)
    WAITING = Glyph(":", ":", "queued or waiting", Tone.PLAIN)
    TAKEN = Glyph("@", "@", "taken by somebody", Tone.WAIT)
    OFFERED = Glyph("↑", "^", "has not the newest build", Tone.WAIT)
    ABSENT = Glyph("○", "_", "not connected", Tone.FAINT)
    NO_BOARD = Glyph("-", "-", "a device that is no board", Tone.WAIT)
    GOOD = Glyph(" ", " ", "all is well")


class MarkGlyph(Enum):
    """The glyphs before a line of a list."""

    CURSOR = Glyph("▸", ")", "selected")
    MARKED = Glyph("●", "*", "marked", Tone.STRONG)
    FOLDED = Glyph("▶", "]", "a group that is closed")
    OPEN = Glyph("▼", "[", "a group that is open")


class VersionGlyph(Enum):
    """The glyphs between two versions of a partition, behind one, or in place of one."""

    BUSY = Glyph(">", ">", "the first is being replaced by the second", Tone.BUSY)
    WAITING = Glyph(":", ":", "the second waits to replace the first")
    UNCERTAIN = Glyph("?", "?", "uncertain", Tone.WAIT)
    NOT_STARTED = Glyph("!", "!", "did not start, or does not run", Tone.BAD)
    NONE = Glyph("-", "-", "empty or unknown", Tone.FAINT)


EVERYWHERE: Final[Mapping[str, str]] = {
    "!": "something is wrong there",
    ">": "work is under way there",
    ":": "work waits there",
    "?": "uncertain",
    "-": "none: no partition, no board, no version",
}
"""The signs that stand in several tables, in both forms, and what each means in all of them."""
