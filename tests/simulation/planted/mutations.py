"""Random mutations of the product: small changes of its code, without a thought behind them, chosen by a seed.

Each has a name that does not depend on line numbers, and those are chosen whose hash with the seed is the smallest: so
most of a sample stays as it is when the code around it changes, and what was said of a survivor stays true.
"""

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from limits.tree import ROOT
from simulation.outer_functions import outer_functions

DAEMON: Final = Path("daemon/flashdeckd")
ROOMS: Final = ("jobs", "flash", "builds", "requests")
"""The rooms of the daemon that are mutated: from a build to the flash."""
_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: Final[dict[type[ast.operator], type[ast.operator]]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
_ONLY_SAID: Final = frozenset({"log", "debug", "info", "warning", "error", "exception", "report", "_decide", "_claim"})
"""Calls that only tell a person something: what they say is no rule's affair."""
_NO_CODE: Final = frozenset({"annotation", "returns", "decorator_list", "pattern", "type_comment"})
"""Parts of the tree that do nothing when they run."""
_LONGEST: Final = 70
"""Characters of code in a name."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change in one place."""

    path: Path
    """Relative to the root of the tree."""
    line: int
    index: int
    """Its number among all of its module."""
    name: str
    """The module, the function, the change and the code, and which of several alike it is."""

    def files(self, root: Path = ROOT) -> dict[Path, str]:
        """Return the module with the change in it, by its path from the root."""
        tree = ast.parse((root / self.path).read_text())
        list(_sites(tree))[self.index].apply()
        return {self.path: ast.unparse(ast.fix_missing_locations(tree)) + "\n"}


@dataclass(frozen=True, slots=True)
class _Site:
    """A place for a change in a tree."""

    node: ast.AST
    kind: str
    function: str
    apply: Callable[[], None]
    """Makes the change in the tree itself."""


def chosen(seed: int, count: int, root: Path = ROOT) -> list[Mutation]:
    """Return `count` mutations of the whole product, those of the smallest hashes, by place."""
    paths = (path for room in ROOMS for path in sorted((root / DAEMON / room).rglob("*.py")))
    found = [mutation for path in paths for mutation in mutations_of(path, root)]
    smallest = sorted(found, key=lambda each: hashlib.sha256(f"{seed} {each.name}".encode()).digest())[:count]
    return sorted(smallest, key=lambda each: (each.path, each.index))


def mutations_of(path: Path, root: Path = ROOT) -> Iterator[Mutation]:
    """All mutations of one module."""
    module, alike = str(path.relative_to(root / DAEMON)), Counter[str]()
    for index, site in enumerate(_sites(ast.parse(path.read_text()))):
        code = " ".join(ast.unparse(site.node).split())
        name = f"{module} {site.function}: {site.kind}: {code if len(code) <= _LONGEST else code[:_LONGEST] + '…'}"
        alike[name] += 1
        if alike[name] > 1:
            name += f" ({alike[name]})"
        yield Mutation(path.relative_to(root), getattr(site.node, "lineno", 0), index, name)


def _sites(tree: ast.Module) -> Iterator[_Site]:
    """Yield all places of a module, in their order: only in functions, for limits are `make limits`' affair."""
    for name, function in outer_functions(tree):
        for statement in function.body:
            yield from _in_statement(statement, name)
        yield from _in_body(function.body, name)


def _in_body(body: list[ast.stmt], function: str) -> Iterator[_Site]:
    """Yield what can be done to a row of statements: one is left out, two that await something change places."""
    for at, statement in enumerate(body):
        if _may_go(statement):
            yield _Site(statement, "left out", function, lambda at=at: body.__setitem__(at, ast.Pass()))
        if at + 1 < len(body) and _may_be_swapped(statement, body[at + 1]):
            yield _Site(
                statement,
                "behind the next",
                function,
                lambda at=at: body.__setitem__(slice(at, at + 2), body[at : at + 2][::-1]),
            )
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(statement, field, [])
            rows = [inner] if field in {"body", "orelse", "finalbody"} else [each.body for each in inner]
            for row in rows:
                yield from _in_body(row, function)


def _may_go(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant() | ast.Yield(value=None)):
            return False  # a docstring, or the place of a block
        case ast.Expr(value=value):
            return _called(value) not in _ONLY_SAID
        case ast.Assign(targets=[target]) | ast.AugAssign(target=target):
            return not isinstance(target, ast.Name | ast.Tuple)  # without its value a name is no code at all
        case ast.Raise(exc=exc):
            return exc is not None
        case ast.Continue() | ast.Break() | ast.Delete():
            return True
        case _:
            return False


def _may_be_swapped(first: ast.stmt, second: ast.stmt) -> bool:
    if not all(any(isinstance(node, ast.Await) for node in ast.walk(each)) for each in (first, second)):
        return False
    if not all(isinstance(each, ast.Expr | ast.Assign | ast.AugAssign) for each in (first, second)):
        return False
    bound = {node.id for node in ast.walk(first) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return not any(isinstance(node, ast.Name) and node.id in bound for node in ast.walk(second))


def _called(value: ast.expr) -> str:
    """Return the name of what an expression calls; "" where it calls nothing."""
    match value:
        case ast.Await(value=inner):
            return _called(inner)
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name
        case _:
            return ""


def _in_statement(node: ast.AST, function: str) -> Iterator[_Site]:
    """Yield the expressions of a statement that can be others, and of all that it contains."""
    match node:
        case ast.JoinedStr() | ast.Raise() | ast.Expr(value=ast.Constant()):
            return  # what a person reads
        case ast.Expr(value=value) if _called(value) in _ONLY_SAID:
            return
        case _:
            pass
    for looked_for in (_condition, _operator, _constant):
        yield from looked_for(node, function)
    for field, child in ast.iter_fields(node):
        if field in _NO_CODE:
            continue
        for each in child if isinstance(child, list) else [child]:  # pyright: ignore[reportUnknownVariableType] -- ast's
            if isinstance(each, ast.AST):
                yield from _in_statement(each, function)


def _condition(node: ast.AST, function: str) -> Iterator[_Site]:
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield _Site(test, "negated", function, lambda: setattr(node, "test", _negated(test)))
        case ast.comprehension(ifs=[test]):
            yield _Site(test, "negated", function, lambda: setattr(node, "ifs", [_negated(test)]))
        case _:
            pass


def _operator(node: ast.AST, function: str) -> Iterator[_Site]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARED:
            other = _COMPARED[type(operator)]()
            yield _Site(node, _as(operator, other), function, lambda: setattr(node, "ops", [other]))
        case ast.BoolOp(op=operator):
            either = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield _Site(node, _as(operator, either), function, lambda: setattr(node, "op", either))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _COMPUTED:
            if not _is_text(left) and not _is_text(right):
                swapped = _COMPUTED[type(operator)]()
                yield _Site(node, _as(operator, swapped), function, lambda: setattr(node, "op", swapped))
        case _:
            pass


def _constant(node: ast.AST, function: str) -> Iterator[_Site]:
    match node:
        case ast.Constant(value=bool() as truth):
            yield _Site(node, "other way round", function, lambda: setattr(node, "value", not truth))
        case ast.Constant(value=int() | float() as value):
            yield _Site(node, "one more", function, lambda: setattr(node, "value", value + 1))
        case _:
            pass


def _as(before: ast.AST, after: ast.AST) -> str:
    return f"{type(before).__name__} as {type(after).__name__}"


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
