"""The budget of each host controller: how many boards of it are talked to at once, and who comes next. Pure.

A place is the last thing that is taken and the first that is given back: whoever asks for one has everything else that
it needs (its board in DFU mode, no hold, no lease of somebody else, its turn in the queue of its board), and whoever
has one waits for nothing but its own board's answers. So nobody with a place ever waits for somebody without one, and
there is no circle of waits: each place comes free by itself, after as many transfers as one job has.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

W = TypeVar("W", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ControllerLine(Generic[W]):
    """A controller, as somebody sees it who waits for a place there."""

    controller: str
    limit: int
    busy: tuple[W, ...]
    """Those that have a place, the longest first."""
    ahead: tuple[W, ...]
    """Those that come before who asks, the next one first."""


class ControllerBudget(Generic[W]):
    """The places of all controllers. Whoever waits longest gets the next one; who asks again begins at the end."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit` is the number of places of each controller; None: as many as are asked for."""
        self._limit = limit
        self._busy: dict[str, dict[W, None]] = {}
        self._waiting: dict[str, dict[W, None]] = {}
        self._at: dict[W, str] = {}
        """The controller of each who has a place."""
        self._waits_at: dict[W, str] = {}

    @property
    def limit(self) -> int | None:
        """The number of places of each controller; None: no limit."""
        return self._limit

    def has(self, who: W) -> bool:
        """Tell whether somebody has a place."""
        return who in self._at

    def ask(self, who: W, controller: str) -> bool:
        """Take a place, or stay in line for one; return whether `who` has it now.

        Somebody has one place at most: who has it at another controller has to give that back first, and gets none. Who
        stands in line there leaves that.
        """
        if who in self._at:
            return self._at[who] == controller
        if self._waits_at.get(who, controller) != controller:
            self.leave(who)
        if self._has_room(controller) and not self._waiting.get(controller):
            self._give(who, controller)
            return True
        self._waits_at[who] = controller
        self._waiting.setdefault(controller, {}).setdefault(who)
        return False

    def take(self, who: W, controller: str) -> None:
        """Give somebody a place who uses it already, limit or not: nobody else begins until there is room again."""
        self.leave(who)
        if who not in self._at:
            self._give(who, controller)

    def give_back(self, who: W) -> tuple[W, ...]:
        """Take back a place; return those who have got one by that."""
        controller = self._at.pop(who, None)
        if controller is None:
            return ()
        _drop(self._busy, controller, who)
        return self._fill(controller)

    def leave(self, who: W) -> tuple[W, ...]:
        """Take somebody out of the line: a place is not wanted any more. Return who stood behind."""
        controller = self._waits_at.pop(who, None)
        if controller is None:
            return ()
        line = tuple(self._waiting[controller])
        _drop(self._waiting, controller, who)
        return line[line.index(who) + 1 :]

    def set_limit(self, limit: int | None) -> tuple[W, ...]:
        """Change the number of places: who has one keeps it. Return those who have got one by that."""
        self._limit = limit
        return tuple(who for controller in tuple(self._waiting) for who in self._fill(controller))

    def line(self, who: W) -> ControllerLine[W] | None:
        """Return what somebody waits for; None where nobody waits."""
        controller = self._waits_at.get(who)
        if controller is None or self._limit is None:
            return None
        waiting = tuple(self._waiting[controller])
        return ControllerLine(
            controller, self._limit, tuple(self._busy.get(controller, ())), waiting[: waiting.index(who)]
        )

    def everybody_waiting(self) -> tuple[W, ...]:
        """Return those who stand in any line."""
        return tuple(self._waits_at)

    def waiting(self, controller: str) -> tuple[W, ...]:
        """Return those who stand in line, the next one first."""
        return tuple(self._waiting.get(controller, ()))

    def busy(self, controller: str) -> tuple[W, ...]:
        """Return those who have a place, the longest first."""
        return tuple(self._busy.get(controller, ()))

    def controller_of(self, who: W) -> str:
        """Return where somebody has a place, or waits for one; "" for none."""
        return self._at.get(who) or self._waits_at.get(who, "")

    def _has_room(self, controller: str) -> bool:
        return self._limit is None or len(self._busy.get(controller, ())) < self._limit

    def _give(self, who: W, controller: str) -> None:
        self._at[who] = controller
        self._busy.setdefault(controller, {})[who] = None

    def _fill(self, controller: str) -> tuple[W, ...]:
        """Give what is free to those who wait longest, and return them."""
        got: list[W] = []
        while self._has_room(controller) and (line := self._waiting.get(controller)):
            who = next(iter(line))
            self.leave(who)
            self._give(who, controller)
            got.append(who)
        return tuple(got)


def _drop(places: dict[str, dict[W, None]], controller: str, who: W) -> None:
    """Take somebody out; a controller with nobody left is forgotten."""
    del places[controller][who]
    if not places[controller]:
        del places[controller]
