"""The lines on which the tables and keys of a TOML file stand: `tomllib` does not tell them. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

MAX_DEPTH = 8
"""Names of the longest path whose line is told: the configuration has none that is longer."""
_TOKEN = re.compile(
    r"""
      (?P<newline>\n)
    | (?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\])*" | '[^']*')
    | (?P<mark>[][{},.=])
    | (?P<bare>[^][{},.=\s\#"']+)
    | [^\S\n]+ | \#[^\n]*
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}

_Path = tuple[str, ...]


class LineNumbers:
    """The lines of a file, which are only looked for once somebody asks."""

    def __init__(self, text: str = "") -> None:
        """`text` is TOML that `tomllib` has taken."""
        self._text = text

    def of(self, *path: str) -> int:
        """Return the line, from 1, of a table or key; of the table around it where it is not there; 0 for none.

        An item of an array of tables has its number behind the name, as "guards item 2"; the name alone is the first.
        """
        for length in range(len(path), 0, -1):
            if path[:length] in self._found:
                return self._found[path[:length]]
        return 0

    @cached_property
    def _found(self) -> Mapping[_Path, int]:
        return _LineWalk().through(self._text)


@dataclass(slots=True)
class _Open:
    """Something that has begun and not ended: the table of a header, an inline table, or an array."""

    path: _Path
    is_array: bool = False
    item: int = 1
    """Number of the item of an array that is being read."""


class _LineWalk:
    """A walk through a file, token by token."""

    def __init__(self) -> None:
        self._found: dict[_Path, int] = {}
        self._line = 1
        self._top = _Open(())
        self._opened = [self._top]
        self._names: list[str] = []
        """Of the key, or the header, that is being read."""
        self._value: _Path | None = None
        """The path of the key whose value is being read."""
        self._brackets = 0
        """Those with which the header that is being read began."""
        self._items: dict[_Path, int] = {}
        """The items of each array of tables that has headers."""
        self._marks = {
            "=": self._end_key,
            "[": self._open_bracket,
            "{": self._open_brace,
            "]": self._close,
            "}": self._close,
            ",": self._pass_comma,
        }

    def through(self, text: str) -> Mapping[_Path, int]:
        """Return the line of every path in a file."""
        for token in _TOKEN.finditer(text):
            match token.lastgroup:
                case "newline":
                    self._end_line()
                case "text" | "bare" if self._value is None:
                    self._names.append(_name(token[0]))
                case "mark" if token[0] in self._marks:
                    self._marks[token[0]]()
                case _:
                    pass
            self._line += token[0].count("\n")
        self._end_line()
        return self._found

    def _note(self, path: _Path, around: int = 0) -> None:
        """Note where a path stands, and the tables around it, but for the first so many of them."""
        for length in range(around + 1, min(len(path), MAX_DEPTH) + 1):
            self._found.setdefault(path[:length], self._line)
            self._found.setdefault(tuple(name.removesuffix(" item 1") for name in path[:length]), self._line)

    def _end_line(self) -> None:
        if self._brackets:
            self._top.path = self._of_header()
            self._note(self._top.path)
        if len(self._opened) == 1:
            self._names, self._value, self._brackets = [], None, 0

    def _of_header(self) -> _Path:
        path: _Path = ()
        for name in self._names[:MAX_DEPTH]:
            path = (*path, name)
            number = self._items.get(path, 0)
            if self._brackets > 1 and len(path) == len(self._names):
                number = self._items[path] = number + 1
            path = _numbered(path, number) if number else path
        return path

    def _end_key(self) -> None:
        inner = self._opened[-1]
        self._value = (*inner.path, *self._names)[:MAX_DEPTH]
        self._note(self._value, len(inner.path))
        self._names = []

    def _open_bracket(self) -> None:
        if self._value is None:
            self._brackets += 1
        else:
            self._opened.append(_Open(self._inside, is_array=True))

    def _open_brace(self) -> None:
        path = self._inside
        self._opened.append(_Open(path))
        self._note(path, len(path) - 1)
        self._value = None

    @property
    def _inside(self) -> _Path:
        """The path of what begins here."""
        inner = self._opened[-1]
        return _numbered(inner.path, inner.item) if inner.is_array else self._value or inner.path

    def _close(self) -> None:
        if len(self._opened) > 1:
            self._opened.pop()
            self._value = self._opened[-1].path

    def _pass_comma(self) -> None:
        inner = self._opened[-1]
        if inner.is_array:
            inner.item += 1
        elif inner is not self._top:
            self._value = None


def _numbered(path: _Path, number: int) -> _Path:
    return (*path[:-1], f"{path[-1]} item {number}") if path else path


def _name(text: str) -> str:
    """Return the name that a key is, as it is or in quotes."""
    if text.startswith("'"):
        return text[1:-1]
    return _ESCAPE.sub(_escaped, text[1:-1]) if text.startswith('"') else text


def _escaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _ESCAPED.get(match[3], match[3])
