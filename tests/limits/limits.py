"""The limits of the product: every number at the top of a module, but those that are listed in `facts`."""

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard, cast

from limits.facts import is_a_fact
from limits.names import Name
from limits.tree import Module

Value: TypeAlias = "int | float | tuple[Value, ...]"


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that somebody chose: a size, a count, a time."""

    name: Name
    value: Value


def limits(product: Mapping[str, Module]) -> list[Limit]:
    """All limits, as they stand in the modules."""
    return [limit for limit in numbers(product) if not is_a_fact(limit.name)]


def numbers(product: Mapping[str, Module]) -> list[Limit]:
    """All numbers at the top of modules, and all tuples of numbers, whose names are in capitals."""
    return [
        Limit(name, value)
        for module in product.values()
        for name in _capitals(module)
        if _is_number(value := getattr(importlib.import_module(name.module), name.name))
    ]


def _capitals(module: Module) -> Iterator[Name]:
    for node in module.source.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                if name.isupper():
                    yield Name(module.name, name)
            case _:
                pass


def _is_number(value: object) -> TypeGuard[Value]:
    if isinstance(value, tuple):
        numbers = cast("tuple[object, ...]", value)
        return bool(numbers) and all(_is_number(each) for each in numbers)
    return type(value) in {int, float}  # neither a flag nor a member of an enumeration
