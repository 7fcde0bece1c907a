"""The uses of a name of one module in others."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from limits.tree import Module


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """Something at the top of a module."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


def bindings(module: Module, product: Mapping[str, Module]) -> dict[str, Name]:
    """The origin of each imported name of a module: where it was defined, through all who pass it on."""
    return {
        alias.asname or alias.name: _origin(Name(node.module, alias.name), product)
        for node in ast.walk(module.source)
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module in product
        for alias in node.names
    }


def meaning(node: ast.AST, known: Mapping[str, Name], own: str) -> Name | None:
    """Return the name at the top of a module that this expression reads, or None.

    `known` are the bindings of the module `own` in which it stands.
    """
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            return known.get(name, Name(own, name))
        case ast.Attribute(value=ast.Name(id=module), attr=name, ctx=ast.Load()) if module in known:
            return Name(f"{known[module].module}.{known[module].name}", name)
        case _:
            return None


def _origin(name: Name, product: Mapping[str, Module]) -> Name:
    for node in product[name.module].source.body:
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module in product:
            for alias in node.names:
                if (alias.asname or alias.name) == name.name:
                    return _origin(Name(node.module, alias.name), product)
    return name
