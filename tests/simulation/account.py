"""`make sim-coverage` as an account: of each line that no seed has reached the reason why. Pure.

A reason is for functions, by their names: line numbers would be wrong with the next commit. One that says of a function
what is not so any more, since seeds reach all of it, is told as well.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache

from simulation.reached import Function, Lines, shares


@dataclass(frozen=True, slots=True)
class Reason:
    """Why seeds do not reach lines of some functions."""

    why: str
    functions: tuple[str, ...]
    """Patterns of `module:function`."""
    tested: tuple[str, ...] = ()
    """The tests that go through these lines instead, below `tests`; none where seeds should."""

    def is_for(self, function: Function) -> bool:
        """Return True if it is the reason of a function."""
        return _is_meant(str(function), self.functions)


@dataclass(frozen=True, slots=True)
class Reasons:
    """All that is said of lines that no seed reaches; where two say something of one function, the first counts."""

    reachable: Sequence[Reason]
    """The event that would let a seed reach them some day."""
    excused: Sequence[Reason]
    """Why no seed needs to, or can."""

    def of(self, function: Function) -> Reason | None:
        """Return what is said of a function; None for nothing."""
        return next((each for each in (*self.reachable, *self.excused) if each.is_for(function)), None)

    def stale(self, functions: Sequence[Function]) -> Iterator[str]:
        """Yield the patterns that decide nothing: no function is called so, or another reason says it before."""
        decided = [(str(each), self.of(each)) for each in functions]
        for reason in (*self.reachable, *self.excused):
            own = [name for name, by in decided if by is reason]
            yield from (each for each in reason.functions if not any(_is_meant(name, (each,)) for name in own))


@dataclass(frozen=True, slots=True)
class Account:
    """The lines of some functions that seeds have reached, and the reason of the rest."""

    functions: Sequence[Function]
    reached: Lines
    reasons: Reasons

    @property
    def is_whole(self) -> bool:
        """True if every line that was not reached has a reason, and every reason lines."""
        return not any(True for _ in self.unexplained) and not any(True for _ in self.refuted)

    @property
    def unexplained(self) -> Iterator[tuple[Function, frozenset[int]]]:
        """The functions with lines that were not reached, and of which nothing is said."""
        for function in self.functions:
            missed = self._missed(function)
            if missed and self.reasons.of(function) is None:
                yield function, missed

    @property
    def refuted(self) -> Iterator[str]:
        """The patterns of what no seed can reach, or needs to, of which seeds have reached every line."""
        yield from self._needless(self.reasons.excused)

    @property
    def caught_up(self) -> Iterator[str]:
        """The patterns of what seeds ought to reach, of which they have reached every line."""
        yield from self._needless(self.reasons.reachable)

    def tables(self) -> Iterator[str]:
        """Yield the lines of the page: the rooms, the reasons, and what is still to be reached."""
        yield from self._rooms()
        yield from ("", "| lines that no seed reaches | why | where they are tested |", "| --: | --- | --- |")
        for reason in self.reasons.excused:
            tested = ", ".join(f"`tests/{each}`" for each in reason.tested)
            yield f"| {self._count(reason)} | {reason.why} | {tested} |"
        unsaid = sum(len(missed) for _, missed in self.unexplained)
        yield f"| {unsaid} | without a reason, and each of them is listed by the command | |"
        yield from ("", "| lines to be reached | what has to happen in a seed |", "| --: | --- |")
        for reason in self.reasons.reachable:
            yield f"| {self._count(reason)} | {reason.why} |"

    def _rooms(self) -> Iterator[str]:
        yield from ("| room of the daemon | lines | reached |", "| --- | --: | --: |")
        rooms = shares(self.functions, self.reached)
        for room in rooms:
            yield f"| `{room.room}` | {room.lines} | {100 * room.reached / max(room.lines, 1):.0f} % |"
        lines, hit = sum(room.lines for room in rooms), sum(room.reached for room in rooms)
        yield f"| all | {lines} | {100 * hit / max(lines, 1):.0f} % |"

    def _count(self, reason: Reason) -> int:
        return sum(len(self._missed(each)) for each in self.functions if self.reasons.of(each) is reason)

    def _needless(self, reasons: Iterable[Reason]) -> Iterator[str]:
        missed = [(str(each), self.reasons.of(each)) for each in self.functions if self._missed(each)]
        for reason in reasons:
            own = [name for name, by in missed if by is reason]
            yield from (each for each in reason.functions if not any(_is_meant(name, (each,)) for name in own))

    def _missed(self, function: Function) -> frozenset[int]:
        return function.lines - self.reached.get(function.module, frozenset())


def _is_meant(name: str, patterns: tuple[str, ...]) -> bool:
    return _regex(patterns).match(name) is not None


@cache
def _regex(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return all patterns as one; `fnmatch` itself keeps fewer than there are."""
    return re.compile("|".join(map(translate, patterns)))
