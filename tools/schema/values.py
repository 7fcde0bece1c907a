"""JSON Schemas (draft 2020-12) of structures as msgspec writes them, with what their docstrings say of each field.

What may grow within one protocol is open in them: an enum takes any other string, a union any other state. Fields that
are not named may come.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

import msgspec
from msgspec import UNSET
from msgspec import inspect as types

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{name}"
_WRITTEN_ALWAYS = (bool, int)
"""Factories of defaults that a structure writes all the same, for it does not know them for its default."""

Schema = dict[str, Any]


def ref(kind: type[msgspec.Struct]) -> Schema:
    """Return a reference to the definition of a structure."""
    return {"$ref": _REF.format(name=kind.__name__)}


def definitions(
    kinds: Iterable[type[msgspec.Struct]], *, full: bool, without: type[msgspec.Struct] | None = None
) -> Mapping[str, Schema]:
    """Return the schemas of `kinds`, and of all that they are made of, by name.

    `full` is for JSON with every field. `without` is a member of unions that is never written.
    """
    kinds = tuple(dict.fromkeys(kinds))
    _, found = msgspec.json.schema_components(kinds, ref_template=_REF)
    structures = {each.__name__: each for each in _structures(kinds)}
    left_out = "" if without is None else without.__name__
    made = {
        name: _structure(schema, structures[name], full=full) if name in structures else _open_enum(schema)
        for name, schema in sorted(found.items())
        if name != left_out
    }
    return {name: _opened(schema, _REF.format(name=left_out)) for name, schema in made.items()}


def _structure(schema: Schema, kind: type[msgspec.Struct], *, full: bool) -> Schema:
    said = dict(_field_docs(kind))
    properties: Schema = {}
    for name, each in cast("dict[str, Schema]", schema["properties"]).items():
        tag = each.get("enum")
        shown = {"const": tag[0]} if tag is not None else each
        if full:
            shown = {word: value for word, value in shown.items() if word != "default"}
        properties[name] = ({"description": said[name]} if name in said else {}) | shown
    fields = msgspec.structs.fields(kind)
    optional = {each.encode_name for each in fields if each.default is UNSET}
    if not full:
        optional |= {
            each.encode_name for each in fields if not each.required and each.default_factory not in _WRITTEN_ALWAYS
        }
    required = [name for name in properties if name not in optional]
    return {
        "description": inspect.cleandoc(kind.__doc__ or ""),
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
    }


def _open_enum(schema: Schema) -> Schema:
    known = {"enum": schema["enum"]}
    return {"description": schema["description"], "anyOf": [known, {"type": "string"}]}


def _opened(value: Any, left_out: str) -> Any:
    """Return a schema whose unions of structures take members that this release does not know."""
    if isinstance(value, list):
        return [_opened(each, left_out) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    schema = {word: _opened(each, left_out) for word, each in cast("Schema", value).items()}
    discriminator = schema.pop("discriminator", None)
    if discriminator is not None:
        tag, known = discriminator["propertyName"], discriminator["mapping"]
        names = [name for name, where in known.items() if where != left_out]
        other = {"type": "object", "properties": {tag: {"type": "string", "not": {"enum": names}}}, "required": [tag]}
        schema["anyOf"] = [each for each in schema["anyOf"] if each.get("$ref") != left_out] + [other]
    return schema


def _structures(kinds: Iterable[type[msgspec.Struct]]) -> Iterator[type[msgspec.Struct]]:
    """Yield every structure that `kinds` are made of."""
    seen: set[type[msgspec.Struct]] = set()
    left = list(types.multi_type_info(kinds))
    while left:
        match left.pop():
            case types.StructType(cls=cls, fields=fields) if cls not in seen:
                seen.add(cls)
                yield cls
                left += [each.type for each in fields]
            case types.UnionType(types=members):
                left += members
            case types.VarTupleType(item_type=item) | types.ListType(item_type=item):
                left.append(item)
            case types.DictType(value_type=item):
                left.append(item)
            case _:
                pass


def _field_docs(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """Yield what is written below each field of a structure, and of those that it derives from."""
    names = {each.name: each.encode_name for each in msgspec.structs.fields(kind)}
    for base in reversed(kind.__mro__):
        if not issubclass(base, msgspec.Struct) or base.__module__.startswith("msgspec"):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        statements = cast("ast.ClassDef", body).body
        for field, text in pairwise(statements):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                    yield names[name], inspect.cleandoc(said)
                case _:
                    pass
