"""Text for a terminal that shows nothing but ASCII: every other character gets a stand-in of its own width. Pure.

What the screen draws itself comes from `glyphs`, with stand-ins that differ where the signs do. This is for all the
rest: borders, foreign names, and whatever a library draws.
"""

import unicodedata
from typing import Final

from flashdeck_tui.cell_width import cell_width

_UNKNOWN: Final = "?"
_STAND_INS: Final = {
    **dict(zip("…·•÷✓✗○●◌▸▶◂◀▲▼→←↑↓↵⏎‖■□▪", "~.*/vx_*o)](<^[><^v<<|#.#", strict=True)),
    **dict(zip("\u2013\u2014\u2018\u2019\u201c\u201d\u00d7", "--''\"\"x", strict=True)),  # dashes, quotes, times
    **dict(zip("▁▂▃▄▅▆▇█▀▔▌▐░▒▓", "__..--=#''||.:#", strict=True)),
}


class _StandIns(dict[int, str]):
    """The table for `str.translate`: what was asked for once is known from then on."""

    def __missing__(self, code: int) -> str:
        self[code] = found = chr(code) if code < 128 else _stand_in(chr(code))  # noqa: PLR2004 - ASCII's size
        return found


_TABLE: Final = _StandIns()


def to_ascii(text: str) -> str:
    """Return `text` in ASCII, as wide as it was: control sequences stay, and what has no likeness becomes "?"."""
    return text if text.isascii() else text.translate(_TABLE)


def _stand_in(character: str) -> str:
    if character in _STAND_INS:
        return _STAND_INS[character]
    width = cell_width(character)
    if unicodedata.name(character, "").startswith("BOX DRAWINGS"):
        return _line(unicodedata.name(character))
    likeness = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return likeness if len(likeness) == width and likeness.isprintable() else _UNKNOWN * width


def _line(name: str) -> str:
    """Return the stand-in of a line of a box, by what its name says of its directions."""
    across = any(word in name for word in ("HORIZONTAL", "LEFT", "RIGHT"))
    along = any(word in name for word in ("VERTICAL", "UP", "DOWN"))
    return "+" if across and along else "|" if along else "-"
