"""The doing of a plan over plain DFU 1.1: the image is sent, ended, and read back where that shows anything."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from msgspec.structs import replace

from flashdeck.config import VerifyPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, ParkedError, VerifyError
from flashdeck.geometry import Range
from flashdeck.job_state import Phase, Verified
from flashdeck.text import clean
from flashdeckd.dfu.plain_session import AfterManifest, PlainSession
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.flash_plan import FlashPlan, StepKind
from flashdeckd.flash.history_writer import LONGEST_REASON
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.survey import recover_from_read
from flashdeckd.flash.target import AlternateTarget

ENOUGH = 2
"""Blocks of different contents that read as sent: the buffer of the last one, or a constant, shows only one."""


@dataclass
class Comparison:
    """The reads of an image that was sent, block by block, and all that they show."""

    sample: tuple[int, bytes] | None
    """A block that was read before: its offset, and its bytes, which were not those that are sent."""
    wrong: int | None = None
    """The offset of the first block that does not read as it was sent."""
    is_stale: bool = False
    """True if the sample still reads as before."""
    _is_new: bool = False
    _right: set[bytes] = field(default_factory=set[bytes])

    def take(self, at: int, data: bytes, wanted: bytes) -> None:
        """Look at one block."""
        if self.sample is not None and at == self.sample[0]:
            self.is_stale = data == self.sample[1]
            self._is_new = not self.is_stale
        if data != wanted:
            self.wrong = at if self.wrong is None else self.wrong
        elif len(self._right) < ENOUGH:
            self._right.add(wanted)

    @property
    def proves(self) -> bool:
        """Tell whether these reads are true, although not all of them are as sent.

        The sample is not what it was before, so it is no stale read; and others are as sent, so it is no invented one.
        """
        return self._is_new and len(self._right) == ENOUGH


class PlainRun:
    """One flash under way."""

    def __init__(
        self,
        session: PlainSession,
        plan: FlashPlan,
        target: AlternateTarget,
        listener: FlashListener,
        history: BootloaderHistory,
    ) -> None:
        self._session = session
        self._plan = plan
        self._target = target
        self._listener = listener
        self._history = history
        self._size = plan.image.size
        self._old: tuple[int, bytes] | None = None
        """The first block that was read before and differs from the image: its offset, and its bytes."""
        self._readable = True
        self.verified = Verified.NO
        self.left = False
        self.interrupted = False
        self.notes: list[str] = []

    def send_twice(self) -> AfterManifest:
        """Send everything up to the end of the image; what fails once is begun anew, for blocks cannot be repeated."""
        try:
            return self._send()
        except (DeviceGoneError, VerifyError):
            raise
        except DeviceError as error:
            self._session.recover()
            self.notes.append(f"sent again from the first block: {error.message}")
        return self._send()

    def _send(self) -> AfterManifest:
        try:
            for step in self._plan.steps:
                self._listener.check()
                match step.action:
                    case StepKind.SAMPLE:
                        self._sample()
                    case StepKind.DOWNLOAD:
                        self._download(step.span)
                    case _:
                        break
        except ParkedError:
            with suppress(DeviceError):  # whatever becomes of it, the next session recovers it
                self._session.to_idle()
            raise
        return self._session.manifest()

    def finish(self, ending: AfterManifest) -> None:
        """Do the steps behind the end of the image: from here on a lost board costs only the leave."""
        actions = {step.action for step in self._plan.steps}
        try:
            if StepKind.READ_BACK in actions and self._readable:
                self._read_back(ending)
            if StepKind.LEAVE in actions and self._listener.may_leave():
                self._leave(ending)
        except VerifyError:
            raise
        except DeviceGoneError as error:
            self.interrupted = True
            self.notes.append(f"lost after the image was accepted: {error.message}")
        except DeviceError as error:
            self.notes.append(f"the leave failed: {error.message}")
        if self.verified is not Verified.YES and self._target.verify is VerifyPolicy.ALWAYS:
            raise VerifyError(
                f'verify = "always", but {self._target.partition} could not be read back: {"; ".join(self.notes)}',
                hint='the device has accepted the image; say verify = "auto" in the profile to take that for enough',
            )

    def _download(self, span: Range) -> None:
        if not span.start:
            self._listener.began()
        self._session.download(self._plan.data(span))
        self._listener.progress(Phase.WRITE, span.end, self._size)

    def _sample(self) -> None:
        """Read what is there, up to the first block that is not what is to be written."""
        for at, data, wanted in self._reads():
            self._listener.check()
            if data is None:
                return
            if data != wanted:
                self._old = at, data
                break
        self._session.to_idle()

    def _read_back(self, ending: AfterManifest) -> None:
        if ending is not AfterManifest.IDLE:
            self.notes.append(f"not verified: the device is {ending.value} after the end of the image")
            return
        seen = Comparison(self._old)
        for at, data, wanted in self._reads(again=True):
            if data is None:
                return
            if not at:
                seen = Comparison(self._old)
            seen.take(at, data, wanted)
            if seen.is_stale or (seen.wrong is not None and self._history.reading_proved):
                break  # whatever follows
            self._listener.progress(Phase.VERIFY, at + len(wanted), self._size)
        if seen.wrong is not None:
            self._mismatch(seen.wrong, seen)
        self._session.to_idle()
        if seen.wrong is None:
            self._all_as_sent()

    def _mismatch(self, at: int, seen: Comparison) -> None:
        if self._history.reading_proved or seen.proves:
            with suppress(DeviceError):
                self._session.to_idle()
            raise VerifyError(
                f"{self._target.partition} is not what was sent: it differs in the block at offset 0x{at:x}",
                hint="flash again; at the same place again, the flash or the bootloader's driver is at fault",
            )
        what = "still reads as before the download: a stale read" if seen.is_stale else "does not read as it was sent"
        self._doubt(f"the block at offset 0x{at:x} {what}")

    def _all_as_sent(self) -> None:
        if self._history.reading_proved:
            self.verified = Verified.YES
        elif self._old is not None:
            self.verified = Verified.YES
            self._listener.learned(replace(self._history, reading_proved=True, unreadable=""))
        else:
            self.notes.append("not verified: the same was read before the image was sent, which proves nothing")

    def _reads(self, *, again: bool = False) -> Iterator[tuple[int, bytes | None, bytes]]:
        """Offset, contents and wanted contents of each block; None, with a working session, where reading fails.

        With `again`, a first failure is forgiven, and the first block comes once more.
        """
        for span in self._plan.read_blocks(Range(0, self._size)):
            wanted = self._plan.data(span)
            # A whole block is asked for where the partition has it: some devices take fewer bytes for the end.
            length = min(self._plan.block, self._target.size - span.start)
            try:
                data = self._session.upload(length)
            except DeviceGoneError:
                raise
            except DeviceError as error:
                recover_from_read(self._session, error)
                if again:
                    yield from self._reads()
                    return
                self._doubt(error.message)
                yield span.start, None, wanted
                return
            if len(data) < len(wanted):
                self._session.to_idle()
                self._doubt(f"at offset 0x{span.start:x} it answered {len(data)} of {length} bytes")
                yield span.start, None, wanted
                return
            yield span.start, data[: len(wanted)], wanted

    def _doubt(self, reason: str) -> None:
        self._readable = False
        if not self._history.reading_proved:
            self._listener.learned(replace(self._history, unreadable=clean(reason, LONGEST_REASON)))
        self.notes.append(f"not verified, because reading does not work on this board: {reason}")

    def _leave(self, ending: AfterManifest) -> None:
        self.left = ending is AfterManifest.GONE or self._session.leave(after=ending)
        if self.left:
            self._listener.progress(Phase.LEAVE, 1, 1)
        else:
            self.notes.append("the bootloader did not restart: reset the board to start the application")
