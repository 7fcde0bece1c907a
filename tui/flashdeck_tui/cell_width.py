"""The width of text on a terminal, and text made as wide as wanted, for what has no library of the screen. Pure."""

import unicodedata
from collections.abc import Iterable, Iterator

_WITHOUT_WIDTH = {"Mn", "Me", "Cf"}
"""Marks on the character before, and characters that only say how others are shown."""


def cell_width(text: str) -> int:
    """Return the number of columns that `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(ch) in _WITHOUT_WIDTH else 2 if unicodedata.east_asian_width(ch) in "WF" else 1
        for ch in text
    )


def with_marks(text: str) -> Iterator[str]:
    """Yield the characters of a text, each with the marks on it: nothing is cut between the two."""
    kept = ""
    for ch in text:
        if kept and cell_width(ch):
            yield kept
            kept = ""
        kept += ch
    if kept:
        yield kept


def padded(text: str, width: int) -> str:
    """Return a text with blanks behind it, so that it takes `width` columns at the least."""
    return text + " " * (width - cell_width(text))


def centred(text: str, width: int, fill: str = " ") -> str:
    """Return a text in the middle of `width` columns; `fill` is one column wide."""
    blank = max(0, width - cell_width(text))
    return fill * (blank // 2) + text + fill * (blank - blank // 2)


def cut_at_end(text: str, width: int, more: str) -> str:
    """Return as much of the beginning of a text as `width` columns hold; `more` ends it where that is not all."""
    if cell_width(text) <= width:
        return text
    return "".join(_as_many(with_marks(text), width - cell_width(more))) + more


def cut_at_start(text: str, width: int, more: str) -> str:
    """Return as much of the end of a text as `width` columns hold; `more` begins it where that is not all."""
    if cell_width(text) <= width:
        return text
    kept = list(_as_many(reversed(list(with_marks(text))), width - cell_width(more)))
    return more + "".join(reversed(kept))


def _as_many(characters: Iterable[str], room: int) -> Iterator[str]:
    for each in characters:
        room -= cell_width(each)
        if room < 0:
            return
        yield each
