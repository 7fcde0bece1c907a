"""A flash over plain DFU 1.1: its plan, and the doing of it.

The device takes an image from its start to its end, into an alternate setting, and erases by itself. So nothing can be
left out, nothing can be written last, and an image that was broken off begins again at the first block.
"""

import time
from collections.abc import Iterator
from contextlib import suppress

from msgspec.structs import replace

from flashdeck.config import VerifyPolicy
from flashdeck.errors import (
    DeviceError,
    DeviceGoneError,
    ErrorKind,
    ParkedError,
    RefusedError,
    VerifyError,
)
from flashdeck.geometry import Range
from flashdeck.model import Phase, Verified
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.plain import Ending, PlainSession, block_size
from flashdeckd.dfu.wire import MAX_TRANSFER
from flashdeckd.flash.checks import check_download, check_image
from flashdeckd.flash.experience import UNKNOWN, Experience
from flashdeckd.flash.observer import Observer, Outcome, Sleep
from flashdeckd.flash.plan import Action, Plan, Step
from flashdeckd.flash.survey import recover_from_read
from flashdeckd.flash.target import Target

UNSEEN = FunctionalDescriptor(transfer_size=1024)
"""What is taken for granted of a device that can not be asked now."""
PROTECTION = (
    "not protectable: plain DFU 1.1 writes an image from its start, so one that is broken off is half an image that "
    "may be started"
)
_OPENING = 3  # GETSTATE and a name with its language
_BLOCK = 3  # DNLOAD, GETSTATUS that starts it, GETSTATUS that ends it
_ENDING = 3  # DNLOAD of no bytes, GETSTATUS that starts the manifestation, GETSTATUS that ends it
_LEAVING = 2  # DETACH and one GETSTATE


def make_plan(
    image: bytes,
    target: Target,
    functional: FunctionalDescriptor = UNSEEN,
    *,
    experience: Experience = UNKNOWN,
    opening: int = _OPENING,
) -> Plan:
    """Works out the steps that bring `image` into the target's alternate setting; `opening` is what `open` has cost.

    Raises RefusedError where it does not fit or might reach beyond its size, DescriptorError where the device can not
    be written, VerifyError where it must be read back and can not be.
    """
    check_image(image, target)
    check_download(can_download=functional.can_download)
    block = block_size(functional)
    if block != functional.transfer_size:
        raise RefusedError(
            f"wTransferSize is {functional.transfer_size or 'not stated'}, so blocks would have {block} bytes: a "
            f"device that multiplies their numbers by its own size puts them elsewhere, behind {target.partition} too",
            hint=f"let the bootloader state a wTransferSize of at most {MAX_TRANSFER}, which is what Linux carries",
            kind=ErrorKind.OUTSIDE_PARTITION,
        )
    notes = [f"alternate setting {target.alternate}: all offsets count from its start"]
    obstacle = _obstacle_to_reading(len(image), target, functional, block, experience)
    if obstacle and target.verify is VerifyPolicy.ALWAYS:
        raise VerifyError(
            f'verify = "always", but {obstacle}; nothing was sent',
            hint='say verify = "auto" in the profile to flash without reading back',
        )
    if obstacle:
        notes.append(f"not verified: {obstacle}")
    steps = _steps(len(image), target, block, reading=not obstacle, proved=experience.reading_proved)
    return Plan(
        target=target,
        contents=image,
        boot_unit=0,
        block=block,
        steps=steps,
        requests=opening + sum(_cost(step, block) for step in steps),
        protection=PROTECTION,
        notes=tuple(notes),
    )


