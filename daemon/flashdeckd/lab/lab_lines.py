"""The lines between the daemon and `flashdeckd labgrid`, one JSON object each, told apart by `line`.

The daemon says whole states: how the coordinator is reached, once, and all boards each time that one is different. The
process says whole states, too, and asks before a place has a board.
"""

from typing import Final

from flashdeck.value import Value

LONGEST_LAB_LINE: Final = 4 * 1024 * 1024
"""Bytes of a line at the most: a thousand boards fit."""


class LabSettings(Value, frozen=True, kw_only=True, tag="settings", tag_field="line"):
    """The coordinator, and the name by which it knows this daemon."""

    coordinator: str
    """Host and port."""
    name: str


class OfferedBoard(Value, frozen=True, kw_only=True):
    """A board as a resource."""

    name: str
    group: str
    params: dict[str, str]
    available: bool


class LabBoards(Value, frozen=True, kw_only=True, tag="boards", tag_field="line"):
    """All boards."""

    boards: tuple[OfferedBoard, ...]


class LabAnswer(Value, frozen=True, kw_only=True, tag="answer", tag_field="line"):
    """The answer to a place that wants a board."""

    number: int
    refused: str = ""
    """The reason why it does not get it; "" where it does."""


ToLab = LabSettings | LabBoards | LabAnswer


class HeldBoard(Value, frozen=True, kw_only=True):
    """A board that a place has."""

    board: str
    place: str
    holder: str = ""
    """The user who has acquired the place; "" while that is not known."""
    allowed: tuple[str, ...] = ()


class LabState(Value, frozen=True, kw_only=True, tag="state", tag_field="line"):
    """The boards that places have, by a coordinator that is there."""

    boards: tuple[str, ...]
    """All boards of which it is said; those that no place has are free."""
    held: tuple[HeldBoard, ...] = ()


class LabAway(Value, frozen=True, kw_only=True, tag="away", tag_field="line"):
    """No coordinator can be asked."""

    reason: str
    hint: str = ""


class LabAsk(Value, frozen=True, kw_only=True, tag="ask", tag_field="line"):
    """A place wants a board."""

    number: int
    board: str
    place: str


FromLab = LabState | LabAway | LabAsk
