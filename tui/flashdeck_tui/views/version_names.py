"""Versions as a narrow column has room for them: what tells them apart, without what all of them share. Pure."""

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from rich.cells import cell_len

from flashdeck_tui.widgets.columns import ELLIPSIS, fit

_PROGRAM: Final = re.compile(r"([^\W\d]\S* (?:\S+ )*?(?=[vV]?\d)|(?:[^\W\d]\D* )+(?=\S*\d))")
"""Words before the first that begins as a number does, else words without digits before one that has some: "app1 " of
"app1 v1.0.1", "demo " of "demo gabc12"."""
_LETTERS_AND_DIGITS: Final = string.ascii_letters + string.digits
_LEAST_SHARED: Final = 2
"""Versions that there have to be before what they share says nothing."""


@dataclass(frozen=True, slots=True)
class VersionNames:
    """The way to write the versions of one partition on all boards."""

    program: str = ""
    """The name of the program that all of them begin with, and a space; "" where they are of several."""
    shared: str = ""
    """The beginning that several versions have in common, up to a point or the like, the program not counted."""

    def short(self, name: str, room: int) -> str:
        """Return a version in at most `room` cells.

        It stands without the program, and where that is too long it begins where it differs from the others.
        """
        rest = self.without_program(name)
        if cell_len(rest) > room and self.shared and rest.startswith(self.shared):
            rest = ELLIPSIS + rest.removeprefix(self.shared)
        return fit(rest, room).rstrip() if cell_len(rest) > room else rest

    def without_program(self, name: str) -> str:
        """Return a version without the name of the program that all have."""
        return name.removeprefix(self.program)

    def change(self, now: str, coming: str, room: int, sign: str) -> str:
        """Return both versions of a partition that gets another one, `sign` between them: neither hides the other."""
        shown = [self.short(name, room) for name in (now, coming)]
        if cell_len(sign.join(shown)) > room:
            most = (room - 1) // 2
            first = self.short(now, max(most, room - 1 - cell_len(shown[1])))
            shown = [first, self.short(coming, room - 1 - cell_len(first))]
        return sign.join(shown)


def version_names(names: Iterable[str]) -> VersionNames:
    """Return the way to write these versions."""
    found = sorted(set(names))
    programs = {match[1] if (match := _PROGRAM.match(name)) else "" for name in found}
    program = programs.pop() if len(programs) == 1 else ""
    rests = [name.removeprefix(program) for name in found]
    shared = _common_start(rests[0], rests[-1]) if len(rests) >= _LEAST_SHARED else ""  # of sorted ones: of all
    return VersionNames(program, shared.rstrip(_LETTERS_AND_DIGITS))


def _common_start(first: str, last: str) -> str:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(letter for letter, _ in same)
