"""Judges values by a JSON Schema: as much of draft 7 as the checked-in schemas use, and nothing passes for the rest."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": int | float}
_NOTES = {"$schema", "title", "description", "default", "definitions"}


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges by one schema."""

    schema: dict[str, Any]

    def faults(self, value: object) -> list[str]:
        """Return where `value` is not as the schema says."""
        return list(self._faults(value, self.schema, "$"))

    def _faults(self, value: object, schema: dict[str, Any], at: str) -> Iterator[str]:
        for word in schema.keys() - _NOTES:
            yield from self._by_word(word, value, schema, at)

    def _by_word(  # noqa: C901, PLR0912 -- a case a word
        self, word: str, value: object, schema: dict[str, Any], at: str
    ) -> Iterator[str]:
        wanted = schema[word]
        match word, value:
            case "$ref", _:
                yield from self._faults(value, self.schema["definitions"][wanted.rpartition("/")[2]], at)
            case "allOf", _:
                for each in wanted:
                    yield from self._faults(value, each, at)
            case "anyOf", _:
                if all(list(self._faults(value, each, at)) for each in wanted):
                    yield f"{at}: none of the alternatives"
            case "type", _:
                is_truth = isinstance(value, bool) and wanted != "boolean"
                if is_truth or not isinstance(value, _TYPES[wanted]):
                    yield f"{at}: no {wanted}"
            case "enum", _:
                if value not in wanted:
                    yield f"{at}: not one of {wanted}"
            case "pattern", str():
                if not re.search(wanted, value):
                    yield f"{at}: not like {wanted}"
            case (("minLength" | "maxLength"), str()):
                if (len(value) < wanted) is (word == "minLength") and len(value) != wanted:
                    yield f"{at}: {len(value)} characters"
            case (("minimum" | "maximum"), int() | float()):
                if value != wanted and (value < wanted) is (word == "minimum"):
                    yield f"{at}: {value}"
            case "maxItems", list():
                if len(cast("list[object]", value)) > wanted:
                    yield f"{at}: too many"
            case "items", list():
                for number, each in enumerate(cast("list[object]", value)):
                    yield from self._faults(each, wanted, f"{at}[{number}]")
            case "required", dict():
                yield from (f"{at}: no {name}" for name in wanted if name not in value)
            case "properties", dict():
                for name, each in cast("dict[str, object]", value).items():
                    yield from self._faults(each, wanted.get(name, {}), f"{at}.{name}")
            case "propertyNames", dict():
                for name in cast("dict[str, object]", value):
                    yield from self._faults(name, wanted, f"{at} {name}")
            case "additionalProperties", dict():
                for name, each in cast("dict[str, object]", value).items():
                    if name in schema.get("properties", {}):
                        continue
                    if wanted is False:
                        yield f"{at}: {name} is unknown"
                    else:
                        yield from self._faults(each, wanted, f"{at}.{name}")
            case (("pattern" | "minLength" | "maxLength" | "minimum" | "maximum" | "maxItems" | "items"), _):
                pass  # says nothing of values of another type
            case (("required" | "properties" | "propertyNames" | "additionalProperties"), _):
                pass
            case _:
                raise NotImplementedError(word)
