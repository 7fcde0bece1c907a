"""`make sim-coverage`: the lines of the daemon that the simulation alone reaches.

They are counted in each seed's process, without any library. A function of which every line has run is not traced any
more, so that what is left to be seen is all that it costs.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from limits.tree import ROOT
from simulation.outer_functions import outer_functions

DAEMON: Final = ROOT / "daemon/flashdeckd"
Lines = Mapping[str, frozenset[int]]
"""Numbers of lines by module, as its path below `daemon/flashdeckd`."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the daemon, with what stands in it; inner ones are part of it."""

    module: str
    name: str
    lines: frozenset[int]
    """All that may run but its first line: neither `...` nor what only the type checker needs."""

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


class Tracer:
    """Notes the lines of the daemon that run in this process from `begin` on, in all of the simulation's threads."""

    def __init__(self, known: Lines) -> None:
        """`known` were reached before: they are not looked for again."""
        self._left: dict[CodeType, set[int] | None] = {}
        """By code: the lines that have not run yet; None for code of others."""
        self._known = known
        self._reached: defaultdict[str, set[int]] = defaultdict(set)

    def begin(self) -> None:
        """Trace this thread of the kernel's, in which all those of the simulation are."""
        sys.settrace(self._call)

    @property
    def reached(self) -> dict[str, list[int]]:
        """The lines that have run and were not known."""
        return {module: sorted(lines) for module, lines in self._reached.items()}

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code not in self._left:
            self._left[code] = self._lines_of(code)
        return self._line if self._left[code] else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        left = self._left[frame.f_code]
        if event == "line" and left and frame.f_lineno in left:
            left.discard(frame.f_lineno)
            self._reached[_module_of(frame.f_code)].add(frame.f_lineno)
        if not left:
            frame.f_trace_lines = False
        return self._line

    def _lines_of(self, code: CodeType) -> set[int] | None:
        module = _module_of(code)
        if not module:
            return None
        return {line for _, _, line in code.co_lines() if line} - self._known.get(module, frozenset())


def _module_of(code: CodeType) -> str:
    """Return the module of a piece of code; "" where it is none of the daemon's."""
    path = Path(code.co_filename)
    return str(path.relative_to(DAEMON)) if path.is_relative_to(DAEMON) else ""


def functions(root: Path = DAEMON) -> Iterator[Function]:
    """All functions of the daemon in which something may run."""
    for path in sorted(root.rglob("*.py")):
        text, module = path.read_text(), str(path.relative_to(root))
        run = {line for code in _codes(compile(text, str(path), "exec")) for _, _, line in code.co_lines() if line}
        for name, function in outer_functions(ast.parse(text)):
            body = function.body[1:] if ast.get_docstring(function) is not None else function.body
            if body and not all(_is_no_code(each) for each in body):
                span = range(body[0].lineno, (function.end_lineno or 0) + 1)
                yield Function(module, name, frozenset(span) & run - _for_the_checker(function))


def _is_no_code(statement: ast.stmt) -> bool:
    """Return True for the `...` of a method that others have."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _for_the_checker(function: ast.AST) -> frozenset[int]:
    """Return the lines by which the type checker sees that a match has all cases: they never run."""
    cases = (node for node in ast.walk(function) if isinstance(node, ast.match_case))
    never = [case for case in cases if isinstance(call := case.body[0], ast.Expr) and _calls_never(call.value)]
    return frozenset(line for case in never for line in (case.pattern.lineno, case.body[0].lineno))


def _calls_never(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "assert_never"


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


@dataclass(frozen=True, slots=True)
class Share:
    """The lines of a room, and how many of them were reached."""

    room: str
    lines: int
    reached: int


def shares(all_functions: Iterable[Function], reached: Lines) -> list[Share]:
    """Return the rooms of the daemon, each with its lines."""
    lines: dict[str, int] = {}
    hit: dict[str, int] = {}
    for function in all_functions:
        room = function.module.partition("/")[0]
        lines[room] = lines.get(room, 0) + len(function.lines)
        hit[room] = hit.get(room, 0) + len(function.lines & reached.get(function.module, frozenset()))
    return [Share(room, lines[room], hit[room]) for room in lines]
