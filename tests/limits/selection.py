"""The tests that import a number."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from limits.names import Name, bindings, meaning
from limits.tree import Module


@dataclass(frozen=True, slots=True)
class Importer:
    """A file of tests that uses names of the product."""

    path: str
    tests: Mapping[str, frozenset[Name]]
    """By the name of each test (a class is one): which names it reads, and those that are read outside of all tests."""

    def naming(self, name: Name) -> list[str]:
        """Return what pytest is to run to reach a number."""
        return [f"{self.path}::{test}" for test, names in self.tests.items() if name in names]


def importers(tests: Iterable[Module], product: Mapping[str, Module]) -> list[Importer]:
    """All files of tests, with the names that each of their tests reads."""
    return [_importer(test, product) for test in tests]


def _importer(file: Module, product: Mapping[str, Module]) -> Importer:
    known = bindings(file, product)
    tests: dict[str, frozenset[Name]] = {}
    shared: dict[str, frozenset[Name]] = {}
    for node in file.source.body:
        names = _read(node, known, file.name)
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if name.lower().startswith("test"):
                    tests[name] = names
                else:
                    shared[name] = names
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                shared[name] = names
            case _:
                pass
    return Importer(file.name, {name: _with_shared(names, shared, file.name) for name, names in tests.items()})


def _with_shared(names: frozenset[Name], shared: Mapping[str, frozenset[Name]], own: str) -> frozenset[Name]:
    """Add what is read by what a test uses of its own file."""
    while True:
        more = names.union(*(shared[name.name] for name in names if name.module == own and name.name in shared))
        if more == names:
            return names
        names = more


def _read(node: ast.AST, known: Mapping[str, Name], own: str) -> frozenset[Name]:
    read = (meaning(each, known, own) for each in ast.walk(node))
    return frozenset(name for name in read if name is not None)
