"""The conclusions from a device that is seen in a board's place: its port, its contents, and their start."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from flashdeck.config import Board
from flashdeck.job_state import Done, WaitFor, Waiting
from flashdeck.model import LogLevel, Presence
from flashdeckd.host import clock
from flashdeckd.jobs.book import JobBook
from flashdeckd.state.journal import KEPT_SERIALS, Journal
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import SharedSerial, Sighting, mode_of, serials_of

RETURN_SECONDS: Final = 3.0
"""A board that is back in DFU mode so soon after a leave was not brought there by a person."""


class Sightings:
    """Remembers where each board was seen last, and draws conclusions. Runs in the event loop's thread only."""

    def __init__(
        self, book: JobBook, journal: Journal, ports: Mapping[str, str], shared: Iterable[SharedSerial] = ()
    ) -> None:
        self._book = book
        self._journal = journal
        self._ports = dict(ports)
        self._shared = dict.fromkeys(shared)
        self._ran: set[str] = set()
        """Boards in whose place something else than their bootloader was seen since it last was."""

    @property
    def ports(self) -> Mapping[str, str]:
        """The port where each board was recognised last."""
        return self._ports

    def rename_boards(self, names: Mapping[str, str]) -> None:
        """Take over what the journal has renamed already."""
        replaced = set(names.values()) - names.keys()
        self._ports = {names.get(board, board): at for board, at in self._ports.items() if board not in replaced}
        self._ran = {names.get(board, board) for board in self._ran - replaced}

    def forget_board(self, board: str) -> None:
        """Forget what was seen in the place of a board: another unit is there."""
        self._ran.discard(board)

    @property
    def shared(self) -> frozenset[SharedSerial]:
        """The serials that two devices have shown at once, and that nobody has released since."""
        return frozenset(self._shared)

    async def note_shared(self, shown: Iterable[SharedSerial]) -> None:
        """Remember that two devices show these serials; they count from now on, also where that cannot be recorded."""
        new = sorted(set(shown) - self._shared.keys())
        self._shared.update(dict.fromkeys(new))
        for oldest in list(self._shared)[:-KEPT_SERIALS]:
            del self._shared[oldest]
        await self._journal.save_shared_serials(new)

    async def forget_shared(self, board: Board) -> bool:
        """A person says that the device with a board's serial is the board; tell whether that had been uncertain."""
        mine = self.shared.intersection(serials_of(board))
        await self._journal.forget_shared_serials(mine)
        for each in mine:
            self._shared.pop(each, None)
        return bool(mine)

    def note_what_runs(self, boards: Mapping[str, Board], devices: Iterable[UsbDevice]) -> None:
        """Note in whose place something else than its bootloader is."""
        present = tuple(devices)
        for name, port in self._ports.items():
            board = boards.get(name)
            if board is not None and any(
                d.is_at(port) and mode_of(board.profile, d) is not Presence.DFU for d in present
            ):
                self._ran.add(name)

    async def remember(self, board: Board, sighting: Sighting) -> None:
        """Record where a board is, what that says of its flash, and that an application which shows late did start."""
        name, device = board.name, sighting.device
        if device is not None and self._ports.get(name) != device.port:
            self._ports[name] = device.port
            await self._journal.save_port(name, device.port)
        if device is not None and sighting.presence is Presence.DFU:
            await self._doubt_contents(board, device)
            await self._doubt_start(board)
            self._ran.discard(name)
        if sighting.presence is not Presence.APP:
            return
        for partition in board.profile.partitions:
            contents = self._book.contents(name, partition)
            if contents is not None and contents.complete and contents.started is False:
                await self._book.record(name, partition, replace(contents, started=True))

    async def _doubt_contents(self, board: Board, device: UsbDevice) -> None:
        """Record that the contents of a board which shows another serial or bcdDevice are uncertain."""
        for partition in board.profile.partitions:
            contents = self._book.contents(board.name, partition)
            if contents is None or contents.uncertain:
                continue
            if (contents.serial, contents.bcd_device) != (device.serial, device.bcd_device):
                await self._book.record(board.name, partition, replace(contents, uncertain=True))

    async def _doubt_start(self, board: Board) -> None:
        """Record that a bootloader which is back soon after a leave did not start the image.

        Boards with an `app` were watched.
        """
        name, profile = board.name, board.profile
        if profile.app is not None or not profile.leave or name in self._ran:
            return
        waiting = (job.status for job in self._book.active(name) if isinstance(job.status, Waiting))
        if any(status.for_ in (WaitFor.HAND, WaitFor.ABSENT) for status in waiting):
            return  # somebody was asked to bring it into DFU mode, and did
        for partition in profile.partitions:
            contents = self._book.contents(name, partition)
            job = self._book.jobs.get(contents.job) if contents is not None and contents.complete else None
            if contents is None or job is None or not isinstance(job.status, Done) or job.finished_at is None:
                continue
            if not 0 <= clock.now() - job.finished_at <= RETURN_SECONDS:  # a clock may have been set back
                continue
            await self._book.record(name, partition, replace(contents, started=False))
            text = "came back in DFU mode right after the leave: most likely the bootloader did not accept the image"
            self._book.log(job, f"{text} in {partition}", LogLevel.WARNING)
