"""The lines of the log that tell of boards which come and go: a restart that was asked for is no pulled cable."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from flashdeck.config import Board
from flashdeck.job_state import Phase, Running, WaitFor, Waiting
from flashdeck.model import JobState, LogLevel, Presence
from flashdeck.words.boards import LEFT_DFU_MODE, overdue_text, presence_word, restart_text
from flashdeckd.entering.asking import ENTER_SECONDS
from flashdeckd.jobs.departure import START_SECONDS
from flashdeckd.jobs.lane import Lane
from flashdeckd.jobs.restart_asked import RestartAsked
from flashdeckd.state.hub import Hub
from flashdeckd.usb.recognition import Sighting


class Comings:
    """Tells where each board is now. Runs in the event loop's thread only."""

    def __init__(self, hub: Hub, note: Callable[[str], object]) -> None:
        """`note` is called with a board whose reason for being off the bus has become another one."""
        self._hub = hub
        self._note = note
        self._away: dict[str, str] = {}
        """The reasons of boards that are off the bus for a moment, or that nobody can see there."""
        self._overdue: dict[str, asyncio.TimerHandle] = {}
        """The timers that say of boards that they have not come back."""

    def tell(self, board: str, sighting: Sighting, restart: RestartAsked | None) -> None:
        """Say where a board is; `restart` is why it is gone, if it is, and None where nobody knows of any reason."""
        self._forget(board)
        if restart is None or sighting.presence is not Presence.ABSENT:
            where = f" at {sighting.device.name}" if sighting.device is not None else ""
            self._hub.log(f"{presence_word(sighting.presence).text}{where}", board=board)
            return
        why = restart_text(restart.into, by_hand=restart.by_hand)
        self._hub.log(why, board=board)
        self._away[board] = LEFT_DFU_MODE if restart.back_within is None else why
        self._note(board)
        if restart.back_within is not None:
            loop = asyncio.get_running_loop()
            self._overdue[board] = loop.call_later(restart.back_within, self._tell_overdue, board, restart)

    def away(self, board: str) -> str:
        """Return why a board is off the bus, if that is no absence; "" where it is not, or nobody knows."""
        return self._away.get(board, "")

    def rename_boards(self, names: Mapping[str, str]) -> None:
        """Forget who of these was to come back: their lanes rest, so nothing was asked of them."""
        for name in names:
            self._forget(name)

    def end(self) -> None:
        """Say nothing any more of boards that do not come back."""
        for name in tuple(self._overdue):
            self._forget(name)

    def _tell_overdue(self, board: str, restart: RestartAsked) -> None:
        self._forget(board)
        if restart.is_asked and restart.back_within is not None:
            self._hub.log(overdue_text(restart.into, restart.back_within), level=LogLevel.WARNING, board=board)
        else:
            self._hub.log(presence_word(Presence.ABSENT).text, board=board)

    def _forget(self, board: str) -> None:
        if self._away.pop(board, None) is not None:
            self._note(board)
        waiting = self._overdue.pop(board, None)
        if waiting is not None:
            waiting.cancel()


def restart_of(lane: Lane, jobs: Iterable[JobState]) -> RestartAsked | None:
    """Return why a board may leave the bus now, by its lane and its jobs that have not ended.

    None where work is lost with it. Where nobody has asked for anything, a person may have pressed its button.
    """
    if lane.restart is not None:
        return lane.restart
    board, presence = lane.board, lane.sighting.presence
    for status, partition in ((job.status, job.partition) for job in jobs):
        if isinstance(status, Waiting) and status.for_ is WaitFor.HAND and presence is Presence.APP:
            return RestartAsked(Presence.DFU, ENTER_SECONDS, by_hand=True)
        if isinstance(status, Running) and _is_accepted_whole(board, partition, status):
            return RestartAsked(Presence.APP, START_SECONDS if board.profile.app is not None else None)
        if isinstance(status, Running):
            return None
    into = _OTHER_MODE.get(presence)
    return RestartAsked(into, ENTER_SECONDS, by_hand=True, is_asked=False) if into is not None else None


_OTHER_MODE: Final = {Presence.APP: Presence.DFU, Presence.DFU: Presence.APP}


def _is_accepted_whole(board: Board, partition: str, status: Running) -> bool:
    """Tell whether a plain DFU device has the whole image: it may restart with that, without being asked to leave."""
    place = board.profile.partitions.get(partition)
    is_plain = place is not None and place.alternate is not None
    return is_plain and status.phase is Phase.WRITE and 0 < status.total <= status.done
