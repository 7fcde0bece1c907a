"""The lists that the middle of the screen can show. Pure."""

from enum import StrEnum


class Middle(StrEnum):
    """The list in the middle of the screen; the value is the id of its widget."""

    BOARDS = "boards"
    QUEUE = "jobs"
    WALL = "wall"
