"""From the bytes that a board says after its leave to the lines that its start is judged by. Pure.

The record of a console shows half a line once nothing more comes for a moment; a judge has to have it whole. And a line
that began before the leave is not the new application's.
"""

import re
from typing import Final

from flashdeckd.consoles.line_cutter import LONGEST_ENTRY, text_of
from flashdeckd.consoles.start_judge import StartJudge

_END_BYTES: Final = b"\r\n"
_ENDS: Final = re.compile(rb"[\r\n]+")


class LineJoiner:
    """The lines of one start."""

    def __init__(self, judge: StartJudge, *, is_behind_old: bool) -> None:
        """`is_behind_old`: a line has begun and not ended, and what comes first is the rest of that."""
        self._judge = judge
        self._is_old = is_behind_old
        self._is_first = True
        """True until anything but ends of lines has come: those may be the end of an old line."""
        self._pending = b""
        self._stands = False
        """True if nothing more came for a while."""
        self._has_counted = False
        """True if what is pending counted as `ready` already."""

    def feed(self, data: bytes, at: float) -> None:
        """Judge the lines that are whole with these bytes."""
        data = self._new_of(data)
        if not data:
            return
        self._judge.hear_byte(at)
        self._stands = False
        *ended, rest = _ENDS.split(data)
        for piece in ended:
            self._end_line(self._pending + piece, at)
            self._pending = b""
        self._pending += rest
        if len(self._pending) >= 2 * LONGEST_ENTRY:
            self._judge_pending(at)  # the next look overlaps: nothing is hidden by where a long line is cut
            self._pending = self._pending[-LONGEST_ENTRY:]

    def pause(self, at: float) -> None:
        """Judge what has come of a line: nothing more came for a while, as behind a prompt."""
        self._stands = True
        self._judge_pending(at)

    def end_of_time(self, at: float) -> None:
        """Judge what has come of a line, now that the time is over: if it stands, it is all of it."""
        self._judge_pending(at, is_whole=self._stands)

    def _new_of(self, data: bytes) -> bytes:
        """Return what of these bytes is not the rest of an old line."""
        if self._is_old:
            end = _ENDS.search(data)
            if end is None:
                return b""
            self._is_old, data = False, data[end.end() :]
        if self._is_first:
            data = data.lstrip(_END_BYTES)
            self._is_first = not data
        return data

    def _judge_pending(self, at: float, *, is_whole: bool = False) -> None:
        if self._pending and (is_whole or not self._has_counted):
            text, counted = text_of(self._pending), self._has_counted
            self._has_counted |= self._judge.hear_line(text, at, is_whole=is_whole, has_counted=counted)

    def _end_line(self, line: bytes, at: float) -> None:
        if line:
            self._judge.hear_line(text_of(line), at, has_counted=self._has_counted)
        self._has_counted = False
