"""Boards that somebody goes by for a while, though the configuration may give them other names meanwhile."""

from collections.abc import Iterable, Mapping
from weakref import WeakSet


class BoardNames:
    """The names that some boards have now."""

    def __init__(self, names: Iterable[str]) -> None:
        self._now = {name: name for name in names}

    @property
    def now(self) -> tuple[str, ...]:
        """All of them, in their order."""
        return tuple(self._now.values())

    def of(self, name: str) -> str:
        """Return the name that a board has now, by the one that it had at the beginning."""
        return self._now[name]

    def follow(self, names: Mapping[str, str]) -> None:
        """Take over the later names of boards, by their former ones."""
        self._now = {name: names.get(now, now) for name, now in self._now.items()}


class FollowedNames:
    """All of them that are in use."""

    def __init__(self) -> None:
        self._followed: WeakSet[BoardNames] = WeakSet()

    def of(self, names: Iterable[str]) -> BoardNames:
        """Return the names of boards, which follow them for as long as anybody has it."""
        followed = BoardNames(names)
        self._followed.add(followed)
        return followed

    def follow(self, names: Mapping[str, str]) -> None:
        """Let everybody follow the later names of boards."""
        for followed in self._followed:
            followed.follow(names)
