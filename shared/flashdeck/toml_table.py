"""One table of a TOML file, read strictly: every mistake becomes a ConfigError that names file, table and key.

The words are TOML's and the reader's, not Python's.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar, cast

from flashdeck.errors import ConfigError
from flashdeck.names import did_you_mean
from flashdeck.text import clean, parse_duration, parse_size

E = TypeVar("E", bound=StrEnum)
MAX_PATH = 4096
"""Characters of a path in a message or a value."""
MAX_NUMBER = (1 << 64) - 1
"""The largest number that is taken as one; TOML promises less."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """A table, with where it stands."""

    file: Path
    name: str
    """Dotted, as in its header; "" for the top of the file."""
    values: Mapping[str, object]

    def error(self, key: str, problem: str, *, hint: str = "") -> ConfigError:
        """What to raise about one key of this table ("" for the table itself)."""
        return ConfigError(f"{self._place(key)}: {problem}", hint=hint)

    def unsupported(self, key: str, *, hint: str = "leave it out") -> ConfigError:
        """What to raise about a key or value that is planned and does not work yet."""
        value = self.values[key]
        if isinstance(value, dict) and not self.name:
            what = f"{self._place('')}: [{clean(key, 60)}]"
        else:
            what = f"{self._place(key)} = {_shown(cast('object', value))}"
        return ConfigError(f"{what} is not supported by this version", hint=hint)

    def check_keys(self, known: Collection[str], later: Collection[str] = ()) -> None:
        """Refuses every key that is not `known`: the ones that come `later` by name, all others with the nearest."""
        for key in self.values:
            if key in known:
                continue
            if key in later:
                raise self.unsupported(key)
            raise self.error(key, "unknown key", hint=nearest(key, known))

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def text(self, key: str, *, limit: int = 200) -> str:
        """Printable text of 1 to `limit` characters."""
        value = self._required(key)
        if not isinstance(value, str):
            raise self._wrong_type(key, "text in quotes")
        return self._printable(key, value, limit)

    def texts(self, key: str) -> tuple[str, ...]:
        """An array of printable, non-empty texts; empty where the key is missing."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise self._wrong_type(key, 'an array of texts, as ["…", "…"]')
        items = cast("list[object]", value)
        if not all(isinstance(item, str) for item in items):
            raise self._wrong_type(key, 'an array of texts, as ["…", "…"]')
        return tuple(self._printable(key, str(item), MAX_PATH) for item in items)

    def items(self, key: str, wanted: str) -> tuple["str | Table", ...]:
        """Return the texts and tables of an array; `wanted` is how to write it."""
        value = self.values[key]
        if not isinstance(value, list):
            raise self._wrong_type(key, wanted)
        found: list[str | Table] = []
        for item in cast("list[object]", value):
            if isinstance(item, str):
                found.append(self._printable(key, item, MAX_PATH))
            elif isinstance(item, dict):
                found.append(Table(self.file, f"{self.name}.{clean(key, 60)}", cast("dict[str, object]", item)))
            else:
                raise self._wrong_type(key, wanted)
        return tuple(found)

    def flag(self, key: str, *, default: bool) -> bool:
        """`true` or `false`."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong_type(key, "true or false, without quotes")
        return value

    def number(self, key: str) -> int:
        """A whole number that is not negative, decimal or hexadecimal."""
        value = self._required(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong_type(key, "a whole number without quotes, as 0x08020000")
        return self._bounded(key, value)

    def size(self, key: str) -> int:
        """Bytes: a whole number, or text as "384K" and "1M"."""
        value = self._required(key)
        if isinstance(value, str):
            try:
                return parse_size(value)
            except ValueError as error:
                raise self.error(key, str(error)) from error
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong_type(key, 'a size, as 0x60000 or "384K"')
        return self._bounded(key, value)

    def duration(self, key: str, *, default: float, shortest: float, longest: float) -> float:
        """Seconds, from text as "50ms" or "1.5s"."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._wrong_type(key, 'a duration in quotes with its unit, as "50ms"')
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            raise self.error(key, str(error)) from error
        if not shortest <= seconds <= longest:
            raise self.error(key, f"{_shown(value)} is not between {shortest:g} s and {longest:g} s")
        return seconds

    def choice(self, key: str, default: E, *, later: Collection[str] = ()) -> E:
        """One of the values of `default`'s enumeration; those in `later` are refused by name."""
        value = self.values.get(key)
        if value is None:
            return default
        if value in later:
            raise self.unsupported(key, hint=one_of(type(default)))
        return self.member(key, value, type(default))

    def member(self, key: str, value: object, kind: type[E]) -> E:
        """`value`, which was found under `key`, as a member of `kind`."""
        for member in kind:
            if value == member.value:
                return member
        raise self.error(key, f"{_shown(value)} is not a value it may have", hint=one_of(kind))

    def table(self, key: str) -> "Table":
        """The table under `key`; an empty one where it is missing."""
        value = self.values.get(key, {})
        name = f"{self.name}.{clean(key, 60)}" if self.name else clean(key, 60)
        if not isinstance(value, dict):
            raise self._wrong_type(key, f"a table, as [{name}]")
        return Table(self.file, name, cast("dict[str, object]", value))

    def tables(self, key: str) -> Iterator[tuple[str, "Table"]]:
        """The named tables under `key`, in the order of the file."""
        parent = self.table(key)
        for name in parent.values:
            yield name, parent.table(name)

    def _place(self, key: str) -> str:
        where = " ".join(part for part in (f"[{self.name}]" if self.name else "", clean(key, 60)) if part)
        return f"{clean(str(self.file), MAX_PATH)}: {where}" if where else clean(str(self.file), MAX_PATH)

    def _required(self, key: str) -> object:
        if key not in self.values:
            raise self.error(key, "is missing")
        return self.values[key]

    def _bounded(self, key: str, value: int) -> int:
        if value > MAX_NUMBER:
            raise self.error(key, f"{_shown(value)} has more than 64 bits")
        return value

    def _wrong_type(self, key: str, wanted: str) -> ConfigError:
        return self.error(key, f"{_shown(self.values[key])} is {_kind(self.values[key])}", hint=f"write {wanted}")

    def _printable(self, key: str, value: str, limit: int) -> str:
        if not value:
            raise self.error(key, "is empty", hint="leave it out, or give it a value")
        if len(value) > limit:
            raise self.error(key, f"has {len(value)} characters", hint=f"use at most {limit}")
        if clean(value, limit) != value:
            raise self.error(key, f"{_shown(value)} has characters that cannot be printed")
        return value


