"""Reads a board before its plan is made: as much as shows what differs where reading is believed, else only a sample.

Nothing is erased or written here, so a board that dies of being read is as it was.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from flashdeck.errors import DeviceError, DeviceGoneError, StallError
from flashdeck.geometry import Range
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.flash.banks import Leftover, Site, canary, left_of_canary
from flashdeckd.flash.comparing import Reads
from flashdeckd.flash.layout import blocks, is_blank
from flashdeckd.images.image import BLANK, NOTHING, Image, Piece


def _nothing_to_compare() -> Reads:
    yield from ()


def _nothing_more(_: Image) -> tuple[Range, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Questions:
    """Everything that a plan asks of a board."""

    block: int
    """The most bytes in one transfer."""
    unit: int = 16
    """Bytes that the flash programs at once: the length of a canary."""
    sample: Range | None = None
    """To be read where reading is not yet believed: a stale read can be told by it later."""
    ruler: Range | None = None
    """The block behind the sample: to be read by its number and by its address, where it is not yet known what block
    numbers are multiplied with."""
    compare: tuple[Range, ...] = ()
    """To be compared where reading is believed; only what differs will be written."""
    comparing: Callable[[], Reads] = _nothing_to_compare
    """Says what to read of that, one block after the other."""
    rest: Callable[[Image], tuple[Range, ...]] = _nothing_more
    """Gives the ranges to read once that was answered: all that would be lost, where a part of a sector differs."""
    leftovers: tuple[Range, ...] = ()
    """Sectors in which a canary of an earlier job may lie."""
    candidates: tuple[tuple[Site, ...], ...] = ()
    """For each bank that needs a canary, the places to look at, in order."""
    witnesses: tuple[Range, ...] = ()
    """Ranges of the rest of the flash to remember before a canary is written."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The answers."""

    present: Image = field(default=NOTHING, repr=False)
    """The bytes that were there, by address, as far as it was compared or sampled."""
    compared: tuple[Range, ...] = ()
    """The ranges that were read for `present`, in the order in which that was done."""
    measured: Range | None = None
    """The block that was read by its number and by its address: the ruler, or one of the first place that was searched,
    right after that."""
    multiplies: bool | None = None
    """True if its number reached what it should; None where that was not asked, or could not be seen."""
    searched: tuple[Range, ...] = ()
    """The ranges that were read after that in search of blank sectors and of canaries, and remembered, in order."""
    leftovers: tuple[Leftover, ...] = ()
    """Canaries of earlier jobs."""
    gone: tuple[Range, ...] = ()
    """Sectors in which one was looked for, and is not."""
    sites: tuple[Site, ...] = ()
    """One for each bank where there is one: the sector is blank, or holds one of the `leftovers`."""
    remembered: tuple[tuple[Range, bytes], ...] = ()
    """Ranges that must not change while a canary comes and goes, with their bytes."""
    obstacle: str = ""
    """The reason why this board cannot be read after all."""


UNASKED = Seen()


def look(session: DfuseSession, questions: Questions, progress: Callable[[int, int], None] | None = None) -> Seen:
    """Ask the board. `progress` hears how many bytes of the comparison are done, and of how many.

    Raises DeviceGoneError, also where the board is there and does not answer any more. Any other failure to read is an
    answer, too (`Seen.obstacle`); a STALL, and where reading is believed any, only the second time.
    """
    obstacle = ""
    for is_last in (False, True):
        try:
            return _Survey(session, questions, progress).answer()
        except DeviceGoneError:
            raise
        except DeviceError as error:
            recover_from_read(session, error)
            obstacle = error.message
            if is_last or not (questions.compare or isinstance(error, StallError)):
                break
    wanted = questions.compare or (() if questions.sample is None else (questions.sample,))
    tried = tuple(next(blocks(span, questions.block)) for span in wanted[:1])
    return Seen(compared=tried, obstacle=obstacle)


class Recoverable(Protocol):
    """A session of either kind."""

    def recover(self) -> None:
        """Bring the device to dfuIDLE; raises DeviceError where that fails."""
        ...


def recover_from_read(session: Recoverable, cause: DeviceError) -> None:
    """Go back to dfuIDLE after a read that failed; raises DeviceGoneError (`during_read`) where the board is lost."""
    try:
        session.recover()
    except DeviceError as error:
        raise DeviceGoneError(
            f"the board does not answer any more after this: {cause.message}; then: {error.message}",
            hint="reset the board or plug it in again and enter DFU mode; if it happens again, the job does not read",
            during_read=True,
        ) from error


