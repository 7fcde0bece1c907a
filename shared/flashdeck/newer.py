"""Reads what a newer daemon says: members of unions that this release does not know become `Unknown`. Pure."""

from typing import Any, Final, cast

from flashdeck.job_state import STATUSES, Unknown, name_of

_KNOWN: Final = frozenset(map(name_of, STATUSES))


def readable(value: Any) -> Any:
    """Return decoded JSON with every job status that this release does not know replaced by one that it does.

    Its text is taken from the field `text` beside it. Enums need nothing: each has a member that stands in.
    """
    if isinstance(value, list):
        return [readable(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        thing = cast("dict[str, Any]", value)
        return {
            key: _status(item, thing.get("text")) if key == "status" else readable(item) for key, item in thing.items()
        }
    return value


def _status(value: Any, text: Any) -> Any:
    name = cast("dict[str, Any]", value).get("state") if isinstance(value, dict) else None
    if not isinstance(name, str) or name in _KNOWN:
        return readable(value)
    return {"state": name_of(Unknown), "name": name, "text": text if isinstance(text, str) else ""}
