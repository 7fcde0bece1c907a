"""JSON Schemas for editors, of the tables of TOML files. Draft 7, which is what editors of TOML know."""

from collections.abc import Mapping

from msgspec import inspect

from flashdeck.toml.spellings import MAX_TEXT
from flashdeck.toml.tables import Key, Table, keys_of, unwrapped
from flashdeck.toml.writer import plain_value

_DRAFT = "http://json-schema.org/draft-07/schema#"
_Schema = dict[str, object]


def schema_of(kind: type[Table]) -> _Schema:
    """Return the schema of a file whose top is such a table."""
    definitions: dict[str, _Schema] = {}
    top = _table(kind, definitions)
    return {"$schema": _DRAFT, "title": _first_line(kind), **top, "definitions": dict(sorted(definitions.items()))}


def _table(kind: type[Table], definitions: dict[str, _Schema]) -> _Schema:
    keys = keys_of(kind)
    required = [key.name for key in keys if key.required]
    return {
        "description": _first_line(kind),
        "type": "object",
        "properties": {key.name: _property(key, definitions) for key in keys},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _first_line(kind: type[Table]) -> str:
    return (kind.__doc__ or "").splitlines()[0]


def _property(key: Key, definitions: dict[str, _Schema]) -> _Schema:
    found: _Schema = {"description": key.description}
    value = _value(key.type, definitions)
    # In draft 7 nothing counts beside a $ref.
    found |= {"allOf": [value]} if "$ref" in value else value
    said = "Default: " in key.description  # it depends on other keys
    if not said and not isinstance(key.default, Table) and key.default not in (None, "", (), {}):
        found["default"] = plain_value(key, key.default)
    return found


def _value(annotated: inspect.Type, definitions: dict[str, _Schema]) -> _Schema:
    node, spelling = unwrapped(annotated)
    if spelling is not None:
        return dict(spelling.schema)
    match node:
        case inspect.DataclassType():
            name = node.cls.__name__
            if name not in definitions:
                definitions[name] = {}  # keeps its place while its own keys are looked at
                definitions[name] = _table(node.cls, definitions)
            return {"$ref": f"#/definitions/{name}"}
        case inspect.DictType():
            names, tables = (_value(each, definitions) for each in (node.key_type, node.value_type))
            return {"type": "object", "propertyNames": names, "additionalProperties": tables}
        case inspect.VarTupleType() | inspect.FrozenSetType():
            items = {"type": "array", "items": _value(node.item_type, definitions)}
            return _limited(items, maxItems=node.max_length)
        case inspect.UnionType():
            return {"anyOf": [_value(each, definitions) for each in node.types]}
        case _:
            return _leaf(node)


def _leaf(node: inspect.Type) -> _Schema:
    match node:
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            return _limited({"type": "integer"}, minimum=node.ge or 0, maximum=node.le)
        case inspect.FloatType():
            return _limited({"type": "number"}, minimum=node.ge, maximum=node.le)
        case inspect.StrType():
            return _limited({"type": "string", "minLength": 1}, maxLength=node.max_length or MAX_TEXT)
        case inspect.EnumType():
            return {"enum": [member.value for member in node.cls]}
        case _:
            raise TypeError(f"a key of a TOML file cannot be {node}")


def _limited(schema: Mapping[str, object], **limits: float | None) -> _Schema:
    return {**schema, **{name: limit for name, limit in limits.items() if limit is not None}}
