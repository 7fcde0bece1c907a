"""The model of a TOML table: keys, how their values are written, and mistakes with their places. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from inspect import get_annotations
from pathlib import Path
from typing import Any, ClassVar, cast

from msgspec import NODEFAULT, Meta, inspect

from flashdeck.errors import ConfigError
from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.line_numbers import LineNumbers


class WrongValueError(Exception):
    """A value that a key cannot have: the problem as a sentence without its place, and what to write instead."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


def _same(value: object) -> object:
    return value


@dataclass(frozen=True, slots=True)
class Spelling:
    """The spelling of one kind of values in TOML."""

    read: Callable[[object, Path], object]
    """Makes the value of what TOML has and the directory of the file. Raises WrongValueError or ValueError."""
    schema: Mapping[str, object]
    """Its JSON Schema."""
    write: Callable[[Any], object] = _same
    """From the value to what JSON and `tomli_w` can carry."""
    literal: Callable[[Any], str] | None = None
    """The text to write in TOML, where it is not the usual one for what `write` returns."""


def spelled(spelling: Spelling) -> Meta:
    """Return the annotation of a type whose values are written this way."""
    return Meta(extra={"spelling": spelling})


def key(description: str, *, name: str = "") -> Meta:
    """Return the annotation of a field that is a key of a table; `name` is for a key that no field can be called."""
    return Meta(description=description, extra={"key": name} if name else {})


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a table, and the keys that were found there."""

    file: Path = Path()
    path: tuple[str, ...] = ()
    """The names in its header; empty for the top of the file."""
    given: frozenset[str] = frozenset()
    """The keys that have a value there."""
    wrong: frozenset[str] = frozenset()
    """The keys whose value could not be taken, or is missing: the table has a stand-in, and of that nothing is told."""
    lines: LineNumbers = field(default=LineNumbers(), compare=False, repr=False)
    """The lines of its file."""

    def __truediv__(self, name: str) -> "Place":
        return replace(self, path=(*self.path, name), given=frozenset(), wrong=frozenset())

    def mentions(self, *keys: str) -> bool:
        """Return whether one of `keys` is there, right or wrong."""
        return not (self.given | self.wrong).isdisjoint(keys)

    @property
    def table(self) -> str:
        """The names in its header, with dots."""
        return ".".join(clean(part, 60) for part in self.path)

    def where(self, key: str = "") -> str:
        """Return the file and the line of a key of this table, or of the table itself, as compilers write it."""
        line = self.lines.of(*self.path, *([key] if key else []))
        return clean(str(self.file), MAX_PATH) + (f":{line}" if line else "")

    def mistake(self, key: str, problem: str, hint: str = "") -> "Mistake":
        """Return a mistake in one key of this table ("" for the table itself)."""
        return Mistake(self, key, problem, hint)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake at one place."""

    place: Place
    key: str
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        table = f"[{self.place.table}]" if self.place.path else ""
        name = " ".join(part for part in (table, clean(self.key, 60)) if part)
        return ": ".join(part for part in (self.place.where(self.key), name, self.problem) if part)


class Mistakes(list[Mistake]):
    """All that is wrong with a file and those that belong to it."""

    def refuse(self) -> None:
        """Raise one ConfigError that names all mistakes, each on a line of its own; return where there are none."""
        if self:
            raise ConfigError.of([ConfigError(str(mistake), hint=mistake.hint) for mistake in self])


@dataclass(frozen=True, kw_only=True)
class Table:
    """The keys of one table, and where it stands.

    A key that is wrong has its default, else None, until all mistakes are told.
    """

    place: Place = field(default=Place(), compare=False, repr=False)
    later: ClassVar[frozenset[str]] = frozenset()
    """Keys that are refused as not supported yet."""
    hints: ClassVar[Mapping[str, str]] = {}
    """The hint for each required key, if it is missing."""

    def meaningless(self) -> Iterator[Mistake]:
        """Yield, for each key that means nothing beside the others, why; it is a mistake where the key was given."""
        return iter(())

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong with keys that are right by themselves."""
        return iter(())


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a kind of tables."""

    name: str
    attribute: str
    """The field that holds its value."""
    type: inspect.Type
    description: str
    required: bool
    default: object


@cache
def keys_of(kind: type[Table]) -> tuple[Key, ...]:
    """Return the keys of a kind of tables: those of the class itself before those that it shares with others."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.DataclassType)  # noqa: S101 - every Table is one
    fields = {each.name: each for each in info.fields if each.name != "place"}
    own = [name for each in kind.__mro__ for name in get_annotations(each) if name in fields]
    return tuple(_key(fields[name]) for name in dict.fromkeys(own))


def _key(found: inspect.Field) -> Key:
    extra, schema = metadata(found.type)
    default = found.default if found.default_factory is NODEFAULT else found.default_factory()
    return Key(
        name=str(extra.get("key", found.name)),
        attribute=found.name,
        type=found.type,
        description=str(schema.get("description", "")),
        required=found.required,
        default=None if found.required else default,
    )


def metadata(node: inspect.Type) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what annotations say of a type: what is ours, and what is JSON Schema's."""
    said = cast("Any", node)  # msgspec does not say of what its dictionaries are
    return (said.extra or {}, said.extra_json_schema or {}) if isinstance(node, inspect.Metadata) else ({}, {})


def unwrapped(node: inspect.Type) -> tuple[inspect.Type, Spelling | None]:
    """Return the type itself, without annotations and without None, which TOML does not have; and its spelling."""
    spelling: Spelling | None = None
    while True:
        spelling = spelling or metadata(node)[0].get("spelling")
        if isinstance(node, inspect.Metadata):
            node = node.type
        elif isinstance(node, inspect.UnionType) and node.includes_none:
            rest = tuple(each for each in node.types if not isinstance(each, inspect.NoneType))
            node = rest[0] if len(rest) == 1 else inspect.UnionType(rest)
        else:
            return node, spelling
