"""What is read of a board before its plan is made: where reading is believed, what is there; else only a sample.

Nothing is erased or written here, so a board that dies of being read is as it was.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from flashdeck.errors import DeviceError, DeviceGoneError
from flashdeck.geometry import Range
from flashdeckd.dfu.session import Session
from flashdeckd.flash.banks import Site

BLANK = 0xFF


@dataclass(frozen=True, slots=True)
class Questions:
    """What a plan would like to know."""

    block: int
    """The most bytes in one transfer."""
    sample: Range | None = None
    """To be read where reading is not yet believed: a stale read can be told by it later."""
    ruler: Range | None = None
    """The second block of the partition: to be read by its number and by its address, where it is not yet known what
    block numbers are multiplied with."""
    compare: Range | None = None
    """To be read where reading is believed; only what differs will be written."""
    candidates: tuple[tuple[Site, ...], ...] = ()
    """For each bank that needs a canary, the places to look at, in order."""
    witnesses: tuple[Range, ...] = ()
    """What to remember of the rest of the flash before a canary is written."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The answers."""

    present: bytes = field(default=b"", repr=False)
    """What the partition began with, as far as it was read."""
    compared: tuple[Range, ...] = ()
    """What was read for `present`."""
    measured: Range | None = None
    """The block that was read by its number and by its address: the ruler, or one of the first place that was searched,
    right after that."""
    multiplies: bool | None = None
    """Whether its number reached what it should; None where that was not asked, or could not be seen."""
    searched: tuple[Range, ...] = ()
    """What was read after that in search of blank sectors, and remembered, in order."""
    sites: tuple[Site, ...] = ()
    """One for each bank where there is one."""
    remembered: tuple[tuple[Range, bytes], ...] = ()
    """What must not change while a canary comes and goes."""
    obstacle: str = ""
    """Why this board can not be read after all."""


NOTHING = Seen()


def look(session: Session, questions: Questions, progress: Callable[[int, int], None] | None = None) -> Seen:
    """Asks the board. `progress` hears how many bytes of the comparison are done, and of how many.

    Raises DeviceGoneError, also where the board is there and does not answer any more. Any other failure to read is an
    answer, too (`Seen.obstacle`); where reading is believed, only the second one.
    """
    obstacle = ""
    for _ in range(1 if questions.compare is None else 2):
        try:
            return _Look(session, questions.block, progress).answer(questions)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            recover_from_read(session, error)
            obstacle = error.message
    wanted = questions.compare or questions.sample
    tried = () if wanted is None else (next(blocks(wanted, questions.block)),)
    return Seen(compared=tried, obstacle=obstacle)


class Recoverable(Protocol):
    """A session of either kind."""

    def recover(self) -> None:
        """Brings the device to dfuIDLE; raises DeviceError where that fails."""
        ...


def recover_from_read(session: Recoverable, cause: DeviceError) -> None:
    """Back to dfuIDLE after a read that failed; raises DeviceGoneError (`during_read`) where that kills the board."""
    try:
        session.recover()
    except DeviceError as error:
        raise DeviceGoneError(
            f"the board does not answer any more after this: {cause.message}; then: {error.message}",
            hint="reset the board or plug it in again and enter DFU mode; if it happens again, the job does not read",
            during_read=True,
        ) from error


class _Look:
    def __init__(self, session: Session, block: int, progress: Callable[[int, int], None] | None) -> None:
        self._session = session
        self._block = block
        self._progress = progress
        self._spans: list[Range] = []
        self._measured: Range | None = None
        self._is_alive = False
        """Whether anything was read that is not as erased flash."""

    def answer(self, questions: Questions) -> Seen:
        # The partition's start comes first: most of what follows lies above it, and is reached by its block number.
        wanted = questions.compare or questions.sample
        present = b"" if wanted is None else self._present(wanted)
        if questions.ruler is not None:
            self._measure(questions.ruler, self._read_block(questions.ruler), present)
        # What is protected lies lowest as a rule: from there all places to look at are reached by their block numbers.
        wanting = any(questions.candidates)
        remembered: list[tuple[Range, bytes]] = []
        for span in sorted(questions.witnesses) if wanting else ():
            data = self._read(span)
            if questions.ruler is not None and not remembered and span.size >= 2 * self._block:
                second = Range.sized(span.start + self._block, self._block)
                self._measure(second, data[self._block : 2 * self._block], data[: self._block])
            remembered.append((span, data))
        sites = tuple(filter(None, (self._find(candidates) for candidates in questions.candidates)))
        remembered += [(site.twin, bytes([BLANK]) * site.twin.size) for site in sites]
        if not sites or self._session.multiplies is False or not self._is_alive:
            # What reads blank was another place, or this board reads as erased everywhere.
            sites, remembered = (), []
        return Seen(
            present=present,
            compared=tuple(span for span in (wanted, questions.ruler) if span is not None),
            measured=self._measured,
            multiplies=None if self._measured is None else self._session.multiplies,
            searched=tuple(self._spans),
            sites=sites,
            remembered=tuple(remembered),
        )

    def _present(self, span: Range) -> bytes:
        seen = bytearray()
        for each in blocks(span, self._block):
            seen += self._read_block(each)
            if self._progress is not None:
                self._progress(len(seen), span.size)
        return bytes(seen)

    def _measure(self, block: Range, by_number: bytes, before: bytes) -> None:
        """Reads a block by its address, too; `before` is the block before it."""
        if self._measured is None and is_telling(by_number, before):
            self._session.point(block.start)
            self._session.multiplies = self._read_block(block) == by_number
            self._measured = block

    def _find(self, candidates: Iterable[Site]) -> Site | None:
        return next((site for site in candidates if self._is_blank(site.sector) and self._is_blank(site.twin)), None)

    def _is_blank(self, sector: Range) -> bool:
        end = sector.start
        try:
            for each in blocks(sector, self._block):
                end = each.end
                if not is_blank(self._read_block(each)):
                    return False
        finally:
            self._spans.append(Range(sector.start, end))
        return True

    def _read(self, span: Range) -> bytes:
        self._spans.append(span)
        return b"".join(self._read_block(each) for each in blocks(span, self._block))

    def _read_block(self, block: Range) -> bytes:
        data = self._session.read(block.start, block.size)
        self._is_alive = self._is_alive or not is_blank(data)
        return data


def is_blank(data: bytes) -> bool:
    """Whether nothing but erased flash is in there."""
    return data.count(BLANK) == len(data)


def is_telling(block: bytes, before: bytes) -> bool:
    """Whether a block shows where it was read, `before` being the one before it.

    One that repeats itself does not, as erased flash or a test pattern: it may read the same from beside its place. The
    first half of `before` says nothing about that, for there is the vector table.
    """
    half = len(block) // 2
    return block[half:] not in (block[:half], before[half:])


def blocks(span: Range, size: int) -> Iterator[Range]:
    """`span` in pieces of `size`, the last one shorter."""
    for at in range(span.start, span.end, size):
        yield Range(at, min(at + size, span.end))
