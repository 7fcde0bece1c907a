"""Regular expressions that people configure, in a form whose search is bounded. Pure.

A general regular expression can take time without an end, and nothing can interrupt Python's. The form taken here has one
way at most to go on at any place (a deterministic regular expression, as content models of XML are): where a repetition may
end or go on, and where alternatives part, the next byte decides. So a failed attempt never tries a second way through the
same bytes, and with an attempt's reach its cost is bounded. What is run is made from what was checked, not from the text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, takewhile

from flashdeck.text import clean

REACH = 256
"""Bytes that one attempt looks at."""
ATTEMPTS = 500_000
"""Attempts of one search; a place counts as one only where the expression can begin."""
MAX_PATTERN = 200
"""Characters of an expression."""
_PREFIX = 8
"""Bytes by which places are found to begin at."""

_TEXT = frozenset((0x09, *range(0x20, 0x7F)))
"""What `.` and everything negated match: printable ASCII. So a string ends where it does in the firmware."""
_DIGITS = frozenset(b"0123456789")
_WORDS = _DIGITS | frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_BLANKS = frozenset(b" \t\n\r\f\v")
_CLASSES = {
    "d": _DIGITS,
    "D": _TEXT - _DIGITS,
    "w": _WORDS,
    "W": _TEXT - _WORDS,
    "s": _BLANKS,
    "S": _TEXT - _BLANKS,
    **{
        letter: frozenset(bytes((code,)))
        for letter, code in zip("0tnrfv", (0x00, 0x09, 0x0A, 0x0D, 0x0C, 0x0B), strict=True)
    },
}


@dataclass(frozen=True, slots=True)
class _Byte:
    """One byte of a set."""

    among: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Sequence:
    """One thing behind another."""

    parts: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of several things."""

    ways: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    """One thing several times."""

    part: "_Node"
    least: int
    most: int
    text: str
    """As it was written."""


@dataclass(frozen=True, slots=True)
class _Group:
    """A part whose bytes are asked for."""

    part: "_Node"
    name: str


_Node = _Byte | _Sequence | _Choice | _Repeat | _Group


@dataclass(frozen=True)
class Pattern:
    """A bounded regular expression. Make one with `parse_pattern`."""

    text: str
    root: _Node = field(repr=False, compare=False)

    def search(self, data: bytes) -> str | None:
        """Return what the group `version`, else the first group, else all of it matches first in `data`; None: nothing.

        An empty match is none.
        """
        at = 0
        for _ in range(ATTEMPTS):
            begin = self._prefix.search(data, at)
            if begin is None:
                return None
            at = begin.start() + 1
            match = self._whole.match(data, begin.start(), begin.start() + REACH)
            found: bytes | None = match[self._wanted] if match else None
            if found:
                return found.decode("ascii", "replace")
        return None

    @cached_property
    def _whole(self) -> re.Pattern[bytes]:
        return re.compile(_written(self.root).encode("ascii"), re.DOTALL)

    @cached_property
    def _prefix(self) -> re.Pattern[bytes]:
        sets = _fixed(self.root)[:_PREFIX] or (_first(self.root),)
        return re.compile("".join(_written(_Byte(each)) for each in sets).encode("ascii"), re.DOTALL)

    @property
    def _wanted(self) -> int | str:
        if "version" in self._whole.groupindex:
            return "version"
        return min(1, self._whole.groups)


def parse_pattern(text: str) -> Pattern:
    """Return the expression that `text` says; raises ValueError, with a sentence, for one that is not of the form.

    Taken are characters, `.`, classes, `\\d`, `\\w`, `\\s` and their opposites, `\\xNN`, groups (also `(?:…)` and
    `(?P<name>…)`), `|`, `?`, `*`, `+` and `{m,n}`. It must match a byte at least.
    """
    if len(text) > MAX_PATTERN:
        raise ValueError(f"has {len(text)} characters; {MAX_PATTERN} are the most")
    root = _Parser(text).parse()
    if _is_nullable(root):
        raise ValueError("matches also nothing at all; it must ask for a character at least")
    _check(root, None)
    return Pattern(text, root)


