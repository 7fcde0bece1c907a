"""The list of limits, and that each is imported by some test. `make limits` asks whether that test would notice."""

import ast
from pathlib import Path

import pytest

from limits.facts import FACTS, is_a_fact
from limits.limits import Limit, limits, numbers
from limits.mutants import Change, mutant
from limits.names import Name
from limits.selection import importers
from limits.tree import Module, files_of_tests, product


@pytest.fixture(scope="module")
def whole() -> dict[str, Module]:
    """The product, which takes long to read: only where it is asked for."""
    return product()


def module(name: str, text: str) -> Module:
    return Module(name, Path(f"{name}.py"), ast.parse(text))


def test_every_limit_is_imported_by_a_test(whole: dict[str, Module]) -> None:
    found = importers(files_of_tests(), whole)
    missing = [str(each.name) for each in limits(whole) if not any(file.naming(each.name) for file in found)]
    assert not missing


def test_no_line_of_the_facts_stands_for_nothing(whole: dict[str, Module]) -> None:
    known = [each.name for each in numbers(whole)]
    for patterns in FACTS.values():
        for pattern in patterns:
            assert any(is_a_fact(name, [pattern]) for name in known), pattern


def test_a_mutant_changes_what_is_done_and_leaves_what_is_promised() -> None:
    both = {
        each.name: each
        for each in (
            module("a", "MOST = 8\ndef f(n):\n    return n > MOST, f'{MOST}'"),
            module("b", "from a import MOST as M\nPAUSES = (1, 2)\nkept = M + 1"),
        )
    }
    doubled = mutant(Limit(Name("a", "MOST"), 8), Change.DOUBLED, both)
    assert doubled == {
        Path("a.py"): "MOST = 8\n\ndef f(n):\n    return (n > MOST * 2, f'{MOST}')\n",
        Path("b.py"): "from a import MOST as M\nPAUSES = (1, 2)\nkept = M * 2 + 1\n",
    }
    halved = mutant(Limit(Name("a", "MOST"), 1), Change.HALVED, both)
    assert "n > MOST // 2" in halved[Path("a.py")]


def test_tests_are_found_by_the_numbers_that_they_read() -> None:
    known = {"a": module("a", "MOST = 8\nOTHER = 9")}
    (file,) = importers(
        [module("t.py", "from a import MOST\nimport a\nWIDE = MOST + 1\ndef test_x(): f(WIDE)\ndef test_y(): f(1)")],
        known,
    )
    assert file.naming(Name("a", "MOST")) == ["t.py::test_x"]
    assert file.naming(Name("a", "OTHER")) == []
