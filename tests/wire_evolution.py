"""Compares the schema of a protocol that was promised with a later one: what a client relies on must still be so."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def broken_promises(old: Schema, new: Schema) -> list[str]:
    """Return what a client of `old` would stumble over in a daemon of `new`."""
    return list(dict.fromkeys(_Comparison(old, new).all()))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[str, str]] = set()

    def all(self) -> Iterator[str]:
        if not self._new["protocol"]["lowest"] <= self._old["protocol"]["highest"] <= self._new["protocol"]["highest"]:
            yield "the protocol is not spoken any more"
        for name, method in self._old["methods"].items():
            if name not in self._new["methods"]:
                yield f"the method {name} is gone"
                continue
            yield from self._params(name, method["params"], self._new["methods"][name]["params"])
            yield from self._said(f"the result of {name}", method["result"], self._new["methods"][name]["result"])
        yield from self._said("an event", self._old["events"]["event"], self._new["events"]["event"])
        yield from self._said("an error", self._old["error"], self._new["error"])

    def _params(self, method: str, old: Schema, new: Schema) -> Iterator[str]:
        """What a client sends must still be understood."""
        before, now = _resolved(old, self._old), _resolved(new, self._new)
        for name in set(now.get("required", ())) - set(before.get("required", ())):
            yield f"{method} needs {name} now"
        for name, schema in before["properties"].items():
            if name not in now["properties"]:
                yield f"{method} does not know {name} any more"
            else:
                yield from self._said(f"{name} of {method}", schema, now["properties"][name])

    def _said(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        """What a daemon says must still have all that was there."""
        names = (old.get("$ref", ""), new.get("$ref", ""))
        if names[0] and names in self._seen:
            return
        self._seen.add(names)
        before, now = _resolved(old, self._old), _resolved(new, self._new)
        for word in ("type", "const", "enum", "contentEncoding"):
            gone = set(before.get("enum", ())) - set(now.get("enum", ())) if word == "enum" else ()
            if gone or (word != "enum" and before.get(word) != now.get(word)):
                yield f"{where}: {word} was {before.get(word)}, and is {now.get(word)}"
        for name in set(before.get("required", ())) - set(now.get("required", ())):
            yield f"{where} need not have {name} any more"
        for name, schema in before.get("properties", {}).items():
            if name not in now.get("properties", {}):
                yield f"{where} has no {name} any more"
            else:
                yield from self._said(f"{name} in {where}", schema, now["properties"][name])
        if isinstance(before.get("items"), dict) and isinstance(now.get("items"), dict):
            yield from self._said(f"an item of {where}", before["items"], now["items"])
        yield from self._members(where, before.get("anyOf", []), now.get("anyOf", []))

    def _members(self, where: str, old: list[Schema], new: list[Schema]) -> Iterator[str]:
        for member in old:
            found = [each for each in new if _kind(member) == _kind(each)]
            if not found:
                yield f"{where} is never {_kind(member)} any more"
            for each in found[:1]:
                yield from self._said(f"{_kind(member)} of {where}", member, each)


def _kind(member: Schema) -> str:
    """Return what tells the members of a union apart."""
    if "$ref" in member:
        return str(member["$ref"])
    return "a known member" if "enum" in member else str(member.get("type"))


def _resolved(schema: Schema, whole: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    return whole["$defs"][name] if name else schema
