"""From a TOML file to the tables of its model, strictly: every mistake is named with file, table and key."""

import stat
import tomllib
from collections.abc import Mapping, Sized
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from msgspec import inspect

from flashdeck.errors import ConfigError
from flashdeck.text import MAX_PATH, clean, format_size
from flashdeck.toml.line_numbers import LineNumbers
from flashdeck.toml.spellings import MAX_TEXT, read_number, read_text, wrong_type
from flashdeck.toml.tables import Mistakes, Place, Table, WrongValueError, keys_of, unwrapped
from flashdeck.toml.values import MAX_NUMBER, nearest, nearest_of, one_of, shown

MAX_FILE_SIZE = 1024 * 1024
MAX_TABLES = 1024
"""Tables of one kind, and items of an array, in one file."""
_ARRAYS = {
    (True, False): 'an array of texts, as ["…", "…"]',
    (False, True): "an array of tables, as [{ … }, { … }]",
    (True, True): 'an array, as ["…", { … }]',
    (False, False): "an array of numbers, as [1, 2]",
}
"""Spelling of arrays of texts and of tables, for messages."""
NOT_YET = "is not supported by this version"

T = TypeVar("T", bound=Table)


def read_values(path: Path, *, hint: str = "") -> tuple[dict[str, object], Place]:
    """Return what TOML makes of a file, and the place that its top is.

    Raises ConfigError that names it; `hint` is for one that is not TOML.
    """

    def refused(problem: str, hint: str = hint) -> ConfigError:
        return _refused(path, problem, hint)

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise refused("is not a file", "move it away, or name another file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError as error:
        raise refused("there is no such file", "check the path, or write the file") from error
    except OSError as error:
        raise refused(f"cannot be read: {error.strerror}", "") from error
    return parse_values(data, path, hint=hint)


def parse_values(data: bytes, path: Path, *, hint: str = "") -> tuple[dict[str, object], Place]:
    """Return what TOML makes of the bytes of a file, as `read_values` does."""
    if len(data) > MAX_FILE_SIZE:
        problem = f"is larger than {format_size(MAX_FILE_SIZE)}"
        raise _refused(path, problem, hint or "is this a configuration file?")
    try:
        text = data.decode()
        return tomllib.loads(text), Place(path, lines=LineNumbers(text))
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start})"
        raise _refused(path, problem, hint or "is this a configuration file?") from error
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, arrays in arrays in arrays
        raise _refused(path, f"is not valid TOML: {clean(str(error))}", hint) from error


def _refused(path: Path, problem: str, hint: str) -> ConfigError:
    return ConfigError(f"{clean(str(path), MAX_PATH)}: {problem}", hint=hint)


def read_table(kind: type[T], values: Mapping[str, object], place: Place, mistakes: Mistakes) -> T:
    """Return the table that `values` are, and put all that is wrong with it into `mistakes`."""
    keys = {key.name: key for key in keys_of(kind)}
    later = kind.later
    unknown = [name for name in values if name not in keys]
    meant: set[str] = set()  # keys that are there under a wrong name, and so not missing
    for name in unknown:
        if name in later:
            mistakes.append(place.mistake(name, NOT_YET, "leave it out"))
        else:
            meant.add(nearest_of(name, keys))
            mistakes.append(place.mistake(name, "unknown key", nearest(name, keys)))
    found: dict[str, Any] = {}
    wrong: set[str] = set()
    for key in keys.values():
        found[key.attribute] = key.default
        if key.name in values:
            try:
                found[key.attribute] = _read(key.type, values[key.name], place, key.name, mistakes)
                if _lost_a_table(values[key.name], found[key.attribute]):
                    wrong.add(key.name)
            except WrongValueError as error:
                wrong.add(key.name)
                mistakes.append(place.mistake(key.name, str(error), error.hint))
        elif key.required:
            wrong.add(key.name)
            if key.name not in meant:
                mistakes.append(place.mistake(key.name, "is missing", kind.hints.get(key.name, "")))
    table = kind(
        **found, place=replace(place, given=(values.keys() & keys.keys()) - wrong, wrong=frozenset(wrong | meant))
    )
    mistakes += [each for each in table.meaningless() if each.key in table.place.given]
    mistakes += table.mistakes()
    return table


def _lost_a_table(value: object, found: object) -> bool:
    """Return whether one of the named tables of `value` was none, and so is not in what was `found`."""
    both = (value, found)
    return all(isinstance(each, dict) for each in both) and len(cast("Sized", found)) < len(cast("Sized", value))


def _read(annotated: inspect.Type, value: object, place: Place, name: str, mistakes: Mistakes) -> object:
    """Return `value` as the model has it. Raises WrongValueError; what is wrong inside it goes into `mistakes`."""
    node, spelling = unwrapped(annotated)
    if spelling is not None:
        try:
            return spelling.read(value, place.file.parent)
        except ValueError as error:
            raise WrongValueError(str(error)) from error
    match node:
        case inspect.DataclassType():
            return read_table(cast("type[Table]", node.cls), _of_tables(value, place / name), place / name, mistakes)
        case inspect.DictType():
            return _tables(node, value, place / name, mistakes)
        case inspect.VarTupleType() | inspect.FrozenSetType():
            items = _items(node, value, place, name, mistakes)
            return tuple(items) if isinstance(node, inspect.VarTupleType) else frozenset(items)
        case inspect.UnionType():
            return _either(node, value, place, name, mistakes)
        case _:
            return _leaf(node, value)


