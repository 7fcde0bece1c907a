"""Regular expressions that people configure, in a form whose search is bounded. Pure.

A general regular expression can take time without an end, and nothing can interrupt Python's. The form taken here has
one way at most to go on at any place (a deterministic regular expression, as content models of XML are): where a
repetition may end or go on, and where alternatives part, the next bytes decide. So a failed attempt never tries a
second way through the same bytes, and with an attempt's reach its cost is bounded. What is run is made from what was
checked, not from the text.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property

from flashdeck.pattern_nodes import TEXT, WORDS, Node, byte, check, choice, group, repeat, series
from flashdeck.text import clean

REACH = 256
"""Bytes that one attempt looks at."""
ATTEMPTS = 200_000
"""Attempts of one search; a place counts as one only where the expression can begin."""
MAX_PATTERN = 200
"""Characters of an expression."""
_PREFIX = 8
"""Bytes by which places to begin at are found."""

_DIGITS = frozenset(b"0123456789")
_BLANKS = frozenset(b" \t\n\r\f\v")
_CLASSES = {
    "d": _DIGITS,
    "D": TEXT - _DIGITS,
    "w": WORDS,
    "W": TEXT - WORDS,
    "s": _BLANKS,
    "S": TEXT - _BLANKS,
    **{letter: frozenset((code,)) for letter, code in zip("0tnrfv", b"\0\t\n\r\f\v", strict=True)},
}
"""The bytes of `.` and of a negated class: printable ASCII, so that a match ends where a string does."""
_BOUNDS = {"?": (0, 1), "*": (0, REACH), "+": (1, REACH)}
_COUNTS = re.compile(r"\{(?P<least>[0-9]{0,4})(?P<comma>,?)(?P<most>[0-9]{0,4})\}")


@dataclass(frozen=True)
class Pattern:
    """A bounded regular expression. Make one with `parse_pattern`."""

    text: str
    root: Node = field(repr=False, compare=False)

    def search(self, data: bytes) -> str:
        """Return what the group `version`, else the first group, else all of it matches first; "": nothing."""
        at = 0
        for _ in range(ATTEMPTS):
            begin = self._prefix.search(data, at)
            if begin is None:
                break
            at = begin.start() + 1
            match = self._whole.match(data, begin.start(), begin.start() + REACH)
            found: bytes | None = match[self._wanted] if match else None
            if found:
                return found.decode("ascii", "replace")
        return ""

    @cached_property
    def _whole(self) -> re.Pattern[bytes]:
        return re.compile(self.root.written.encode("ascii"))

    @cached_property
    def _prefix(self) -> re.Pattern[bytes]:
        prefix = series([byte(each) for each in self.root.fixed[:_PREFIX] or (self.root.first,)])
        return re.compile(prefix.written.encode("ascii"))

    @property
    def _wanted(self) -> int | str:
        return "version" if "version" in self._whole.groupindex else min(1, self._whole.groups)


def parse_pattern(text: str) -> Pattern:
    r"""Return the expression that `text` says; raises ValueError, with a sentence, for one that is not of the form.

    Taken are characters, `.`, classes, `\d`, `\w`, `\s` and their opposites, `\xNN`, groups (also `(?:…)` and
    `(?P<name>…)`), `|`, `?`, `*`, `+` and `{m,n}`. It must match a byte at least.
    """
    if len(text) > MAX_PATTERN:
        raise ValueError(f"has {len(text)} characters; {MAX_PATTERN} are the most")
    root = _Parser(text).parse()
    if root.is_nullable:
        raise ValueError("matches also nothing at all; it must ask for a character at least")
    check(root)
    return Pattern(text, root)


class _Parser:
    """Recursive descent over the text of one expression. Its depth is bounded by the text's length."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._names: set[str] = set()

    def parse(self) -> Node:
        root = self._choice()
        if self._at < len(self._text):
            raise ValueError('has a ")" too many')
        return root

    def _choice(self) -> Node:
        ways = [self._series()]
        while self._take("|"):
            ways.append(self._series())
        return choice(ways)

    def _series(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeat())
        return series(parts)

    def _repeat(self) -> Node:
        start = self._at
        part = self._part()
        bounds = self._bounds()
        if bounds is None:
            return part
        least, most = bounds
        text = self._since(start)
        if not least <= most <= REACH or not most:
            raise ValueError(f"{text}: a repetition is from 0 to {REACH} times, the lesser number first")
        if self._peek() in (*_BOUNDS, "{"):
            raise ValueError(
                f"{text}{self._peek()}: two marks of repetition; put what is repeated in a group, or leave one"
            )
        return repeat(part, least, most, text)

    def _bounds(self) -> tuple[int, int] | None:
        """Take a mark of repetition, and return how often at least and at most; None where there is none."""
        if self._peek() in _BOUNDS:
            return _BOUNDS[self._next()]
        counts = _COUNTS.match(self._text, self._at)
        if counts is None or counts[0] in ("{}", "{,}"):
            return None
        self._at = counts.end()
        least = int(counts["least"] or 0)
        return least, int(counts["most"]) if counts["most"] else REACH if counts["comma"] else least

    def _part(self) -> Node:
        start = self._at
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return self._class(start)
            case ".":
                return byte(TEXT)
            case "\\":
                return byte(self._escape())
            case "?" | "*" | "+" | "{":
                raise ValueError(f'there is nothing before "{char}" to repeat; write \\{char} for the character')
            case "^" | "$":
                raise ValueError(
                    f'"{char}" has no meaning among the bytes of an image; write \\{char} for the character'
                )
            case _:
                return byte(_literal(char))

    def _group(self) -> Node:
        name: str | None = ""
        if self._take("?:"):
            name = None
        elif self._take("?P<"):
            name = self._name()
        elif self._peek() == "?":
            shown = clean(self._text[self._at : self._at + 3], 8)
            raise ValueError(f'"({shown}" is not taken: groups are (…), (?:…) and (?P<name>…)')
        part = self._choice()
        if not self._take(")"):
            raise ValueError('a "(" is not closed')
        return part if name is None else group(part, name)

    def _name(self) -> str:
        name, closed, _ = self._text[self._at :].partition(">")
        if not closed or not name.isidentifier() or not name.isascii() or name in self._names:
            raise ValueError(f'"{clean(name, 40)}" cannot be the name of a group here')
        self._names.add(name)
        self._at += len(name) + 1
        return name

    def _class(self, start: int) -> Node:
        negated = self._take("^")
        among = {ord("]")} if self._take("]") else set[int]()  # as in every dialect, the first one is a character
        while not self._take("]"):
            low = self._member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._next()
                high = self._member()
                if len(low) > 1 or len(high) > 1 or low > high:
                    raise ValueError(f"{self._since(start)}: no range goes from there to there")
                among |= set(range(low[0], high[0] + 1))
            else:
                among |= set(low)
        found = TEXT - among if negated else frozenset(among)
        if not found:
            raise ValueError(f"{self._since(start)} matches no character")
        return byte(found)

    def _member(self) -> bytes:
        char = self._next()
        if not char:
            raise ValueError('a "[" is not closed')
        return bytes(sorted(self._escape() if char == "\\" else _literal(char)))

    def _escape(self) -> frozenset[int]:
        char = self._next()
        if char == "x":
            digits = self._next() + self._next()
            if not re.fullmatch("[0-9A-Fa-f]{2}", digits):
                raise ValueError("\\x needs two hexadecimal digits behind it")
            return frozenset((int(digits, 16),))
        if char in _CLASSES and not (char == "0" and self._peek().isdigit()):
            return _CLASSES[char]
        if not char or char.isalnum():
            raise ValueError(
                f"\\{clean(char, 4)} is not taken; escapes are \\d \\w \\s \\D \\W \\S \\t \\n \\r \\xNN and signs"
            )
        return _literal(char)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += len(char)
        return char

    def _take(self, wanted: str) -> bool:
        found = self._text.startswith(wanted, self._at)
        self._at += len(wanted) * found
        return found

    def _since(self, start: int) -> str:
        return clean(self._text[start : self._at], 60)


def _literal(char: str) -> frozenset[int]:
    if not char.isascii():
        raise ValueError(f'"{clean(char, 4)}" is not ASCII; give its bytes as \\xNN')
    return frozenset((ord(char),))
