"""Reads what a newer daemon says: members of unions that this release does not know become `Unknown`. Pure."""

from typing import Any, Final, cast

from flashdeck.job_state import STATUSES, Unknown, name_of
from flashdeck.slot_condition import CONDITIONS, SlotUnknown, condition_name

_KNOWN: Final = {
    "status": (frozenset(map(name_of, STATUSES)), name_of(Unknown)),
    "condition": (frozenset(map(condition_name, CONDITIONS)), condition_name(SlotUnknown)),
}
"""By the field that has it: the names of the members of a union that may grow, and the one that stands in."""


def readable(value: Any) -> Any:
    """Return decoded JSON with every member of a union that this release does not know replaced by one that it does.

    Its text is taken from the field `text` beside it. Enums need nothing: each has a member that stands in.
    """
    if isinstance(value, list):
        return [readable(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        thing = cast("dict[str, Any]", value)
        return {
            key: _member(key, item, thing.get("text")) if key in _KNOWN else readable(item)
            for key, item in thing.items()
        }
    return value


def _member(field: str, value: Any, text: Any) -> Any:
    known, stands_in = _KNOWN[field]
    name = cast("dict[str, Any]", value).get("state") if isinstance(value, dict) else None
    if not isinstance(name, str) or name in known:
        return readable(value)
    return {"state": stands_in, "name": name, "text": text if isinstance(text, str) else ""}
