"""JSON for scripts: every field is there, also those that hold their default, because scripts like it regular."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec


def plain(value: object) -> object:
    """Return `value`, with structures in it, in what JSON knows: named as on the wire."""
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        tag_field, tag = value.__struct_config__.tag_field, value.__struct_config__.tag
        tagged: dict[str, object] = {} if tag_field is None else {tag_field: tag}
        return tagged | {encoded: plain(getattr(value, name)) for encoded, name in names}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in cast("Sequence[object]", value)]
    return value


def full_json(value: object) -> str:
    """Return one JSON object on one line, as pure ASCII."""
    return json.dumps(plain(value))
