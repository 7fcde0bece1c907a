"""Boards in words: where one is, and what keeps it from being flashed by itself. Pure."""

from collections.abc import Iterator
from typing import Final

from flashdeck.model import BoardLease, BoardState, Presence
from flashdeck.text import format_duration
from flashdeck.words.tone import Phrase, Tone

_PRESENCES: Final = {
    Presence.ABSENT: Phrase("absent", Tone.FAINT),
    Presence.DFU: Phrase("in DFU mode"),
    Presence.APP: Phrase("running"),
    Presence.AMBIGUOUS: Phrase("ambiguous", Tone.BAD),
    Presence.OTHER: Phrase("unknown"),
}


LEFT_DFU_MODE: Final = "left DFU mode, not seen since"
"""The place of a board of which only the bootloader can be seen, once it has left: it runs, or it does not."""


def presence_word(presence: Presence) -> Phrase:
    """Return where a board is, in a few words."""
    return _PRESENCES[presence]


def where_word(board: BoardState) -> Phrase:
    """Return where a board is, in a few words: one that restarts is not called absent."""
    return Phrase(board.away) if board.away else presence_word(board.presence)


def restart_text(into: Presence, *, by_hand: bool = False) -> str:
    """Return why a board leaves the bus that was asked to restart, or that a person restarts."""
    if by_hand:
        return "off the bus: its button was pressed, or its cable pulled"
    return "restarts into DFU mode" if into is Presence.DFU else "restarts into its application"


def overdue_text(into: Presence, seconds: float) -> str:
    """Return that a board which was to restart has not been seen again in its time."""
    where = "in DFU mode" if into is Presence.DFU else "with its application"
    return f"{presence_word(Presence.ABSENT).text}: it did not come back {where} within {format_duration(seconds)}"


def board_text(board: BoardState) -> str:
    """Return where a board is, and what keeps it from being flashed by itself, in a sentence."""
    return "; ".join((where_word(board).text, *board_remarks(board)))


def board_remarks(board: BoardState) -> Iterator[str]:
    """Yield each thing that keeps a board from being flashed by itself."""
    if board.hold is not None:
        yield hold_text(board)
    if board.lease is not None:
        yield lease_text(board.lease)
    if board.once or not board.armed:
        yield armed_text(board)
    if board.trouble:
        yield board.trouble
    yield from board.doubts


def hold_text(board: BoardState) -> str:
    """Return whether a board is on hold, why, and by whom where several people use the bench."""
    if board.hold is None:
        return "not on hold"
    return f"on hold: {board.hold.reason}" + (f" (by {board.hold.user})" if board.hold.user else "")


def armed_word(board: BoardState) -> Phrase:
    """Return whether new builds flash by themselves, in a word."""
    if board.once:
        return Phrase("armed once", Tone.WAIT)
    return Phrase("armed", Tone.FAINT) if board.armed else Phrase("disarmed", Tone.WAIT)


def armed_text(board: BoardState) -> str:
    """Return whether new builds flash by themselves."""
    return arming_text(armed=board.armed, once=board.once)


def arming_text(*, armed: bool, once: bool) -> str:
    """Return the same for a board that is not there to be asked."""
    if armed and once:
        return "armed once: the next build is flashed, those after it are offered"
    return "armed: new builds are flashed" if armed else "disarmed: new builds are offered"


def lease_text(lease: BoardLease) -> str:
    """Return who has taken a board, and what for."""
    return f"taken by {holder_text(lease)}" + (f" for {lease.reason}" if lease.reason else "")


def holder_text(lease: BoardLease) -> str:
    """Return who has taken a board: what it says of itself, and before that whom the system knows, if not the same."""
    if not lease.user or lease.user in lease.by.split(","):
        return lease.by
    return f"{lease.user} ({lease.by})"
