"""The choice of the way into DFU mode, by what the profile says."""

from flashdeck.config import Board, Enter
from flashdeckd.entering.detach import Detach
from flashdeckd.entering.manual import Manual
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.dfu_entry import DfuEntry
from flashdeckd.jobs.lane_state import LaneState


def entry_of(board: Board, *, state: LaneState, thread: DeviceThread, book: JobBook) -> DfuEntry:
    """Return the way in for a board, whose lane has this state, thread and book."""
    match board.profile.enter:
        case Enter.DETACH:
            return Detach(board, state=state, thread=thread, book=book)
        case Enter.MANUAL:
            return Manual(board, book)
