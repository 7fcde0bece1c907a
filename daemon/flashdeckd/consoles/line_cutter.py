"""From the bytes that a board says to lines that can be shown anywhere. Pure.

Lines end with CR, LF or both. Escape sequences and other control characters of a terminal are taken out; what is no
text at all, as at a wrong speed, is counted and not shown.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flashdeck.console_kinds import ConsoleKind
from flashdeck.text import clean
from flashdeck.words.consoles import noise_text

LONGEST_ENTRY: Final = 1000
"""Bytes of one line: what is longer goes on in the next entry."""
MOST_NOISE: Final = 4096
"""Bytes of noise that are told at once, also where no end of it is in sight."""
LONGEST_ESCAPE: Final = 64
"""Bytes of an escape sequence for whose end a line is kept together."""
LONGEST_CHARACTER: Final = 4
"""Bytes of one character in UTF-8."""
_GOES_ON: Final = range(0x80, 0xC0)
_LEADS: Final = {range(0xC2, 0xE0): 2, range(0xE0, 0xF0): 3, range(0xF0, 0xF5): 4}
"""First bytes of characters that have more than one, and how many these have (RFC 3629, 4)."""
NOISE_SHARE: Final = 3
"""A line of which one byte of so many is noise is noise as a whole: some bytes of any are letters by chance."""
_CR, _LF = b"\r", b"\n"
_ENDS: Final = re.compile(rb"[\r\n]")
_ESCAPES: Final = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # ECMA-48, 5.4: control sequences, as those for colours
    "|\x1b[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)"  # 5.6: strings, as the title of a window
    "|\x1b[ -/]*[0-OQ-WYZ\\\\`-~]"  # ECMA-35, 13.2: all others
)
_SILENT: Final = frozenset("\a\b\f\v\x1b\x7f")
"""Characters that a terminal obeys, and that nobody sees."""
_GAP: Final = "\N{REPLACEMENT CHARACTER}"
_GAPS: Final = re.compile(f"{_GAP}+")


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of what a board said, as it is recorded."""

    at: float
    """The time of its first byte."""
    kind: ConsoleKind
    text: str


class LineCutter:
    """The bytes of one port, in the order in which they come."""

    def __init__(self) -> None:
        self._pending = b""
        """The line that has not ended yet."""
        self._since = 0.0
        """The time of its first byte."""
        self._after_cr = False
        """True behind a CR that has ended a line: a LF there ends none."""
        self._noise = 0
        self._noise_since = 0.0

    @property
    def is_pending(self) -> bool:
        """Return whether anything has come that was not told yet."""
        return bool(self._pending or self._noise)

    @property
    def is_in_line(self) -> bool:
        """Return whether a line has begun that has neither ended nor been told."""
        return bool(self._pending)

    def feed(self, data: bytes, at: float) -> Iterator[Said]:
        """Yield what is whole by now; `data` came at this time."""
        start = 0
        for end in _ENDS.finditer(data):
            yield from self._add(data[start : end.start()], at)
            yield from self._end_line(end[0], at)
            start = end.end()
        yield from self._add(data[start:], at)

    def rest(self) -> Iterator[Said]:
        """Yield what has come although its line has not ended: nothing more came for a while.

        Half a character, or half an escape sequence, still waits for its other half.
        """
        whole = _whole(self._pending)
        yield from self._line(self._pending[:whole])
        self._pending = self._pending[whole:]
        yield from self._tell_noise()

    def end(self) -> Iterator[Said]:
        """Yield all that is left: nothing will come that belongs to it."""
        yield from self._line(self._pending)
        self._pending, self._after_cr = b"", False
        yield from self._tell_noise()

    def _add(self, data: bytes, at: float) -> Iterator[Said]:
        if not data:
            return
        if not self._pending:
            self._since = at
        self._after_cr = False
        self._pending += data
        while len(self._pending) >= LONGEST_ENTRY:
            whole = _whole(self._pending[:LONGEST_ENTRY]) or LONGEST_ENTRY
            yield from self._line(self._pending[:whole])
            self._pending, self._since = self._pending[whole:], at

    def _end_line(self, end: bytes, at: float) -> Iterator[Said]:
        if self._pending:
            yield from self._line(self._pending)
            self._pending = b""
            self._after_cr = end == _CR
        elif end == _LF:
            if not self._after_cr:
                yield Said(at, ConsoleKind.LINE, "")
            self._after_cr = False

    def _line(self, data: bytes) -> Iterator[Said]:
        text, noise = _cleaned(data)
        if noise * NOISE_SHARE > len(data):
            text, noise = "", len(data)
        if text:
            yield Said(self._since, ConsoleKind.LINE, text)
        if noise:
            self._noise_since = self._noise_since if self._noise else self._since
            self._noise += noise
            if self._noise >= MOST_NOISE:
                yield from self._tell_noise()

    def _tell_noise(self) -> Iterator[Said]:
        if self._noise:
            yield Said(self._noise_since, ConsoleKind.NOISE, noise_text(self._noise))
            self._noise = 0


def text_of(data: bytes) -> str:
    """Return the text in a line, as it is shown."""
    return _cleaned(data)[0]


def _cleaned(data: bytes) -> tuple[str, int]:
    """Return the text in a line, with a mark for each run of bytes that are none, and how many these are."""
    decoded = data.decode("utf-8", "surrogateescape")
    if decoded.isascii() and decoded.isprintable():  # as nearly all is
        return decoded, 0
    plain = _ESCAPES.sub("", decoded)
    shown = "".join(map(_shown, plain))
    noise = shown.count(_GAP)
    return clean(_GAPS.sub(_GAP, shown).strip(_GAP), len(data)) if shown else "", noise


def _shown(character: str) -> str:
    """Return how a character is shown: itself, nothing, a space, or the mark for noise."""
    if character.isprintable():
        return character
    if character == "\t":
        return " "
    if character in _SILENT:
        return ""
    category = unicodedata.category(character)
    if category == "Cf":  # bidirectional overrides and the like: it is text, and must not be shown
        return ""
    return " " if category.startswith("Z") else _GAP


def _whole(data: bytes) -> int:
    """Return where the last whole character, or the last whole escape sequence, ends."""
    escape = data.rfind(b"\x1b", -LONGEST_ESCAPE)
    if escape >= 0 and not _ESCAPES.match(data[escape:].decode("utf-8", "surrogateescape")):
        return escape
    for back in range(1, min(LONGEST_CHARACTER, len(data) + 1)):
        lead = data[-back]
        if lead not in _GOES_ON:
            needed = next((length for leads, length in _LEADS.items() if lead in leads), 1)
            return len(data) - back if needed > back else len(data)
    return len(data)
