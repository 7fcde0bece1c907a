"""The width of text on a terminal, for what has to do without the libraries of the screen. Pure."""

import unicodedata

_WITHOUT_WIDTH = {"Mn", "Me", "Cf"}
"""Marks on the character before, and characters that only say how others are shown."""


def cell_width(text: str) -> int:
    """Return the number of columns that `text` takes on a terminal."""
    return sum(
        0 if unicodedata.category(ch) in _WITHOUT_WIDTH else 2 if unicodedata.east_asian_width(ch) in "WF" else 1
        for ch in text
    )
