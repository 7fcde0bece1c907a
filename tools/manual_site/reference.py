"""The keys of TOML files as tables of Markdown, from the JSON Schemas that are made of the models."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from flashdeck.geometry import ADDRESS_SPACE
from schema.documents import DOCUMENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"
_PLACE = "(?<=<!-- keys of {name}: written by `make docs` -->\n).*?(?=<!-- end of keys -->)"
_Schema = Mapping[str, Any]

REFERENCES = {"flashdeck.schema.json": "configuration.md", "bench.schema.json": "bench-file.md"}
"""The page that has the keys of a file, by its schema."""
_INNER = {
    "EnterCommand": "enter = { command = […] }",
    "CrcGuard": "guards = [{ crc = … }]",
    "RollbackAfter": "on_crash = { rollback_after = […] }",
    "SayingTable": "says = [{ text = … }]",
    "CrashTable": "crashes = [{ fault = … }]",
    "ContentTable": "contents = [{ address = … }]",
}
"""Tables that are written inside a line, as one sees them there."""
_TEXTS = [
    (r"(ms|s|min)", 'duration, as `"50ms"`'),
    (r"^\+?", 'distance, as `"+0x200"`'),
    ("[kKmM]", 'size, as `"384K"`'),
    (":[0-9a-fA-F]", 'USB id, as `"0483:df11"`'),
    ("-usb-", 'port, as `"1-4.2"`'),
    ("A-Za-z0-9_.-", "name"),
]
"""A piece of the pattern of each kind of text, and its name."""
_MANY = 10
"""Names that a row may list."""


def written(name: str) -> str:
    """Return the tables of all keys of a file, by the name of its schema."""
    schema = DOCUMENTS[name]()
    return "\n" + "\n".join(_tables(schema, cast("dict[str, _Schema]", schema["definitions"]))) + "\n"


def shown(name: str, page: str) -> str:
    """Return what a page has between its marks."""
    found = _place(name).search(page)
    return found[0] if found else ""


def renew() -> Iterator[Path]:
    """Write each reference into its page; yields the pages that changed."""
    for name, page in REFERENCES.items():
        path = DOCS / page
        text = path.read_text()
        renewed = _place(name).sub(lambda _, name=name: written(name), text)
        if renewed != text:
            path.write_text(renewed)
            yield path


def _place(name: str) -> re.Pattern[str]:
    return re.compile(_PLACE.format(name=re.escape(name)), re.DOTALL)


def _tables(top: _Schema, definitions: Mapping[str, _Schema]) -> Iterator[str]:
    """Yield the lines: a heading, a sentence and a row a key for each table, those inside it behind it."""
    waiting: list[tuple[str, _Schema]] = [("", top)]
    seen: set[str] = set()
    while waiting:
        header, table = waiting.pop(0)
        inner: list[tuple[str, _Schema]] = []
        rows: list[str] = []
        required = table.get("required", ())
        for key, value in cast("dict[str, _Schema]", table["properties"]).items():
            for name, path in _below(key, value, header):
                if name not in seen:
                    seen.add(name)
                    inner.append((path, definitions[name]))
            if not (header == "" and value.get("type") == "object") and "allOf" not in value:
                rows.append(_row(key, value, required=key in required))
        if header or rows:
            yield from _heading(header, table)
        if rows:
            yield from ("| key | value | default | |", "|---|---|---|---|", *rows, "")
        waiting = inner + waiting


def _heading(header: str, table: _Schema) -> Iterator[str]:
    if header:
        yield from (f"### `{header}`", "", str(table["description"]), "")
    else:
        yield from ("### At the top", "")


def _below(key: str, value: _Schema, header: str) -> Iterator[tuple[str, str]]:
    """Yield the tables that a key leads to: the name of the definition, and how one writes it."""
    path = f"{header[1:-1]}.{key}" if header.startswith("[") else key
    for name in re.findall(r"#/definitions/(\w+)", json.dumps(value)):
        if name in _INNER:
            yield name, _INNER[name]
        else:
            yield name, f"[{path}.NAME]" if "additionalProperties" in value else f"[{path}]"


def _row(key: str, value: _Schema, *, required: bool) -> str:
    kind = _kind(value)
    default = "(needed)" if required else _default(kind, value["default"]) if "default" in value else ""
    said = str(value["description"])
    if (found := re.search(r" ?Default: (.*?)\.?$", said)) is not None:
        default, said = found[1], said[: found.start()]
    cells = (f"`{key}`", kind, default, said.replace("*", "\\*"))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(kind: str, value: object) -> str:
    """Return a default as one would write it in a file."""
    if not isinstance(value, int) or isinstance(value, bool):
        return _code(value)
    if kind.startswith("size"):
        return _code(f"{value // 1024**2}M")
    return f"`0x{value:08x}`" if kind.startswith("address") else _code(value)


def _kind(value: _Schema) -> str:
    """Return the values that a key takes, in words."""
    if "enum" in value:
        names = value["enum"]
        return ", ".join(_code(each) for each in names) if len(names) <= _MANY else f"one of {len(names)} names"
    if "$ref" in value:
        return f"`{_INNER[value['$ref'].rpartition('/')[2]].partition(' = ')[2].strip('[]')}`"
    if "anyOf" in value:
        kinds = [_kind(each) for each in value["anyOf"]]
        bare = any(", as `" in kind for kind in kinds)  # what has a unit may be a bare number, too
        return " or ".join(dict.fromkeys(kind for kind in kinds if not (bare and kind.startswith("number"))))
    return _one_kind(value)


def _one_kind(value: _Schema) -> str:
    match value["type"]:
        case "boolean":
            return "`true`, `false`"
        case "array":
            return f"list of: {_kind(value['items'])}"
        case "object":
            return "tables"
        case "string":
            return _text(value.get("pattern", ""))
        case _:
            return _number(value)


def _number(value: _Schema) -> str:
    least, most = value.get("minimum"), value.get("maximum")
    if most == ADDRESS_SPACE - 1:
        return "address, as `0x08000000`"
    return "number" if most is None else f"number, {least} to {most}"


def _text(pattern: str) -> str:
    return next((name for piece, name in _TEXTS if piece in pattern), "text")


def _code(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"