def flash(
    pipe: ControlPipe,
    image: bytes,
    target: Target,
    observer: Observer,
    sleep: Sleep = time.sleep,
    *,
    experience: Experience = UNKNOWN,
) -> Outcome:
    """Brings `image` into the target's alternate setting, by the plan.

    Raises what `make_plan` raises before anything was sent; ParkedError where the observer asked to stop, with the
    device in dfuIDLE; DeviceGoneError where the board was lost before it had accepted the end of the image, with
    `during_read` where the next attempt had better not read; VerifyError for a mismatch where reading was proved
    before, without a leave; another DeviceError for what the device refused. Every attempt begins at the first block.
    """
    started, transfers = time.monotonic(), pipe.transfers
    session = _session(pipe, target, sleep)
    try:
        observer.progress(Phase.OPEN, 0, 1)
        plan = _survey(session, pipe, image, target, experience)
        observer.progress(Phase.OPEN, 1, 1)
        observer.planned(plan)
        run = _Run(session, plan, observer, experience)
        ending = run.send_twice()
    except DeviceGoneError as error:
        raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error
    observer.committed()
    run.finish(ending)
    return Outcome(
        bytes_written=len(image),
        erases=0,
        blocks=plan.blocks,
        transfers=pipe.transfers - transfers,
        uploads=session.uploads,
        slept=session.slept,
        seconds=time.monotonic() - started,
        verified=run.verified,
        protection=plan.protection,
        left=run.left,
        interrupted=run.interrupted,
        notes=(*plan.notes, *run.notes),
    )


def survey(pipe: ControlPipe, image: bytes, target: Target, *, experience: Experience = UNKNOWN) -> Plan:
    """Asks the device what it is and plans; writes and reads nothing, and leaves the device in dfuIDLE."""
    return _survey(_session(pipe, target, time.sleep), pipe, image, target, experience)


def leave(pipe: ControlPipe, target: Target, sleep: Sleep = time.sleep) -> bool:
    """Starts the application of a board that only lacks that; True if the board took it."""
    session = _session(pipe, target, sleep)
    session.open()
    return session.leave()


def _session(pipe: ControlPipe, target: Target, sleep: Sleep) -> PlainSession:
    if target.alternate is None:
        raise ValueError(f"{target.partition} is a range of addresses, which plain DFU does not know")
    return PlainSession(pipe, target.alternate, target.span.size, sleep)


def _survey(session: PlainSession, pipe: ControlPipe, image: bytes, target: Target, experience: Experience) -> Plan:
    before = pipe.transfers
    functional = session.open().functional
    return make_plan(image, target, functional, experience=experience, opening=pipe.transfers - before)


def _obstacle_to_reading(
    size: int, target: Target, functional: FunctionalDescriptor, block: int, experience: Experience
) -> str:
    """Why the image can not be read back, or would prove nothing; "" where it can."""
    checks = (
        (target.verify is VerifyPolicy.NEVER, 'verify = "never"'),
        (not functional.can_upload, "the device says that it can not be read (bitCanUpload is 0)"),
        (
            not functional.manifestation_tolerant,
            "the device restarts with the end of the image (bitManifestationTolerant is 0)",
        ),
        (not target.may_read, "an earlier attempt lost the board while reading"),
        # The buffer of many devices still holds the last block that they received.
        (size <= block and not experience.reading_proved, "an image of a single block proves nothing when it is read"),
    )
    return next((why for applies, why in checks if applies), "")


def _steps(size: int, target: Target, block: int, *, reading: bool, proved: bool) -> tuple[Step, ...]:
    image, end = Range(0, size), Range(size, size)
    before = [Step(Action.SAMPLE, image)] if reading and not proved else []
    downloads = [Step(Action.DOWNLOAD, Range(at, min(at + block, size))) for at in range(0, size, block)]
    after = [Step(Action.READ_BACK, image)] if reading else []
    leaving = [Step(Action.LEAVE, Range(0, 0))] if target.leave else []
    return (*before, *downloads, Step(Action.MANIFEST, end), *after, *leaving)


