"""Sentences where there is little room: they end between two clauses, so that what is left is a whole thought. Pure.

A sentence of which the clauses are known, and not only the text, lets those go first that matter least.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from rich.cells import cell_len

from flashdeck.words.tone import Tone
from flashdeck_tui.widgets.columns import ELLIPSIS, fit

_ENDS: Final = re.compile(r"[;:,.](?= )| (?=\()| (?=(?:because|until|while|unless|when|which|but) )")
"""The places where a clause may end."""
_MOST: Final = 2 / 3
"""The part of a line that clauses have to fill, where a line that says little is worse than one that stops halfway."""
_NESTING: Final = {"(": 1, "[": 1, ")": -1, "]": -1}
_QUOTE: Final = '"'
_QUOTED: Final = f"{_QUOTE}{{}}{ELLIPSIS}{_QUOTE}"
"""The form of a quotation that was cut."""


class Rank(IntEnum):
    """The ranks of clauses, the least first: that goes first where there is little room."""

    ASIDE = 0
    """The place of a board, and what else there would be to say."""
    WORK = 1
    """The work that is under way there, or waits."""
    OFFER = 2
    """The things that can be done there."""
    TROUBLE = 3
    """Something is wrong, or has to be done by a person."""
    ALARM = 4
    """Something is wrong at this moment."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence that stays whole or goes."""

    text: str
    rank: Rank
    brief: str = ""
    """The same in fewer words; "" where there is nothing shorter."""
    joint: str = "; "
    """The sign before it, behind another clause."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Clauses in the order in which they are read."""

    clauses: tuple[Clause, ...]
    tone: Tone
    lead: str = ""
    """The words before all of them: they never go."""

    @property
    def text(self) -> str:
        """All of it."""
        return self.lead + _joined(self.clauses)

    def within(self, width: int, *, more: str = "") -> str:
        """Return as much of it as `width` cells hold: clauses that matter least go first, the later one of two equals.

        Where the one that matters most has no room for itself, it is cut as a text is, and `more` is as there.
        """
        kept = list(self.clauses)
        while True:
            for is_brief in (False, True):
                told = self.lead + _joined(kept, is_brief=is_brief)
                if cell_len(told) <= width:
                    return told
            if len(kept) <= 1:
                return cut(self.lead + _joined(kept), width, more=more)
            del kept[min(range(len(kept)), key=lambda at: (kept[at].rank, -at))]  # one of two with the same words, too


def _joined(clauses: Sequence[Clause], *, is_brief: bool = False) -> str:
    told = ""
    for each in clauses:
        told += (each.joint if told else "") + ((is_brief and each.brief) or each.text)
    return told


def cut(text: str, width: int, *, least: int = 1, more: str = "") -> str:
    """Return `text` in at most `width` cells: all of it, or as many of its clauses as there is room for.

    Where these have fewer than `least` cells, as many words and an ellipsis; and a part of a word only where these
    have fewer. `more` is said behind a head that alone is left of "head: the rest", if there is room for it.
    A text that is one quotation keeps its marks, with an ellipsis before the second: half of what somebody is told to
    do is not all of it.
    """
    if cell_len(text) <= width:
        return text
    room = width - cell_len(_QUOTED.format(""))
    if room > 0 and _is_quotation(text):
        return _QUOTED.format(cut(text[1:-1], room, least=least).removesuffix(ELLIPSIS))
    kept = next((text[:end] for end in reversed(list(_ends(text))) if cell_len(text[:end]) <= width), "")
    if not kept or cell_len(kept) < least:
        return _words(text, width, least)
    is_head = text[len(kept)] == ":" and ": " not in kept
    said = f"{kept} {more}"
    return said if more and is_head and cell_len(said) <= width else kept


def filled(text: str, width: int) -> str:
    """Return the same for a line of which most is to be used: one whose clauses end early ends between two words."""
    return cut(text, width, least=int(_MOST * width))


def _is_quotation(text: str) -> bool:
    return text.startswith(_QUOTE) and text.find(_QUOTE, 1) == len(text) - 1


def _ends(text: str) -> Iterator[int]:
    """Yield where clauses end; what stands in brackets or quotation marks belongs together.

    A head, as in "head: the rest", is one only at the beginning: behind another sentence it says nothing alone.
    """
    depth, is_quoted, seen = 0, False, 0
    has_ended = False
    for match in _ENDS.finditer(text):
        for sign in text[seen : match.start()]:
            depth += _NESTING.get(sign, 0)
            is_quoted ^= sign == _QUOTE
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
