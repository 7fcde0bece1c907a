"""A restart of a board, asked for or not: why it leaves the bus, and by when it is seen again. Pure."""

from dataclasses import dataclass

from flashdeck.model import Presence


@dataclass(frozen=True, slots=True)
class RestartAsked:
    """A board was asked to restart, or a person was asked to restart it, or may do so unasked."""

    into: Presence
    """DFU mode, or the application."""
    back_within: float | None
    """Seconds in which it is seen again; None where nothing can be seen of what it restarts into."""
    by_hand: bool = False
    """True if only a person can have done it: then it may as well be the cable that was pulled."""
    is_asked: bool = True
    """False if nobody has asked for it: then one that does not come back is simply gone."""
