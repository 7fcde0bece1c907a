"""Sentences where there is little room: they end between two clauses, so that what is left is a whole thought. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len

from flashdeck_tui.widgets.columns import ELLIPSIS, fit

_ENDS: Final = re.compile(r"[;:,.](?= )| (?=\()| (?=(?:because|until|while|unless|when|which|but) )")
"""The places where a clause may end."""
_MOST: Final = 2 / 3
"""The part of a line that clauses have to fill, where a line that says little is worse than one that stops halfway."""
_NESTING: Final = {"(": 1, "[": 1, ")": -1, "]": -1}


def cut(text: str, width: int, *, least: int = 1, more: str = "") -> str:
    """Return `text` in at most `width` cells: all of it, or as many of its clauses as there is room for.

    Where these have fewer than `least` cells, as many words and an ellipsis; and a part of a word only where these
    have fewer. `more` is said behind a head that alone is left of "head: the rest", if there is room for it.
    """
    if cell_len(text) <= width:
        return text
    kept = next((text[:end] for end in reversed(list(_ends(text))) if cell_len(text[:end]) <= width), "")
    if not kept or cell_len(kept) < least:
        return _words(text, width, least)
    is_head = text[len(kept)] == ":" and ": " not in kept
    said = f"{kept} {more}"
    return said if more and is_head and cell_len(said) <= width else kept


def filled(text: str, width: int) -> str:
    """Return the same for a line of which most is to be used: one whose clauses end early ends between two words."""
    return cut(text, width, least=int(_MOST * width))


def _ends(text: str) -> Iterator[int]:
    """Yield where clauses end; what stands in brackets or quotation marks belongs together.

    A head, as in "head: the rest", is one only at the beginning: behind another sentence it says nothing alone.
    """
    depth, is_quoted, seen = 0, False, 0
    has_ended = False
    for match in _ENDS.finditer(text):
        for sign in text[seen : match.start()]:
            depth += _NESTING.get(sign, 0)
            is_quoted ^= sign == '"'
        seen = match.start()
        if depth <= 0 and not is_quoted and not (has_ended and match[0] == ":"):
            yield seen
            has_ended = has_ended or match[0] in ";."


def _words(text: str, width: int, least: int) -> str:
    """Return as many words as fit, and an ellipsis behind them."""
    if width <= 0:
        return ""
    kept = fit(text, width).rstrip().removesuffix(ELLIPSIS)
    if not text[len(kept) :].startswith(" "):
        words = kept.rpartition(" ")[0]
        kept = words if cell_len(words) >= least else kept
    return kept.rstrip(" ;:,") + ELLIPSIS
