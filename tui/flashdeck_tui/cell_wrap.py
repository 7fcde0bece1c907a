"""Text in lines for a terminal: between two words, and by the columns that it takes, not by its characters. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from flashdeck_tui.cell_width import cell_width, with_marks

_BLANK: Final = re.compile(r"\s")
_WORDS: Final = re.compile(r"( *)([^ ]+)")


def wrapped(text: str, width: int, *, first: str = "", rest: str = "", breaks_words: bool = True) -> list[str]:
    """Return `text` in lines of at most `width` columns: one behind `first`, all others behind `rest`; none for "".

    A word that is longer than a line begins on the line before and is broken where that is full, but never between a
    character and the marks on it. Without `breaks_words` it has a line of its own, which is longer then.
    """
    lines: list[str] = []
    line, is_begun = first, False
    whole = width - cell_width(rest)
    for gap, word in _WORDS.findall(_BLANK.sub(" ", text)):
        behind = line + gap if is_begun else line
        room = width - cell_width(behind)
        for part in _parts(word, room, whole, is_begun=is_begun, breaks_words=breaks_words):
            if part is None:
                lines.append(line)
                behind = rest
            else:
                line = behind + part
        is_begun = True
    return [*lines, line] if is_begun else lines


def _parts(word: str, room: int, whole: int, *, is_begun: bool, breaks_words: bool) -> Iterator[str | None]:
    """Yield a word, or the parts that it is broken into, and None where a new line begins; `room` is left of this one.

    A new line has room for `whole` columns. Nothing begins a new line where this one has not begun.
    """
    needs = cell_width(word)
    if needs <= room or (needs > whole and breaks_words):
        part = ""
        for each in with_marks(word):
            wide = cell_width(each)
            if wide > room and (part or is_begun):
                if part:
                    yield part
                yield None
                part, room, is_begun = "", whole, False
            part, room = part + each, room - wide
        yield part
        return
    if is_begun:
        yield None
    yield word
