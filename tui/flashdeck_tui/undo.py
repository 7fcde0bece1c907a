"""The deeds of a person that can be taken back on the screen, newest first, for each host by itself. Pure."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flashdeck import api
from flashdeck_tui.store import Store

MOST_UNDOS = 20
"""Deeds of one host that can be taken back, the newest."""


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """One deed that can be taken back."""

    deed: str
    """The deed in words, as "hold left"."""
    done: str
    """The sentence that says how it is once that was taken back."""
    why_not: Callable[[Store], str]
    """Returns why it can no longer be taken back, in a sentence; "" where it can."""
    calls: tuple[api.Params[Any], ...] = ()
    """The calls that take it back, in their order."""
    here: Callable[[], None] = _nothing
    """Takes back a deed that changed the screen alone."""


class UndoList:
    """The deeds of each host, by its name."""

    def __init__(self) -> None:
        self._deeds: defaultdict[str, deque[Undo]] = defaultdict(lambda: deque(maxlen=MOST_UNDOS))

    def remember(self, host: str, undo: Undo) -> None:
        """Take a deed that was done."""
        self._deeds[host].append(undo)

    def newest(self, host: str) -> Undo | None:
        """Return the deed that would be taken back next; None for none."""
        deeds = self._deeds.get(host)
        return deeds[-1] if deeds else None

    def forget(self, host: str, undo: Undo) -> None:
        """Leave out a deed that was taken back, or cannot be."""
        deeds = self._deeds[host]
        if undo in deeds:
            deeds.remove(undo)
