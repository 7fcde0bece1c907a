"""Test reads of one partition: its first and last block by address, or the first block of an alternate setting.

Each is asked for in one transfer, and recovered from where it fails.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from flashdeck.config import Partition, PollPolicy, Profile
from flashdeck.errors import DeviceError, DeviceGoneError, StallError
from flashdeck.geometry import Range
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.plain_session import PlainSession, block_size
from flashdeckd.dfu.recovery import Sleep
from flashdeckd.diagnosis.observation import ReadOutcome, TestRead


class Sample(Protocol):
    """The test reads of one partition."""

    @property
    def name(self) -> str:
        """The partition's."""
        ...

    @property
    def span(self) -> Range:
        """The partition's."""
        ...

    @property
    def addresses(self) -> tuple[Range, ...]:
        """The addresses that a device may be pointed at."""
        ...

    def mismatch(self, *, is_dfuse: bool) -> str:
        """Return why a device of that kind cannot be asked for it; "" if it can."""
        ...

    def reads(self, pipe: ControlPipe, functional: FunctionalDescriptor, sleep: Sleep) -> Iterator[TestRead]:
        """Read, up to the first failure. Raises DeviceError where the device does not get as far as reading."""
        ...


def sample_of(profile: Profile, partition: Partition) -> Sample:
    """Return the way to read a partition."""
    if partition.alternate is None:
        return _AddressSample(partition.name, partition.span, profile.geometry.program_unit)
    return _AlternateSample(partition.name, partition.span, partition.alternate)


@dataclass(frozen=True, slots=True)
class _AddressSample:
    name: str
    span: Range
    unit: int
    """Bytes that the flash programs at once."""

    @property
    def addresses(self) -> tuple[Range, ...]:
        return (self.span,)

    def mismatch(self, *, is_dfuse: bool) -> str:
        return "" if is_dfuse else "the device speaks plain DFU, which has no addresses"

    def reads(self, pipe: ControlPipe, functional: FunctionalDescriptor, sleep: Sleep) -> Iterator[TestRead]:
        session = DfuseSession(pipe, Fence(self.span, frozenset(), self.unit), PollPolicy.SPEC, sleep)
        session.open()
        for span in self._spans(functional):
            read = self._read(session, pipe, span)
            yield read
            if read.outcome is not ReadOutcome.DATA:
                return
        session.to_idle()

    def _spans(self, functional: FunctionalDescriptor) -> Iterator[Range]:
        size = min(block_size(functional), self.span.size)
        first, last = Range.sized(self.span.start, size), Range(self.span.end - size, self.span.end)
        yield first
        if last != first and functional.can_upload:
            yield last

    def _read(self, session: DfuseSession, pipe: ControlPipe, span: Range) -> TestRead:
        try:
            return TestRead(self.name, span, ReadOutcome.DATA, session.read(span.start, span.size))
        except DeviceGoneError as error:
            return TestRead(self.name, span, ReadOutcome.LOST, message=error.message)
        except DeviceError as error:
            if not session.reading:  # it was no read yet: Set Address failed
                raise
            return _failed(session, pipe, self.name, span, error)


@dataclass(frozen=True, slots=True)
class _AlternateSample:
    name: str
    span: Range
    setting: int | str

    @property
    def addresses(self) -> tuple[Range, ...]:
        return ()

    def mismatch(self, *, is_dfuse: bool) -> str:
        return "the device speaks DfuSe, and the partition has no address" if is_dfuse else ""

    def reads(self, pipe: ControlPipe, functional: FunctionalDescriptor, sleep: Sleep) -> Iterator[TestRead]:
        """Read the first block; anything further would have to follow it."""
        session = PlainSession(pipe, self.setting, self.span.size, sleep)
        session.open()
        span = Range.sized(self.span.start, min(block_size(functional), self.span.size))
        try:
            data = session.upload(span.size)
        except DeviceGoneError as error:
            yield TestRead(self.name, span, ReadOutcome.LOST, message=error.message)
        except DeviceError as error:
            yield _failed(session, pipe, self.name, span, error)
        else:  # a short answer is how it says that there is no more
            outcome = ReadOutcome.DATA if data else ReadOutcome.SHORT
            message = "" if data else "the bootloader answered nothing"
            yield TestRead(self.name, span, outcome, data, message=message)
            session.to_idle()


def _failed(
    session: DfuseSession | PlainSession, pipe: ControlPipe, name: str, span: Range, error: DeviceError
) -> TestRead:
    """Recover from a read that failed, and return how it did."""
    state: int | None = None
    with suppress(DeviceError):
        state = class_requests.get_state(pipe)
    try:
        session.recover()
    except DeviceError as after:
        message = f"{error.message}; then: {after.message}"
        return TestRead(name, span, ReadOutcome.LOST, state=state, message=message)
    if isinstance(error, StallError):
        outcome = ReadOutcome.REFUSED
    else:
        outcome = ReadOutcome.SHORT if type(error) is DeviceError else ReadOutcome.FAILED
    return TestRead(name, span, outcome, state=state, message=error.message)
