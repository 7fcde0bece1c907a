"""The keys that the key bar shows: which are needed most in which place, and how many of them have room. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from flashdeck_tui.middle import Middle

GAP: Final = 2
"""Cells between two keys."""
WIDE_BAR = 78
"""Cells that one line of keys is enough for, as on a screen of 80 columns; a narrower bar has two."""

_HANDS: Final = ("demo-build", "demo-unplug", "demo-plug", "demo-press")
_JOBS_OF_BOARDS: Final = ("flash", "retry", "hold", "cancel", "next-problem")
NEEDED: Final[Mapping[Middle, tuple[str, ...]]] = {
    Middle.BOARDS: (
        *_HANDS,
        *_JOBS_OF_BOARDS,
        "filter",
        "mark",
        "queue",
        "log",
        "doctor",
        "undo",
        "history",
        "quit",
        "help",
    ),
    Middle.QUEUE: (
        *_HANDS,
        "cancel",
        "retry",
        "move-up",
        "move-down",
        "details",
        "boards",
        "log",
        "undo",
        "flash",
        "hold",
        "quit",
        "help",
    ),
    Middle.WALL: (
        *_HANDS,
        *_JOBS_OF_BOARDS,
        "filter",
        "mark",
        "boards",
        "queue",
        "log",
        "undo",
        "quit",
        "help",
    ),
}
"""The actions by the list that is shown, the most needed first; the last one, which leads to all others, is always
there."""


@dataclass(frozen=True, slots=True)
class KeyHint:
    """One key and what it does."""

    action: str
    label: str
    title: str
    enabled: bool

    @property
    def width(self) -> int:
        """Cells that it takes."""
        return cell_len(self.label) + 1 + cell_len(self.title)


def needed(hints: Iterable[KeyHint], middle: Middle) -> list[KeyHint]:
    """Return the keys for a list in the middle, the most needed first."""
    by_action = {hint.action: hint for hint in hints}
    return [by_action[action] for action in NEEDED[middle] if action in by_action]


def fitting(keys: Sequence[KeyHint], width: int) -> list[list[KeyHint]]:
    """Return the keys that have room, in lines of at most `width` cells; those that do something now go first."""
    lines = 1 if width >= WIDE_BAR else 2
    chosen = set(keys[-1:])
    for key in sorted(keys, key=lambda key: not key.enabled):
        tried = chosen | {key}
        if len(wrapped([each for each in keys if each in tried], width)) <= lines:
            chosen = tried
    return wrapped([key for key in keys if key in chosen], width)


def wrapped(keys: Sequence[KeyHint], width: int) -> list[list[KeyHint]]:
    """Return the keys in lines of at most `width` cells; none is broken in two."""
    lines: list[list[KeyHint]] = [[]]
    used = 0
    for key in keys:
        if lines[-1] and used + GAP + key.width > width:
            lines.append([])
            used = 0
        used += key.width + (GAP if lines[-1] else 0)
        lines[-1].append(key)
    return lines
