"""The JSON Schemas for editors are those of the models, and take what the program takes."""

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from schema.documents import DIRECTORY, DOCUMENTS, rendered
from schema_check import document, faults_of_file

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = {
    "config/flashdeck.example.toml": "flashdeck.schema.json",
    "config/demo/flashdeck.toml": "flashdeck.schema.json",
    "config/demo/bench.toml": "bench.schema.json",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_is_as_the_model_is_now(name: str) -> None:
    assert (DIRECTORY / name).read_text() == rendered(name), "`make schema` renews it"


def test_no_schema_is_left_over() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == set(DOCUMENTS)


@pytest.mark.parametrize(("file", "name"), EXAMPLES.items())
def test_an_editor_finds_the_schema_and_has_nothing_against_the_example(file: str, name: str) -> None:
    text = (ROOT / file).read_text()
    assert text.startswith("#:schema ./" if file.count("/") == 1 else "#:schema ../")
    assert ((ROOT / file).parent / text.split()[1]).resolve() == DIRECTORY / name
    assert faults_of_file(tomllib.loads(text), name) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("daemon",), {"setle": "50ms"}),
        (("daemon", "settle"), 50),
        (("profiles", "product", "dfu"), "0483-df11"),
        (("profiles", "product", "verify"), "sometimes"),
        (("profiles", "product", "partitions", "app1", "size"), "1G"),
        (("profiles", "product", "partitions", "app1", "address"), -1),
        (("profiles", "product", "partitions", "app1", "guards"), ["stak"]),
        (("profiles", "product", "partitions", "app1", "guards"), [{"at": "end"}]),
        (("boards", "left"), {"serial": "1"}),
        (("boards", "a b"), {"profile": "product"}),
    ],
)
def test_an_editor_shows_a_mistake(path: tuple[str, ...], value: object) -> None:
    changed: dict[str, Any] = copy.deepcopy(tomllib.loads((ROOT / "config/flashdeck.example.toml").read_text()))
    table = changed
    for part in path[:-1]:
        table = table[part]
    table[path[-1]] = value
    assert faults_of_file(changed, "flashdeck.schema.json") != []


@pytest.mark.parametrize("name", sorted(DOCUMENTS.keys() & set(EXAMPLES.values()) | {"boards.schema.json"}))
def test_every_key_is_described(name: str) -> None:
    whole = document(name)
    for table in (whole, *whole["definitions"].values()):
        assert table["description"]
        assert [key for key, value in table["properties"].items() if not value["description"]] == []
