"""The conditions of a console, and the kinds of its entries."""

from flashdeck.open_enum import OpenEnum


class ConsoleCondition(OpenEnum):
    """The condition of the serial port on which a board says something."""

    OPEN = "open"
    """It is followed: what the board says is recorded."""
    ABSENT = "absent"
    """There is no such port now."""
    HELD = "held"
    """Another program has it open."""
    RELEASED = "released"
    """A person wanted it to be left to other programs."""
    UNAVAILABLE = "unavailable"
    """It cannot be opened, or must not be; the reason is in words."""
    OTHER = "other"


class ConsoleKind(OpenEnum):
    """The kind of one entry of a console."""

    LINE = "line"
    """A line that the board said."""
    MARK = "mark"
    """Something that happened to the board or its port meanwhile."""
    NOISE = "noise"
    """Bytes that are no text, or that were too many to be recorded: they are counted."""
    CRASH = "crash"
    """A crash that the lines before it tell of: what it was, and where, by function and line."""
    OTHER = "other"
