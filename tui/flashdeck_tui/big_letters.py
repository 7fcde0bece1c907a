"""Words in letters of five lines, which are read from across a room. Pure.

A letter is made of blocks, which `ascii_text` has a stand-in for. A letter is as wide as it needs to be.
"""

from collections.abc import Mapping
from typing import Final

BLOCK: Final = "█"
LETTER_LINES: Final = 5
"""Lines of a letter at scale 1."""
SCALES: Final = ((1, 1), (2, 1), (4, 2), (6, 3), (8, 4))
"""Columns and lines of each dot of a letter, by scale from 1 on. A cell of a terminal is half as wide as it is high."""
_GAP: Final = 1
"""Columns between two letters at scale 1."""
_LETTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "A": ("###", "#.#", "###", "#.#", "#.#"),
    "F": ("###", "#..", "##.", "#..", "#.."),
    "I": ("###", ".#.", ".#.", ".#.", "###"),
    "L": ("#..", "#..", "#..", "#..", "###"),
    "P": ("###", "#.#", "###", "#..", "#.."),
    "S": ("###", "#..", "###", "..#", "###"),
    "T": ("###", ".#.", ".#.", ".#.", ".#."),
    "W": ("#.#", "#.#", "###", "###", "#.#"),
    "0": ("###", "#.#", "#.#", "#.#", "###"),
    "1": (".#.", "##.", ".#.", ".#.", "###"),
    "2": ("###", "..#", "###", "#..", "###"),
    "3": ("###", "..#", ".##", "..#", "###"),
    "4": ("#.#", "#.#", "###", "..#", "..#"),
    "5": ("###", "#..", "###", "..#", "###"),
    "6": ("###", "#..", "###", "#.#", "###"),
    "7": ("###", "..#", "..#", ".#.", ".#."),
    "8": ("###", "#.#", "###", "#.#", "###"),
    "9": ("###", "#.#", "###", "..#", "###"),
    "%": ("#.#", "..#", ".#.", "#..", "#.#"),
}
BIG_CHARACTERS: Final = frozenset(_LETTERS)
"""The characters that have such letters."""


def word_cells(word: str) -> int:
    """Return the columns of a word at scale 1; 0 for one with a character that has no such letter."""
    if not word or not BIG_CHARACTERS.issuperset(word):
        return 0
    return sum(len(_LETTERS[character][0]) + _GAP for character in word) - _GAP


def scale_for(word: str, width: int, height: int) -> int:
    """Return the largest scale at which a word fits; 0 where it fits at none, or has no such letters."""
    cells = word_cells(word)
    fits = [across * cells <= width and down * LETTER_LINES <= height for across, down in SCALES]
    return sum(fits) if cells else 0


def big_word(word: str, scale: int) -> list[str]:
    """Return a word in letters as lines of blocks and blanks, all equally wide."""
    across, down = SCALES[scale - 1]
    lines: list[str] = []
    for part in range(LETTER_LINES):
        dots = ("." * _GAP).join(_LETTERS[character][part] for character in word)
        line = "".join((BLOCK if dot == "#" else " ") * across for dot in dots)
        lines += [line] * down
    return lines
