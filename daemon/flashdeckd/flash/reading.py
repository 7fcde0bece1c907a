"""Reading a partition as it is: nothing is erased or written, and no address outside of it is set.

Reads are believed only where they were proved. What was refused, or seen not to be true, a person has to want.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from flashdeck.errors import DeviceError, DeviceGoneError, ParkedError, StallError, UnreadableError
from flashdeck.geometry import Range
from flashdeck.job_state import Phase, TimeClaim
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.plain_session import PlainSession
from flashdeckd.flash.layout import blocks
from flashdeckd.flash.survey import recover_from_read
from flashdeckd.images.image import Image, Piece


class ReadListener(Protocol):
    """Hears of the reads, and may ask to stop. Called in the thread that reads."""

    def progress(self, phase: Phase, done: int, total: int) -> None:
        """So many bytes of the phase are done."""
        ...

    def claimed(self, claim: TimeClaim) -> None:
        """The board claims time, and is waited for."""
        ...

    def check(self) -> None:
        """Raises ParkedError at a safe point when the reads are to stop."""
        ...


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """The parts of a partition that are to be read."""

    wanted: Image
    """The bytes that they are compared with; all whole blocks in which it defines something are read."""
    whole: bool = False
    """True if all of the partition is read, whatever is wanted."""
    force: bool = False
    """True if a person wants it although reads were refused, or seen not to be true."""

    @property
    def phase(self) -> Phase:
        """The word for what is done."""
        return Phase.READ if self.whole else Phase.VERIFY

    def cells(self, span: Range, block: int) -> tuple[Range, ...]:
        """Return the blocks to read, on a grid of whole blocks from the start of `span`, counted from there."""
        grid = blocks(Range(0, span.size), block)
        return tuple(cell for cell in grid if self.whole or self.wanted.touches(cell))


@dataclass(frozen=True, slots=True)
class ReadResult:
    """All that was read."""

    read: Image = field(repr=False)
    """The bytes, counted from the partition's start."""
    proved: bool
    """True if this board was seen to answer reads with what is there."""
    transfers: int
    uploads: int
    slept: float
    seconds: float
    remarks: tuple[str, ...] = ()
    """All that a person should know of how it went."""


UNPROVED = "reads of this board are not proved yet: the next flash of it tries to"
"""The remark on reads that nobody has seen to be true."""


def require_readable(obstacle: str, *, force: bool) -> None:
    """Raises UnreadableError where something speaks against reading, unless a person wants it all the same."""
    if obstacle and not force:
        raise UnreadableError(
            f"this board cannot be read: {obstacle}",
            hint="--force tries it all the same; what the board answers may be false",
        )


def read_addresses(
    session: DfuseSession, start: int, cells: Iterable[Range], order: ReadOrder, listener: ReadListener
) -> Image:
    """Return the bytes of `cells`, counted from the address `start`. A single failure is forgiven."""
    cells = tuple(cells)
    taken, total = 0, sum(cell.size for cell in cells)
    pieces: list[Piece] = []
    for cell in cells:
        listener.check()
        pieces.append(Piece(cell.start, _again(session, lambda cell=cell: _at(session, start + cell.start, cell.size))))
        taken += cell.size
        listener.progress(order.phase, taken, total)
    return Image.of(pieces)


def _at(session: DfuseSession, address: int, size: int) -> bytes:
    if not session.multiplies:  # a block that is reached by its number may be another one
        session.point(address)
    return session.read(address, size)


def _again(session: DfuseSession, read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except DeviceGoneError:
        raise
    except DeviceError as error:
        recover_from_read(session, error)
    return read()


def read_in_order(
    session: PlainSession, size: int, block: int, order: ReadOrder, listener: ReadListener
) -> tuple[Image, str]:
    """Return the bytes of an alternate setting, from its start on, and what is to be said of them.

    Reads as far as the last byte that is wanted; where all of it is read, a short answer is its end. Everything begins
    anew after a single failure, for blocks cannot be repeated.
    """
    try:
        return _in_order(session, size, block, order, listener)
    except DeviceGoneError:
        raise
    except DeviceError as error:
        recover_from_read(session, error)
    return _in_order(session, size, block, order, listener)


def _in_order(
    session: PlainSession, size: int, block: int, order: ReadOrder, listener: ReadListener
) -> tuple[Image, str]:
    end = size if order.whole else order.wanted.end
    data = bytearray()
    for asked, answer in _answers(session, size, block, end, listener):
        data += answer
        listener.progress(order.phase, min(len(data), end), end)
        if len(answer) < asked:
            break
    session.to_idle()
    if not data or (len(data) < end and not order.whole):
        raise DeviceError(
            f"the board answered {len(data)} of {end} bytes", hint="its bootloader does not give out all of its flash"
        )
    remark = f"the board gave out {len(data)} of {size} bytes" if len(data) < end else ""
    return Image.raw(bytes(data)), remark


def _answers(
    session: PlainSession, size: int, block: int, end: int, listener: ReadListener
) -> Iterator[tuple[int, bytes]]:
    for cell in blocks(Range(0, end), block):
        listener.check()
        length = min(block, size - cell.start)  # whole blocks: some devices take fewer bytes for the end
        yield length, session.upload(length)


@contextmanager
def ending_idle(session: DfuseSession | PlainSession, *, force: bool) -> Generator[None]:
    """Bring the device to dfuIDLE where the reads in the block end early, as well as it can be done.

    A board that is lost during a read is said to be. A refusal is one that a person may want to try all the same,
    unless that was done (`force`).
    """
    try:
        yield
    except DeviceGoneError as error:
        raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error
    except DeviceError as error:
        _leave_idle(session)
        raise _told(error, force=force) from error
    except ParkedError:
        _leave_idle(session)
        raise


def _told(error: DeviceError, *, force: bool) -> DeviceError:
    if isinstance(error, StallError) and not force:
        hint = "its bootloader was built without reading, or does not allow it now; --force only tries again"
        return UnreadableError(error.message, hint=hint)
    return error


def _leave_idle(session: DfuseSession | PlainSession) -> None:
    with suppress(DeviceError):  # the next session recovers it
        session.to_idle()
