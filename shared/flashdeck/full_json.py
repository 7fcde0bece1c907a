"""JSON for scripts: every field is there, also those that hold their default, because scripts like it regular."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec


def plain(value: object) -> object:
    """Return `value`, with structures in it, in what JSON knows: with the names and tags of the wire."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        tag = {} if config.tag is None else {str(config.tag_field): config.tag}
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        fields = {written: getattr(value, name) for name, written in names}
        return tag | {name: plain(field) for name, field in fields.items() if field is not msgspec.UNSET}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in cast("Sequence[object]", value)]
    return value


def full_json(value: object) -> str:
    """Return one JSON object on one line, as pure ASCII."""
    return json.dumps(plain(value))
