"""The reads in which a board was lost: some bootloaders hang in an UPLOAD, and a job must not lose it to one twice."""

from collections import Counter

from msgspec.structs import replace

from flashdeck.model import LogLevel
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.jobs.bootloader_book import BootloaderBook, bootloader_of, may_read
from flashdeckd.state.hub import Hub
from flashdeckd.usb.device import UsbDevice

PATIENCE = 2
"""Reads that a job may lose its board in, where reading was proved, before it tries without."""


class LostReads:
    """The losses of one board in reads, and whether the next attempt may read."""

    def __init__(self, board: str, histories: BootloaderBook, hub: Hub) -> None:
        self._board = board
        self._histories = histories
        self._hub = hub
        self._lost = Counter[int]()
        """The number of times that a job lost the board while reading, since its last attempt without reads."""
        self._lost_here = False
        """True once the board was lost in a read while this daemon runs: cables may have been pulled."""
        self._without: set[int] = set()
        """Jobs whose last attempt went without reading, because the board was lost in reads while this daemon ran."""

    def reading_allowed(self, job: int, history: BootloaderHistory) -> bool:
        """Return whether the attempt of a job that begins now may read.

        Not once the job has lost the board in a read. Where reading was proved, that was most likely a pulled cable,
        and it takes two: something half written may be what the board dies of. Then one attempt goes without.
        """
        lost = self._lost[job]
        self._without.discard(job)
        if lost >= (PATIENCE if history.reading_proved else 1):
            self._without.add(job)
            if history.reading_proved:
                del self._lost[job]
            return False
        if not may_read(history) and self._lost_here:
            self._without.add(job)
        return may_read(history)

    def went_without(self, job: int) -> bool:
        """Tell whether the last attempt of a job read nothing, because the board was lost in reads."""
        return job in self._without

    async def add(self, device: UsbDevice, job: int = 0) -> None:
        """Records that the board did not survive a read: after a few, nothing reads it any more.

        `job` is the one that read, 0 for none. Where reading was proved, the board was most likely unplugged, and only
        that job remembers it.
        """
        if job:
            self._lost[job] += 1
        self._lost_here = True
        bootloader = bootloader_of(self._board, device)
        known = self._histories.of(bootloader)
        if known.reading_proved:
            return
        known = replace(known, reads_lost=known.reads_lost + 1)
        await self._histories.put(bootloader, known)
        if not may_read(known):
            text = (
                f"board {self._board} was lost in {known.reads_lost} reads and is not read any more: nothing on it "
                f"will be verified; `flashdeck release {self._board}` tries again"
            )
            self._hub.log(text, level=LogLevel.WARNING, board=self._board, job=job)

    async def read_again(self, device: UsbDevice, job: int) -> None:
        """Let a job read once more: its board has come back, and stayed, so that cables may have cut its reads."""
        self._lost.pop(job, None)
        self._without.discard(job)
        bootloader = bootloader_of(self._board, device)
        known = self._histories.of(bootloader)
        if self._lost_here and not known.reading_proved and known.reads_lost:
            await self._histories.put(bootloader, replace(known, reads_lost=0))

    def forget(self, job: int) -> None:
        """A job is done."""
        self._lost.pop(job, None)
        self._without.discard(job)

    def forget_all_but(self, jobs: set[int]) -> None:
        """All jobs but these have ended."""
        self._without &= jobs
        for job in self._lost.keys() - jobs:
            del self._lost[job]