class _Parser:
    """Recursive descent over the text of one expression. Its depth is bounded by the text's length."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._names: set[str] = set()

    def parse(self) -> _Node:
        root = self._choice()
        if self._at < len(self._text):
            raise ValueError('has a ")" too many')
        return root

    def _choice(self) -> _Node:
        ways = [self._sequence()]
        while self._take("|"):
            ways.append(self._sequence())
        return ways[0] if len(ways) == 1 else _Choice(tuple(ways))

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeat())
        return parts[0] if len(parts) == 1 else _Sequence(tuple(parts))

    def _repeat(self) -> _Node:
        start = self._at
        part = self._part()
        bounds = self._bounds()
        if bounds is None:
            return part
        least, most = bounds
        if most < least or most > REACH or not most:
            raise ValueError(f"{self._since(start)}: a repetition is from 0 to {REACH} times, the lesser number first")
        if self._peek() in ("?", "*", "+", "{") and self._peek():
            raise ValueError(
                f"{self._since(start)}{self._peek()}: a second repetition mark; put what is repeated in a group, or leave one out"
            )
        return _Repeat(part, least, most, self._since(start))

    def _bounds(self) -> tuple[int, int] | None:
        for mark, bounds in {"?": (0, 1), "*": (0, REACH), "+": (1, REACH)}.items():
            if self._take(mark):
                return bounds
        match = re.compile(r"\{(\d{0,4})(,?)(\d{0,4})\}", re.ASCII).match(self._text, self._at)
        if match is None or match[0] == "{}":
            return None
        self._at = match.end()
        least = int(match[1] or 0)
        most = int(match[3]) if match[3] else REACH if match[2] else least
        return least, most

    def _part(self) -> _Node:
        start = self._at
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return self._class(start)
            case ".":
                return _Byte(_TEXT)
            case "\\":
                return _Byte(self._escape())
            case "?" | "*" | "+":
                raise ValueError(f'there is nothing before "{char}" that it could repeat')
            case "^" | "$":
                raise ValueError(
                    f'"{char}" has no meaning among the bytes of an image; write \\{char} for the character'
                )
            case "{":
                raise ValueError("write \\{ for the character, and {2} or {2,5} for a repetition")
            case _:
                return _Byte(_literal(char))

    def _group(self) -> _Node:
        name: str | None = ""
        if self._take("?:"):
            name = None
        elif self._take("?P<"):
            name, closed, _ = self._text[self._at :].partition(">")
            if not closed or not name.isidentifier() or not name.isascii() or name in self._names:
                raise ValueError(f'"{clean(name, 40)}" can not be the name of a group here')
            self._names.add(name)
            self._at += len(name) + 1
        elif self._peek() == "?":
            raise ValueError(
                f'"({self._text[self._at : self._at + 3]}" is not taken: groups are (…), (?:…) and (?P<name>…)'
            )
        part = self._choice()
        if not self._take(")"):
            raise ValueError('a "(" is not closed')
        return part if name is None else _Group(part, name)

    def _class(self, start: int) -> _Node:
        negated = self._take("^")
        among = {ord("]")} if self._take("]") else set[int]()  # as in every dialect, the first one is a character
        while not self._take("]"):
            low = self._member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._next()
                high = self._member()
                if len(low) != 1 or len(high) != 1 or min(low) > min(high):
                    raise ValueError(f"{self._since(start)}: no range goes from there to there")
                among |= set(range(min(low), min(high) + 1))
            else:
                among |= low
        found = _TEXT - among if negated else frozenset(among)
        if not found:
            raise ValueError(f"{self._since(start)} matches no character")
        return _Byte(found)

    def _member(self) -> frozenset[int]:
        char = self._next()
        if not char:
            raise ValueError('a "[" is not closed')
        return self._escape() if char == "\\" else _literal(char)

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
        if not self._text.startswith(wanted, self._at):
            return False
        self._at += len(wanted)
        return True

    def _since(self, start: int) -> str:
        return clean(self._text[start : self._at], 60)


def _literal(char: str) -> frozenset[int]:
    if not char.isascii():
        raise ValueError(f'"{clean(char, 4)}" is not ASCII; give its bytes as \\xNN')
    return frozenset((ord(char),))


def _is_nullable(node: _Node) -> bool:
    """Tell whether it matches nothing at all, too."""
    match node:
        case _Byte():
            return False
        case _Sequence(parts):
            return all(map(_is_nullable, parts))
        case _Choice(ways):
            return any(map(_is_nullable, ways))
        case _Repeat(part, least):
            return not least or _is_nullable(part)
        case _Group(part):
            return _is_nullable(part)


def _first(node: _Node) -> frozenset[int]:
    """Return the bytes that it can begin with."""
    match node:
        case _Byte(among):
            return among
        case _Sequence(parts):
            return _first_of(parts, frozenset())
        case _Choice(ways):
            return frozenset[int]().union(*map(_first, ways))
        case _Repeat(part) | _Group(part):
            return _first(part)


def _first_of(parts: Iterable[_Node], follow: frozenset[int]) -> frozenset[int]:
    """Return the bytes that these parts, one behind the other, can begin with, and where all may be empty, `follow`."""
    first = frozenset[int]()
    for part in parts:
        first |= _first(part)
        if not _is_nullable(part):
            return first
    return first | follow


def _fixed(node: _Node) -> tuple[frozenset[int], ...]:
    """Return the sets of its first bytes, as far as it has no choice."""
    match node:
        case _Byte(among):
            return (among,)
        case _Sequence(parts):
            whole = tuple(takewhile(_is_fixed, parts))
            rest = parts[len(whole) : len(whole) + 1]
            return tuple(each for part in (*whole, *rest) for each in _fixed(part))
        case _Group(part):
            return _fixed(part)
        case _Repeat(part, least, most):
            return _fixed(part) * least if _is_fixed(part) and least == most else _fixed(part) if least else ()
        case _Choice():
            return ()


def _is_fixed(node: _Node) -> bool:
    match node:
        case _Byte():
            return True
        case _Sequence(parts):
            return all(map(_is_fixed, parts))
        case _Group(part):
            return _is_fixed(part)
        case _Repeat(part, least, most):
            return least == most and _is_fixed(part)
        case _Choice():
            return False


def _check(node: _Node, follow: frozenset[int] | None) -> None:
    """Raise ValueError where the next byte does not decide how to go on.

    `follow` is what can come behind `node`; None where all of that may also be missing, so that no failure there ever
    makes a choice in `node` be taken back.
    """
    match node:
        case _Byte():
            return
        case _Group(part):
            _check(part, follow)
        case _Sequence(parts):
            for index, part in enumerate(parts):
                rest = parts[index + 1 :]
                last = follow is None and all(map(_is_nullable, rest))
                _check(part, None if last else _first_of(rest, follow or frozenset()))
        case _Choice(ways):
            _check_ways(ways)
            for way in ways:
                _check(way, follow)
        case _Repeat(part, least, most, text):
            if _is_nullable(part):
                raise ValueError(f"{text}: what is repeated must not be empty")
            both = _first(part) & (follow or frozenset())
            if least != most and both:
                raise ValueError(
                    f"{text}: what comes behind it can begin with {_example(both)}, which it matches, too; say what it may "
                    "not have, as [^,]*, for .*,"
                )
            _check(part, follow if most == 1 else _first(part) | (follow or frozenset()))


def _check_ways(ways: tuple[_Node, ...]) -> None:
    """Raise ValueError where more than one of several ways can match."""
    if any(map(_is_nullable, ways)):
        raise ValueError("an alternative is empty; write (?:…)? for what may be missing")
    for one, other in combinations(ways, 2):
        both = _first(one) & _first(other)
        if both and all(a & b for a, b in zip(_fixed(one), _fixed(other), strict=False)):
            raise ValueError(
                f"two alternatives can both match what begins with {_example(both)}; put what they have in common before "
                "them, as r(?:c|el) for rc|rel"
            )


def _example(among: frozenset[int]) -> str:
    code = min(among, key=lambda each: (each not in _WORDS, each not in _TEXT, each))
    return f'"{chr(code)}"' if code in _TEXT else f"\\x{code:02x}"


def _written(node: _Node) -> str:
    """Return it as Python's `re` has it."""
    match node:
        case _Byte(among) if len(among) == 1:
            return f"\\x{min(among):02x}"
        case _Byte(among):
            return "[" + "".join(f"\\x{each:02x}" for each in sorted(among)) + "]"
        case _Sequence(parts):
            return "".join(map(_written, parts))
        case _Choice(ways):
            return f"(?:{'|'.join(map(_written, ways))})"
        case _Repeat(part, least, most):
            return f"(?:{_written(part)}){{{least},{most}}}"
        case _Group(part, name):
            return f"({f'?P<{name}>' if name else ''}{_written(part)})"
