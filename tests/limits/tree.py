"""The modules of the product and of the tests, as they are on disk."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_PRODUCT: Final = ("shared", "daemon", "tui")
_TESTS: Final = ("tests/unit", "tests/tui", "tests/integration")
"""The quickest first: one that fails is the last that is run for a mutant."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the product, or a file of tests."""

    name: str
    """As it is imported; for a file of tests, its path."""
    path: Path
    """Relative to the root of the tree."""
    source: ast.Module


def product(root: Path = ROOT) -> dict[str, Module]:
    """All modules of the product by name."""
    found = (
        _module(root, path, path.relative_to(root / room))
        for room in _PRODUCT
        for path in sorted((root / room).rglob("*.py"))
    )
    return {module.name: module for module in found}


def files_of_tests(root: Path = ROOT) -> list[Module]:
    """All files of tests."""
    paths = (path for room in _TESTS for path in sorted((root / room).rglob("test_*.py")))
    return [Module(str(path.relative_to(root)), path.relative_to(root), _parsed(path)) for path in paths]


def _module(root: Path, path: Path, inside: Path) -> Module:
    parts = inside.with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path.relative_to(root), _parsed(path))


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))
