"""The boards that a person asks something of: which of them can do it now, without anybody's help."""

from collections.abc import Sequence

from flashdeck.config import Board, Enter
from flashdeck.errors import BlockedError, ErrorKind, FlashdeckError, RequestError
from flashdeck.model import Presence
from flashdeck.names import SHOWN
from flashdeckd.boards.bench import Bench


def require_single(bench: Bench, boards: Sequence[Board]) -> None:
    """Raises FlashdeckError (`ambiguous`) where several devices look like one of the boards.

    A job never waits for whatever unit comes next: RequestError (`absent`) where a slot is empty.
    """
    for board in boards:
        sighting = bench.lane(board.name).sighting
        if board.slot is not None and sighting.device is None:
            raise RequestError(
                f"there is no unit in slot {board.name}",
                kind=ErrorKind.ABSENT,
                hint=sighting.trouble or "plug one in; `flashdeck lot begin` says what units get that come later",
            )
        if sighting.presence is Presence.AMBIGUOUS:
            raise FlashdeckError(sighting.trouble, kind=ErrorKind.AMBIGUOUS)


def require_ready(bench: Bench, boards: Sequence[Board]) -> None:
    """Raises RequestError (`absent`) or BlockedError, with all boards whose job would have to wait for somebody."""
    unready = [error for error in (_why_unready(bench, board) for board in boards) if error is not None]
    if len(unready) > 1:
        worst = next((error for error in unready if error.kind is not ErrorKind.ABSENT), unready[0])
        told = "; ".join(error.message for error in unready[:SHOWN])
        more = f"; and {len(unready) - SHOWN} more" if len(unready) > SHOWN else ""
        message = f"{len(unready)} of {len(boards)} boards cannot be flashed now: {told}{more}"
        raise FlashdeckError(message, kind=worst.kind, hint=worst.hint)
    if unready:
        raise unready[0]


def _why_unready(bench: Bench, board: Board) -> FlashdeckError | None:
    lane = bench.lane(board.name)
    presence = lane.sighting.presence
    if lane.hold is not None:
        return BlockedError(
            f"board {board.name} is on hold: {lane.hold.reason}",
            hint=f"release it: `flashdeck release {board.name}`",
        )
    if why := lane.why_not_free:
        return BlockedError(
            f"board {board.name} is {why}",
            hint="leave out --no-wait, and the job starts once that has ended",
        )
    if lane.is_busy:
        return None  # what runs has it restart, and goes on by itself
    if presence is Presence.ABSENT:
        return RequestError(
            f"board {board.name} is not connected",
            kind=ErrorKind.ABSENT,
            hint=lane.sighting.trouble or "connect it, or leave out --no-wait and the job waits for it",
        )
    if presence is Presence.APP and board.profile.enter is Enter.MANUAL:
        return BlockedError(
            f"board {board.name} is running, and has to be brought into DFU mode by hand",
            hint=board.profile.enter_hint or "bring it into DFU mode, or leave out --no-wait",
        )
    return None
