"""A limit that the code does not keep: everywhere in the product another number stands in its place.

The number itself stays as it is defined. So a test that imports it knows what is promised, and notices where the code
does something else; were the definition changed, such a test would follow, and notice nothing. A test that sets the
number for itself sets it for the mutant, too.
"""

import ast
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

from limits.limits import Limit, Value
from limits.names import Name, bindings, meaning
from limits.tree import Module


class Change(StrEnum):
    """A change of a limit."""

    DOUBLED = "doubled"
    HALVED = "halved"

    def of(self, what: str, value: Value) -> str:
        """Return an expression for another value than that of the expression `what`; an int stays one."""
        if isinstance(value, tuple):
            return f"tuple({self.of('each', value[0])} for each in {what})"
        if self is Change.DOUBLED:
            return f"({what} * 2)"
        return f"({what} // 2)" if isinstance(value, int) else f"({what} / 2)"


def mutant(limit: Limit, change: Change, product: Mapping[str, Module]) -> dict[Path, str]:
    """Return the files of the product that use a limit, with another number in its place.

    What is only said (a formatted string) stays, so that what notices it has looked at what is done: unless the limit
    has no other use.
    """
    return _mutant(limit, change, product, spoken=False) or _mutant(limit, change, product, spoken=True)


def _mutant(limit: Limit, change: Change, product: Mapping[str, Module], *, spoken: bool) -> dict[Path, str]:
    changed: dict[Path, str] = {}
    for module in product.values():
        if limit.name.module != module.name and limit.name.name not in _used_by(module):
            continue
        replacement = _Replacement(limit, change, bindings(module, product), module.name, spoken=spoken)
        source = replacement.visit(ast.parse(ast.unparse(module.source)))
        if replacement.count:
            changed[module.path] = ast.unparse(source) + "\n"
    return changed


@cache
def _used_by(module: Module) -> frozenset[str]:
    """Return the names that a module may have from others."""
    nodes = list(ast.walk(module.source))
    imported = {node.name for node in nodes if isinstance(node, ast.alias)}
    return frozenset(imported | {node.attr for node in nodes if isinstance(node, ast.Attribute)})


class _Replacement(ast.NodeTransformer):
    def __init__(self, limit: Limit, change: Change, known: Mapping[str, Name], own: str, *, spoken: bool) -> None:
        self.count = 0
        self._limit = limit
        self._change = change
        self._known = known
        self._own = own
        self._spoken = spoken

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.JoinedStr) and not self._spoken:
            return node
        if meaning(node, self._known, self._own) == self._limit.name:
            self.count += 1
            return ast.parse(self._change.of(ast.unparse(node), self._limit.value), mode="eval").body
        return self.generic_visit(node)
