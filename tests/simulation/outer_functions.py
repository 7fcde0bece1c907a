"""The functions of a module by their names, for what tries or counts them one by one. Pure."""

import ast
from collections.abc import Iterator

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def outer_functions(scope: ast.AST, within: str = "") -> Iterator[tuple[str, _Function]]:
    """Yield each function that stands in no other one, with the names of its classes before its own."""
    for node in ast.iter_child_nodes(scope):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield within + name, node
            case ast.ClassDef(name=name):
                yield from outer_functions(node, f"{within}{name}.")
            case _:
                pass
