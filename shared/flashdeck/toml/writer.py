"""From the tables of a model to TOML, and to plain values for JSON. What a table says is what `reader` reads back."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, cast

from flashdeck.toml.tables import Key, Spelling, Table, keys_of, unwrapped
from flashdeck.toml.values import header, quoted


def to_plain(table: Table) -> dict[str, object]:
    """Return a table as JSON and `tomli_w` can carry it: without keys that have no value or mean nothing there."""
    return {key.name: plain_value(key, value) for key, value in _values(table)}


def to_lines(table: Table, *path: str, brief: bool = False) -> Iterator[str]:
    """Yield the lines of a table, its header first, and of the tables in it; if `brief`, without defaults."""
    values = [(key, value) for key, value in _values(table) if not brief or key.required or value != key.default]
    tables: dict[str, Table | Mapping[str, object]] = {
        key.name: cast("Table | Mapping[str, object]", value)
        for key, value in values
        if isinstance(value, dict | Table)
    }
    if path and (len(tables) < len(values) or not values):
        yield from ("", header(*path))
    for key, value in values:
        if key.name not in tables:
            yield f"{key.name} = {_literal(unwrapped(key.type)[1], plain_value(key, value))}"
    for name, value in tables.items():
        if isinstance(value, Table):
            yield from to_lines(value, *path, name, brief=brief)
        else:
            yield from _named_lines(value, *path, name, brief=brief)


def _named_lines(values: Mapping[str, object], *path: str, brief: bool) -> Iterator[str]:
    """Yield the lines of what has names of a person's own: tables, or plain values in one table."""
    plain = {name: each for name, each in values.items() if not isinstance(each, Table)}
    if plain:
        yield from ("", header(*path), *(f"{name} = {_literal(None, each)}" for name, each in plain.items()))
    for name, each in values.items():
        if isinstance(each, Table):
            yield from to_lines(each, *path, name, brief=brief)


def _values(table: Table) -> Iterator[tuple[Key, Any]]:
    meaningless = {mistake.key for mistake in table.meaningless()}
    for key in keys_of(type(table)):
        value = getattr(table, key.attribute)
        if key.name not in meaningless and (value not in (None, "", {}, ()) or key.required):
            yield key, value


def plain_value(key: Key, value: object) -> object:
    """Return a value of `key` as JSON and `tomli_w` can carry it."""
    spelling = unwrapped(key.type)[1]
    return _builtin(value) if spelling is None else spelling.write(value)


def literal(plain: object) -> str:
    """Return a plain value as it stands in a file."""
    return _literal(None, plain)


def _builtin(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case Table():
            return to_plain(value)
        case dict():
            return {name: _builtin(each) for name, each in cast("Mapping[str, object]", value).items()}
        case frozenset():
            items = [_builtin(each) for each in cast("Iterable[object]", value)]
            return sorted(items, key=lambda item: (isinstance(item, dict), repr(item)))
        case tuple():
            return [_builtin(each) for each in cast("Iterable[object]", value)]
        case _:
            return value


def _literal(spelling: Spelling | None, value: object) -> str:
    if spelling is not None and spelling.literal is not None:
        return spelling.literal(value)
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case list():
            return f"[{', '.join(_literal(None, each) for each in cast('list[object]', value))}]"
        case dict():
            items = cast("dict[str, object]", value).items()
            return f"{{ {', '.join(f'{name} = {_literal(None, each)}' for name, each in items)} }}"
        case _:
            return str(value)