NAME_RULE = "use up to 32 letters, digits, dots, dashes and underscores, a letter or digit first"


def is_name(text: str) -> bool:
    """Whether a profile, a partition or a board may have this name; all three can be typed and shown everywhere."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str, table: Table) -> None:
    """Raises ConfigError where what `table` describes may not have this name."""
    if not is_name(name):
        raise table.error("", f'"{clean(name, 40)}" can not be a name', hint=NAME_RULE)


def nearest(word: str, known: Collection[str]) -> str:
    """A hint that names what `word` may have meant."""
    listed = f"known here: {', '.join(sorted(known))}" if known else "nothing is known here"
    return did_you_mean(word, known) or listed


def one_of(kind: type[StrEnum]) -> str:
    """A hint that lists the values of an enumeration."""
    return "use " + " or ".join(f'"{member.value}"' for member in kind)


def _shown(value: object) -> str:
    """A value as it might stand in the file, short and printable."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{clean(value, 60)}"'
        case int() if abs(value) > MAX_NUMBER:
            return clean(hex(value), 60)  # Python writes thousands of digits in hexadecimal only
        case dict():
            keys = ", ".join(f"{clean(key, 20)} = …" for key in list(cast("dict[str, object]", value))[:4])
            return f"{{ {keys} }}"
        case list():
            items = cast("list[object]", value)
            return f"[{', '.join(_shown(item) for item in items[:4])}{', …' if len(items) > 4 else ''}]"  # noqa: PLR2004 - enough to recognise it
        case _:
            return clean(str(value), 60)


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a truth value"),  # before int, of which it is one
    (int, "a number"),
    (float, "a number with a fraction"),
    (str, "text"),
    (list, "an array"),
    (dict, "a table"),
)


def _kind(value: object) -> str:
    if isinstance(value, int | float) and value < 0:
        return "a negative number"
    return next((words for kind, words in _KINDS if isinstance(value, kind)), "a date or time")
