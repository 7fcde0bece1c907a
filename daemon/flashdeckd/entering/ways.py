"""The choice of the way into DFU mode, by what the profile says."""

from flashdeck.config import Board, Enter, EnterCommand
from flashdeckd.entering.asking import Asking
from flashdeckd.entering.command import Command
from flashdeckd.entering.detach import Detach
from flashdeckd.entering.manual import Manual
from flashdeckd.entering.touch import Touch
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.dfu_entry import DfuEntry
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.usb.port_keeper import PortKeeper
from flashdeckd.usb.serial_ports import SerialPorts


def entry_of(
    board: Board, *, state: LaneState, thread: DeviceThread, book: JobBook, ports: SerialPorts, keeper: PortKeeper
) -> DfuEntry:
    """Return the way in for a board, whose lane has this state, thread and book.

    `ports` finds serial ports, and `keeper` has those of the board open.
    """
    match board.profile.enter:
        case Enter.DETACH:
            return Asking(board, Detach(thread, book), state=state, book=book)
        case Enter.TOUCH:
            return Asking(board, Touch(thread, book, ports, keeper), state=state, book=book)
        case EnterCommand(command=argv):
            command = Command(board, argv, state=state, book=book, ports=ports, keeper=keeper)
            return Asking(board, command, state=state, book=book)
        case Enter.MANUAL:
            return Manual(board, book)
