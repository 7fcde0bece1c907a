"""Judges values by the JSON Schemas in `config/schema`, with a validator that is not ours."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from jsonschema import Draft7Validator, Draft202012Validator

from schema.documents import DIRECTORY

Schema = dict[str, Any]


@cache
def document(name: str) -> Schema:
    """Return a schema of `config/schema`."""
    return json.loads((DIRECTORY / name).read_text())


def closed(schema: Any) -> Any:
    """Return a schema that takes nothing of a later release: no other field, state or member of an enum."""
    if isinstance(schema, list):
        return [closed(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    made = {word: closed(each) for word, each in cast("Schema", schema).items()}
    members = made.get("anyOf")
    if isinstance(members, list):
        made["anyOf"] = [
            each for each in cast("list[Any]", members) if not _is_open_end(cast("list[Any]", members), each)
        ]
    if made.get("type") == "object" and "properties" in made and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def faults(value: object, whole: Mapping[str, Any], part: Mapping[str, Any]) -> list[str]:
    """Return where `value` is not as `part` of the schema `whole` says."""
    validator = Draft202012Validator({"$defs": whole["$defs"], **part})
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


def faults_of_file(value: object, name: str) -> list[str]:
    """Return where a TOML file's `value` is not as the schema called `name` says; editors want draft 7."""
    return [f"{error.json_path}: {error.message[:300]}" for error in Draft7Validator(document(name)).iter_errors(value)]


def _is_open_end(members: list[Any], member: Any) -> bool:
    """Return whether a member of a union stands for what only a later release knows."""
    is_any_string = member == {"type": "string"} and any("enum" in each for each in members)
    state = member.get("properties", {}).get("state", {})
    return is_any_string or "not" in state
