"""The known facts of the bootloaders of all boards: one copy in memory and one in the journal."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from flashdeck.errors import FlashdeckError
from flashdeck.model import LogLevel
from flashdeckd.dfu.pace import Pace
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Bootloader, Journal
from flashdeckd.usb.device import UsbDevice

MAX_READS_LOST = 2
"""A board that was lost in so many reads, and never seen to read right, is not read any more."""


def bootloader_of(board: str, device: UsbDevice) -> Bootloader:
    """The bootloader of the device that is `board` now.

    What was proved is remembered for a device without a serial, too, although another one at its port looks the same:
    a proof is about the bootloader's code, which the bcdDevice tells apart, and not about what a flash holds. Were it
    to end with each disconnect, every leave would end it: a board that was exchanged looks like one that was started.
    """
    return Bootloader(board, device.serial, device.bcd_device)


def may_read(history: BootloaderHistory) -> bool:
    """Return whether a new job may try to read a board."""
    return history.reading_proved or history.reads_lost < MAX_READS_LOST


def released(history: BootloaderHistory, banks: Iterable[int]) -> BootloaderHistory:
    """Return the history after a person has released the board.

    Recorded faults go: what they touch is tried anew. `banks` are flashed without proof from now on, but for one that
    was condemned: there the canary has to come first, once more.
    """
    trusted = {*history.released_banks, *banks} - set(history.condemned_banks)
    pace = Pace.UNPROVEN if history.pace is Pace.CLAIMED else history.pace
    return replace(history, pace=pace, released_banks=tuple(sorted(trusted)), condemned_banks=(), reads_lost=0)


def doubts(history: BootloaderHistory) -> Iterator[str]:
    """Return the recorded faults of a bootloader, in words. They stay until a release."""
    for bank in history.condemned_banks:
        yield f"nothing is flashed into bank {bank + 1}: an erase there hit something else, or its reads are stale"
    if not may_read(history):
        yield f"it is not read, and nothing verified: it was lost in {history.reads_lost} reads"


class BootloaderBook:
    """Reads at once, writes durably: when an awaited change returns, the next daemon will know of it.

    Where the disk fails, the log says so, and what was learned is known for as long as the daemon runs: all but the
    place of a canary, which is recorded before anything lies there. Runs in the event loop's thread only.
    """

    def __init__(
        self,
        hub: Hub,
        journal: Journal,
        known: Mapping[Bootloader, BootloaderHistory],
        changed: Callable[[str], object],
    ) -> None:
        """`changed` is called with the name of a board of which something else is known now."""
        self._changed = changed
        self._hub = hub
        self._journal = journal
        self._known = dict(known)

    def of(self, bootloader: Bootloader) -> BootloaderHistory:
        """Return the history of a bootloader; `UNKNOWN` where there is none."""
        return self._known.get(bootloader, UNKNOWN)

    def rename_boards(self, names: Mapping[str, str]) -> None:
        """Take over what the journal has renamed already."""
        replaced = set(names.values()) - names.keys()
        known = {key: history for key, history in self._known.items() if key.board not in replaced}
        self._known = {
            Bootloader(names.get(key.board, key.board), key.serial, key.bcd_device): history
            for key, history in known.items()
        }

    def knows(self, board: str) -> bool:
        """Tell whether anything is known of a bootloader behind the name of a board."""
        return any(key.board == board for key in self._known)

    def forget_board(self, board: str) -> None:
        """Take over what the journal has forgotten already."""
        self._known = {key: history for key, history in self._known.items() if key.board != board}
        self._changed(board)

    async def learn(self, bootloader: Bootloader, before: BootloaderHistory, after: BootloaderHistory) -> None:
        """Takes over what a job that was told `before` has changed in it; all else stays as it is now.

        A person may have released a bank while that job ran. Raises FlashdeckError where the place of a canary is new
        and cannot be recorded: a canary of which the next daemon would not know must not be written.
        """
        known = self.of(bootloader)
        now = replace(known, **_differences(before, after))
        if set(now.canaries) <= set(known.canaries):
            await self.put(bootloader, now)
            return
        await self._journal.save_history(bootloader, now)
        self._known[bootloader] = now
        self._changed(bootloader.board)

    async def put(self, bootloader: Bootloader, history: BootloaderHistory) -> None:
        """Records what is known of a bootloader from now on; `UNKNOWN` forgets it."""
        if history == self.of(bootloader):
            return
        try:
            if history == UNKNOWN:
                self._known.pop(bootloader, None)
                await self._journal.forget_history(bootloader)
            else:
                self._known[bootloader] = history
                await self._journal.save_history(bootloader, history)
        except FlashdeckError as error:
            text = f"facts about its bootloader could not be recorded: {error.message}"
            self._hub.log(text, level=LogLevel.ERROR, board=bootloader.board)
        self._changed(bootloader.board)

    async def release(self, board: str, banks: Iterable[tuple[Bootloader, int]]) -> list[str]:
        """A person lets `board` go on, and `banks` without proof; answers what that changes, in words."""
        wanted: dict[Bootloader, set[int]] = {key: set() for key in self._known if key.board == board}
        for bootloader, bank in banks:
            wanted.setdefault(bootloader, set()).add(bank)
        notes: dict[str, None] = {}
        for bootloader, freed in wanted.items():
            before = self.of(bootloader)
            after = released(before, freed)
            notes |= dict.fromkeys(_consequences(before, after))
            await self.put(bootloader, after)
        return list(notes)


def _differences(before: BootloaderHistory, after: BootloaderHistory) -> dict[str, object]:
    one, other = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {name: value for name, value in other.items() if value != one[name]}


def _consequences(before: BootloaderHistory, after: BootloaderHistory) -> Iterator[str]:
    for bank in set(after.released_banks) - set(before.released_banks):
        yield f"bank {bank + 1} is flashed from now on without proof that the bootloader erases the right one"
    for bank in before.condemned_banks:
        yield f"whether the bootloader erases the right one is tried anew in bank {bank + 1}"
    if not may_read(before):
        yield "reading is tried again"
    if after.pace is not before.pace:
        yield "whether it may be asked early is tried anew on its next erase"
