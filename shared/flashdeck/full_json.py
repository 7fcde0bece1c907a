"""JSON for scripts: every field is there, also those that hold their default, because scripts like it regular."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec


def plain(value: object) -> object:
    """`value`, with structures in it, in what JSON knows."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in cast("Sequence[object]", value)]
    return value


def full_json(value: object) -> str:
    """One JSON object on one line, as pure ASCII."""
    return json.dumps(plain(value))