class _Survey:
    def __init__(
        self, session: DfuseSession, questions: Questions, progress: Callable[[int, int], None] | None
    ) -> None:
        self._session = session
        self._questions = questions
        self._block = questions.block
        self._progress = progress
        self._compared: list[Range] = []
        self._present: list[Piece] = []
        self._taken = 0
        self._searched: list[Range] = []
        self._measured: Range | None = None
        self._is_alive = False
        """True once anything was read that is not as erased flash."""

    def answer(self) -> Seen:
        asked = self._questions
        # The partition comes first: most of what follows lies above its start, and is reached by its block number.
        present = self._compare()
        if asked.ruler is not None:
            before = b"" if asked.sample is None else present.read(asked.sample)
            self._compared.append(asked.ruler)
            by_number = self._read_block(asked.ruler)
            self._measure(asked.ruler, by_number, before)
            present = present.over(Image((Piece(asked.ruler.start, by_number),)))
        # What is protected lies lowest as a rule: from there all places to look at are reached by their block numbers.
        remembered = self._remember(asked.witnesses) if any(asked.candidates) else []
        read = [(sector, left_of_canary(self._read(sector), asked.unit)) for sector in asked.leftovers]
        found = {sector: left for sector, left in read if left}
        sites = tuple(filter(None, (self._find(candidates, found, present) for candidates in asked.candidates)))
        remembered += [(site.twin, bytes([BLANK]) * site.twin.size) for site in sites]
        if not sites or self._session.multiplies is False or not self._is_alive:
            # What reads blank was another place, or this board reads as erased everywhere.
            sites, remembered = (), []
        return Seen(
            present=present,
            compared=tuple(self._compared),
            measured=self._measured,
            multiplies=None if self._measured is None else self._session.multiplies,
            searched=tuple(self._searched),
            leftovers=tuple(Leftover(sector, left == canary(asked.unit)) for sector, left in found.items()),
            gone=tuple(sector for sector, left in read if not left),
            sites=sites,
            remembered=tuple(remembered),
        )

    def _compare(self) -> Image:
        """Read what is there: as much as shows what differs and then the rest, or the sample."""
        asked = self._questions
        if not asked.compare:
            if asked.sample is not None:
                self._take((asked.sample,), total=asked.sample.size)
            return Image.of(self._present)
        total = sum(span.size for span in asked.compare)
        reads = asked.comparing()
        with suppress(StopIteration):
            block = next(reads)
            while True:
                block = reads.send(self._take_block(block, total))
        self._taken = total
        rest = asked.rest(Image.of(self._present))
        self._take(rest, total=total + sum(span.size for span in rest))
        return Image.of(self._present)

    def _take(self, spans: tuple[Range, ...], total: int) -> None:
        for span in spans:
            for each in blocks(span, self._block):
                self._take_block(each, total)

    def _take_block(self, block: Range, total: int) -> bytes:
        data = self._read_block(block)
        if self._compared and self._compared[-1].end == block.start:
            self._compared[-1] = Range(self._compared[-1].start, block.end)
        else:
            self._compared.append(block)
        self._present.append(Piece(block.start, data))
        self._taken += block.size
        if self._progress is not None:
            self._progress(min(self._taken, total), total)
        return data

    def _remember(self, witnesses: Iterable[Range]) -> list[tuple[Range, bytes]]:
        remembered: list[tuple[Range, bytes]] = []
        for span in sorted(witnesses):
            data = self._read(span)
            if self._questions.ruler is not None and not remembered and span.size >= 2 * self._block:
                second = Range.sized(span.start + self._block, self._block)
                self._measure(second, data[self._block : 2 * self._block], data[: self._block])
            remembered.append((span, data))
        return remembered

    def _measure(self, block: Range, by_number: bytes, before: bytes) -> None:
        """Read a block by its address, too; `before` is the block before it."""
        if self._measured is None and is_telling(by_number, before):
            self._session.point(block.start)
            self._session.multiplies = self._read_block(block) == by_number
            self._measured = block

    def _find(self, candidates: Iterable[Site], left: dict[Range, bytes], present: Image) -> Site | None:
        fit = (
            site
            for site in candidates
            if site.sector in left or (site.takes_new and self._is_blank(site.sector, present))
        )
        return next((site for site in fit if self._is_blank(site.twin)), None)

    def _is_blank(self, sector: Range, present: Image = NOTHING) -> bool:
        if not all(is_blank(piece.data) for piece in present.within(sector).pieces):
            return False
        end = sector.start
        try:
            for each in blocks(sector, self._block):
                end = each.end
                if not is_blank(self._read_block(each)):
                    return False
        finally:
            self._searched.append(Range(sector.start, end))
        return True

    def _read(self, span: Range) -> bytes:
        self._searched.append(span)
        return b"".join(self._read_block(each) for each in blocks(span, self._block))

    def _read_block(self, block: Range) -> bytes:
        data = self._session.read(block.start, block.size)
        self._is_alive = self._is_alive or not is_blank(data)
        return data


def is_telling(block: bytes, before: bytes) -> bool:
    """Tell whether a block shows where it was read, `before` being the one before it.

    One that repeats itself does not, as erased flash or a test pattern: it may read the same from beside its place. The
    first half of `before` says nothing about that, for there is the vector table.
    """
    half = len(block) // 2
    return block[half:] not in (block[:half], before[half:])
