"""Waits for a person to bring a board into DFU mode: a button, a jumper, a cable."""

from collections.abc import Sequence

from flashdeck.config import Board
from flashdeck.job_state import WaitFor, Waiting
from flashdeck.model import JobState
from flashdeckd.jobs.book import JobBook
from flashdeckd.usb.device import UsbDevice


class Manual:
    """The way of a board that only a person brings into DFU mode."""

    def __init__(self, board: Board, book: JobBook) -> None:
        self._board = board
        self._book = book

    async def bring_into_dfu(self, jobs: Sequence[JobState], device: UsbDevice) -> bool:  # noqa: ARG002 -- nobody is asked
        """Let all jobs wait for a person."""
        await wait_for_hand(self._board, self._book, jobs, "it is running, and has to be brought into DFU mode")
        return False

    async def reach(self, device: UsbDevice) -> None:
        """Do nothing: nothing of the device is opened."""

    def forget(self) -> None:
        """Begin anew: there is nothing to forget."""

    def rests_until(self) -> None:
        """Return None: it is never asked."""


async def wait_for_hand(board: Board, book: JobBook, jobs: Sequence[JobState], reason: str) -> None:
    """Let jobs wait for a person, with what to do about the board."""
    hint = board.profile.enter_hint or "bring it into DFU mode by hand"
    for job in jobs:
        await book.wait(job, Waiting(for_=WaitFor.HAND, reason=reason, hint=hint))
