"""A class or a module of the product has a name of its own: a reader who hears it knows which one is meant."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("shared", "daemon", "tui")

SHARED_MODULES = {
    "a command has the name that is typed": frozenset({"config", "connect", "demo", "doctor", "flash", "virtual"}),
    "words of states are named after what is in a state": frozenset(
        {"boards", "builds", "consoles", "contents", "jobs", "words"}
    ),
    "the doctor's modules are named after the subject of their findings": frozenset(
        {"banks", "descriptors", "identity"}
    ),
    "a diagnosis is a value that travels, and the folder makes it": frozenset({"diagnosis"}),
    "an emulated one takes the place of the real one": frozenset({"hotplug", "serial_ports"}),
    "a folder's main module has its name": frozenset({"builds", "server"}),
    "a way into DFU mode has the name that a profile has for it": frozenset({"command"}),
    "what a person types, and what the daemon runs for one": frozenset({"commands"}),
    "a word that a person types alone, and behind another one": frozenset({"status"}),
}
"""Names of modules that stand more than once, by the reason why nobody mixes them up."""
SHARED_CLASSES: dict[str, frozenset[str]] = {
    "programs of users say it so, and the daemon's own is where they never look": frozenset({"Bench", "Outcome"}),
}
"""The same of classes."""


def repeated(named: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the places of each name that stands more than once."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name, place in named:
        places[name].append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def modules() -> Iterator[tuple[str, str]]:
    """Every module and folder of modules."""
    for top in PRODUCT:
        for path in (ROOT / top).rglob("*.py"):
            place = path.parent if path.name == "__init__.py" else path
            if path.name != "__main__.py":
                yield place.stem, str(place.relative_to(ROOT))


def classes() -> Iterator[tuple[str, str]]:
    """Every class; a leading underscore makes no other name of it."""
    for top in PRODUCT:
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    yield node.name.lstrip("_"), f"{path.relative_to(ROOT)}:{node.lineno}"


def test_no_module_has_the_name_of_another() -> None:
    excused = frozenset[str]().union(*SHARED_MODULES.values())
    found = repeated(modules())
    assert {name: places for name, places in found.items() if name not in excused} == {}
    assert sorted(excused - set(found)) == [], "no exception is needed for these any more"


def test_no_class_has_the_name_of_another() -> None:
    excused = frozenset[str]().union(*SHARED_CLASSES.values())
    found = repeated(classes())
    assert {name: places for name, places in found.items() if name not in excused} == {}
    assert sorted(excused - set(found)) == [], "no exception is needed for these any more"
