"""A limit that the code does not keep: everywhere in the product another number stands in its place.

The number itself stays as it is defined. So a test that imports it knows what is promised, and notices where the code does
something else; were the definition changed, such a test would follow, and notice nothing.
"""

import ast
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from limits.names import Name, bindings, meaning
from limits.tree import Module

Value: TypeAlias = "int | float | tuple[Value, ...]"


class Change(StrEnum):
    """What is done to a limit."""

    DOUBLED = "doubled"
    HALVED = "halved"

    def of(self, value: Value) -> Value:
        """Return another value: of a tuple, each of its numbers is changed; an int stays one."""
        if isinstance(value, tuple):
            return tuple(self.of(each) for each in value)
        if self is Change.DOUBLED:
            return value * 2
        return value // 2 if isinstance(value, int) else value / 2


def mutant(limit: Name, value: Value, product: Mapping[str, Module]) -> dict[Path, str]:
    """Return the files of the product that use a limit, with `value` in its place.

    What is only said (a formatted string) stays, so that what notices it has looked at what is done: unless the limit
    has no other use.
    """
    return _mutant(limit, value, product, spoken=False) or _mutant(limit, value, product, spoken=True)


def _mutant(limit: Name, value: Value, product: Mapping[str, Module], *, spoken: bool) -> dict[Path, str]:
    changed: dict[Path, str] = {}
    for module in product.values():
        if limit.module != module.name and not _names(module, limit.name):
            continue
        replacement = _Replacement(limit, value, bindings(module, product), module.name, spoken=spoken)
        source = replacement.visit(ast.parse(ast.unparse(module.source)))
        if replacement.count:
            changed[module.path] = ast.unparse(source) + "\n"
    return changed


def _names(module: Module, name: str) -> bool:
    return any(
        (isinstance(node, ast.alias) and node.name == name) or (isinstance(node, ast.Attribute) and node.attr == name)
        for node in ast.walk(module.source)
    )


class _Replacement(ast.NodeTransformer):
    def __init__(self, limit: Name, value: Value, known: Mapping[str, Name], own: str, *, spoken: bool) -> None:
        self.count = 0
        self._limit = limit
        self._value = value
        self._known = known
        self._own = own
        self._spoken = spoken

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.JoinedStr) and not self._spoken:
            return node
        if meaning(node, self._known, self._own) == self._limit:
            self.count += 1
            return ast.parse(repr(self._value), mode="eval").body
        return self.generic_visit(node)