def _either(node: inspect.UnionType, value: object, place: Place, name: str, mistakes: Mistakes) -> object:
    """Return what may be a table or something else, of which there is one kind each."""
    other, table = sorted(node.types, key=lambda each: isinstance(unwrapped(each)[0], inspect.DataclassType))
    if isinstance(value, dict):
        return _read(table, cast("object", value), place, name, mistakes)
    try:
        return _read(other, value, place, name, mistakes)
    except WrongValueError as error:
        kind = cast("type[Table]", cast("inspect.DataclassType", unwrapped(table)[0]).cls)
        form = ", ".join(f"{key.name} = …" for key in keys_of(kind) if key.required)
        raise WrongValueError(str(error), f"{error.hint} or {{ {form} }}") from error


def _leaf(node: inspect.Type, value: object) -> object:
    match node:
        case inspect.BoolType():
            if not isinstance(value, bool):
                raise wrong_type(value, "true or false, without quotes")
            return value
        case inspect.IntType():
            return read_number(value, node.ge or 0, MAX_NUMBER if node.le is None else node.le)
        case inspect.FloatType():
            return _fraction(node, value)
        case inspect.StrType():
            return read_text(value, node.max_length or MAX_TEXT)
        case inspect.EnumType():
            choices = _choices(node)
            if not isinstance(value, str) or value not in choices:
                raise WrongValueError(f"{shown(value)} is not a value it may have", one_of(choices))
            return choices[value]
        case _:
            raise TypeError(f"a key of a TOML file cannot be {node}")


def _fraction(node: inspect.FloatType, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong_type(value, "a number without quotes, as 1.5")
    if not (node.ge is None or node.ge <= value) or not (node.le is None or value <= node.le):
        raise WrongValueError(f"{shown(value)} is not between {node.ge} and {node.le}")
    return float(value)


def _choices(node: inspect.Type) -> dict[str, object]:
    return {str(member.value): member for member in node.cls} if isinstance(node, inspect.EnumType) else {}


def _of_tables(value: object, place: Place) -> dict[str, object]:
    if not isinstance(value, dict):
        raise wrong_type(value, f"a table, as [{place.table}]")
    return cast("dict[str, object]", value)


def _tables(node: inspect.DictType, value: object, place: Place, mistakes: Mistakes) -> dict[object, object]:
    """Return the named tables of one kind."""
    found: dict[object, object] = {}
    tables = _of_tables(value, place)
    if len(tables) > MAX_TABLES:
        raise WrongValueError(f"has {len(tables)} tables", f"use at most {MAX_TABLES}")
    for name, table in tables.items():
        try:
            known = _read(node.key_type, name, place, name, mistakes)
        except WrongValueError as error:
            known = name
            is_table = isinstance(unwrapped(node.value_type)[0], inspect.DataclassType)
            wrong = (place / name).mistake if is_table else place.mistake
            mistakes.append(wrong("" if is_table else name, str(error), error.hint))
        try:
            found[known] = _read(node.value_type, table, place, name, mistakes)
        except WrongValueError as error:
            mistakes.append(place.mistake(name, str(error), error.hint))
    return found


def _items(
    node: inspect.VarTupleType | inspect.FrozenSetType, value: object, place: Place, name: str, mistakes: Mistakes
) -> list[object]:
    item = unwrapped(node.item_type)[0]
    members = item.types if isinstance(item, inspect.UnionType) else (item,)
    is_text = any(isinstance(unwrapped(each)[0], inspect.StrType | inspect.EnumType) for each in members)
    is_table = any(isinstance(unwrapped(each)[0], inspect.DataclassType) for each in members)
    wanted = _ARRAYS[is_text, is_table]
    if not isinstance(value, list):
        raise wrong_type(value, wanted)
    values = cast("list[object]", value)
    most = node.max_length or MAX_TABLES
    if len(values) > most:
        raise WrongValueError(f"has {len(values)} {name}", f"use at most {most}")
    if (is_text or is_table) and not all(_fits(each, is_text=is_text, is_table=is_table) for each in values):
        raise wrong_type(values, wanted)
    return _gathered(node.item_type, values, place, name, mistakes)


def _fits(value: object, *, is_text: bool, is_table: bool) -> bool:
    return (is_text and isinstance(value, str)) or (is_table and isinstance(value, dict))


def _gathered(node: inspect.Type, values: list[object], place: Place, name: str, mistakes: Mistakes) -> list[object]:
    found: list[object] = []
    wrong: list[WrongValueError] = []
    for number, each in enumerate(values, start=1):
        item = f"{name} item {number}" if len(values) > 1 and _fits(each, is_text=False, is_table=True) else name
        try:
            found.append(_read(node, each, place, item, mistakes))
        except WrongValueError as error:
            wrong.append(error)
    mistakes += [place.mistake(name, str(error), error.hint) for error in wrong[1:]]
    if wrong:
        raise wrong[0]
    return found


def read_key(kind: type[Table], name: str, value: object, file: Path) -> object:
    """Return what one key of a kind of tables makes of a value that `writer.plain_value` gave for it.

    Relative paths in it are relative to `file`. Raises WrongValueError.
    """
    key = next(key for key in keys_of(kind) if key.name == name)
    mistakes = Mistakes()
    found = _read(key.type, value, Place(file), name, mistakes)
    if mistakes:
        raise WrongValueError(str(mistakes[0]), mistakes[0].hint)
    return found