def _cost(step: Step, block: int) -> int:
    match step.action:
        case Action.DOWNLOAD:
            return _BLOCK
        case Action.MANIFEST:
            return _ENDING
        case Action.LEAVE:
            return _LEAVING
        case _:
            return -(-step.span.size // block) + 1  # and the ABORT behind the UPLOADs


class _Run:
    """One flash under way."""

    def __init__(self, session: PlainSession, plan: Plan, observer: Observer, experience: Experience) -> None:
        self._session = session
        self._plan = plan
        self._target = plan.target
        self._observer = observer
        self._experience = experience
        self._size = len(plan.contents)
        self._old: tuple[int, bytes] | None = None
        """The first block that was read before and is not what is to be written: its offset, and what it held."""
        self._readable = True
        self.verified = Verified.NO
        self.left = False
        self.interrupted = False
        self.notes: list[str] = []

    def send_twice(self) -> Ending:
        """Everything up to the end of the image; what fails once is begun anew, for blocks can not be repeated."""
        try:
            return self._send()
        except (DeviceGoneError, VerifyError):
            raise
        except DeviceError as error:
            self._session.recover()
            self.notes.append(f"sent again from the first block: {error.message}")
        return self._send()

    def _send(self) -> Ending:
        try:
            for step in self._plan.steps:
                self._observer.check()
                match step.action:
                    case Action.SAMPLE:
                        self._sample()
                    case Action.DOWNLOAD:
                        self._download(step.span)
                    case _:
                        break
        except ParkedError:
            with suppress(DeviceError):  # whatever becomes of it, the next session recovers it
                self._session.to_idle()
            raise
        return self._session.manifest()

    def finish(self, ending: Ending) -> None:
        """The steps behind the end of the image: from here on a lost board costs only the leave."""
        actions = {step.action for step in self._plan.steps}
        try:
            if Action.READ_BACK in actions and self._readable:
                self._read_back(ending)
            if Action.LEAVE in actions:
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
            self._observer.began()
        self._session.download(self._plan.data(span))
        self._observer.progress(Phase.WRITE, span.end, self._size)

    def _sample(self) -> None:
        """Reads what is there, up to the first block that is not what is to be written."""
        for at, data, wanted in self._reads():
            self._observer.check()
            if data is None:
                return
            if data != wanted:
                self._old = at, data
                break
        self._session.to_idle()

    def _read_back(self, ending: Ending) -> None:
        if ending is not Ending.IDLE:
            self.notes.append(f"not verified: the device is {ending.value} after the end of the image")
            return
        proved = self._experience.reading_proved
        for at, data, wanted in self._reads(again=True):
            if data is None:
                return
            if data != wanted:
                self._mismatch(at, data, proved=proved)
                return
            self._observer.progress(Phase.VERIFY, at + len(wanted), self._size)
        self._session.to_idle()
        if proved or self._old is not None:
            self.verified = Verified.YES
        else:
            self.notes.append("not verified: the same was read before the image was sent, which proves nothing")
        if self.verified is Verified.YES and not proved:
            self._observer.learned(replace(self._experience, reading_proved=True))

    def _mismatch(self, at: int, data: bytes, *, proved: bool) -> None:
        if proved:
            with suppress(DeviceError):
                self._session.to_idle()
            raise VerifyError(
                f"{self._target.partition} does not hold what was sent: it differs in the block at offset 0x{at:x}",
                hint="flash again; at the same place again, the flash or the bootloader's driver is at fault",
            )
        is_stale = self._old == (at, data)
        what = "still reads as before the download: a stale read" if is_stale else "does not read as it was sent"
        self._doubt(f"the block at offset 0x{at:x} {what}")
        self._session.to_idle()

    def _reads(self, *, again: bool = False) -> Iterator[tuple[int, bytes | None, bytes]]:
        """Offset, contents and wanted contents of each block; None, with a working session, where reading fails.

        With `again`, a first failure is forgiven, and the first block comes once more.
        """
        for span in self._plan.read_blocks(Range(0, self._size)):
            wanted = self._plan.data(span)
            # A whole block is asked for where the partition has it: some devices take fewer bytes for the end.
            length = min(self._plan.block, self._target.span.size - span.start)
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
        self.notes.append(f"not verified, because reading does not work on this board: {reason}")

    def _leave(self, ending: Ending) -> None:
        self.left = ending is Ending.GONE or self._session.leave(after=ending)
        if self.left:
            self._observer.progress(Phase.LEAVE, 1, 1)
        else:
            self.notes.append("the bootloader did not restart: reset the board to start the application")
