"""From the bytes that a board says after its leave to the lines that its start is judged by. Pure.

The record of a console shows half a line once nothing more comes for a moment; a judge has to have it whole. And a line
that began before the leave is not the new application's.
"""

import re
from typing import Final

from flashdeckd.consoles.line_cutter import LONGEST_ENTRY, text_of
from flashdeckd.consoles.start_judge import StartJudge

_ENDS: Final = re.compile(rb"[\r\n]+")


class LineJoiner:
    """The lines of one start."""

    def __init__(self, judge: StartJudge, *, is_behind_old: bool) -> None:
        """`is_behind_old`: a line has begun and not ended, and what comes first is the rest of that."""
        self._judge = judge
        self._is_old = is_behind_old
        self._pending = b""
        self._has_counted = False
        """True if what is pending counted as `ready` already."""

    def feed(self, data: bytes, at: float) -> None:
        """Judge the lines that are whole with these bytes."""
        *ended, rest = _ENDS.split(data)
        if ended or not self._is_old:
            self._judge.hear_byte(at)
        for piece in ended:
            self._end_line(self._pending + piece, at)
            self._pending = b""
        self._pending += rest
        while len(self._pending) >= LONGEST_ENTRY:
            self._end_line(self._pending[:LONGEST_ENTRY], at, goes_on=True)
            self._pending = self._pending[LONGEST_ENTRY:]

    def pause(self, at: float) -> None:
        """Judge what has come of a line: nothing more came for a while, as behind a prompt."""
        if self._pending and not self._is_old and not self._has_counted:
            self._has_counted = self._judge.hear_line(text_of(self._pending), at, is_whole=False)

    def _end_line(self, line: bytes, at: float, *, goes_on: bool = False) -> None:
        if not self._is_old and line:
            self._judge.hear_line(text_of(line), at, has_counted=self._has_counted)
        self._is_old = self._is_old and goes_on
        self._has_counted = False
