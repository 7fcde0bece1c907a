"""A flash over plain DFU 1.1: its plan, and what can be done with a board. The doing is in `plain_run`.

The device takes an image from its start to its end, into an alternate setting, and erases by itself. So nothing can be
left out, nothing can be written last, and an image that was broken off begins again at the first block. What an image
leaves open is sent as erased flash.
"""

import time

from flashdeck.config import Holds, VerifyPolicy
from flashdeck.errors import (
    DeviceGoneError,
    ErrorKind,
    RefusedError,
    VerifyError,
)
from flashdeck.geometry import Range
from flashdeck.model import Phase
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.plain import PlainSession, block_size
from flashdeckd.dfu.wire import MAX_TRANSFER
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.checks import check_download, check_image
from flashdeckd.flash.observer import Observer, Outcome, Sleep
from flashdeckd.flash.plain_run import PlainRun
from flashdeckd.flash.plan import Action, Plan, Step
from flashdeckd.flash.remarks import DATA
from flashdeckd.flash.target import Target
from flashdeckd.images.image import Image

UNSEEN = FunctionalDescriptor(transfer_size=1024)
"""What is taken for granted of a device that can not be asked now."""
PROTECTION = (
    "not protectable: plain DFU 1.1 writes an image from its start, so one that is broken off is half an image that "
    "may be started"
)
LEAST_UNIT = 2
"""Bytes that a device writes at once where nothing says more: half-words, as the STM32F1 and its kind."""
_OPENING = 3  # GETSTATE and a name with its language
_BLOCK = 3  # DNLOAD, GETSTATUS that starts it, GETSTATUS that ends it
_ENDING = 3  # DNLOAD of no bytes, GETSTATUS that starts the manifestation, GETSTATUS that ends it
_LEAVING = 2  # DETACH and one GETSTATE


def make_plan(
    image: Image,
    target: Target,
    functional: FunctionalDescriptor = UNSEEN,
    *,
    history: BootloaderHistory = UNKNOWN,
    opening: int = _OPENING,
) -> Plan:
    """Work out the steps that bring `image` into the target's alternate setting; `opening` is what `open` has cost.

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
    sent, filled = _filled(image, target)
    notes += filled
    size = len(sent)
    obstacle = _obstacle_to_reading(size, target, functional, block, history)
    if obstacle and target.verify is VerifyPolicy.ALWAYS:
        raise VerifyError(
            f'verify = "always", but {obstacle}; nothing was sent',
            hint='say verify = "auto" in the profile to flash without reading back',
        )
    if obstacle:
        notes.append(f"not verified: {obstacle}")
    steps = _steps(size, target, block, reading=not obstacle, proved=history.reading_proved)
    return Plan(
        target=target,
        image=Image.raw(sent),
        boot_unit=0,
        block=block,
        steps=steps,
        requests=opening + sum(_cost(step, block) for step in steps),
        protection=DATA if target.holds is Holds.DATA else PROTECTION,
        erased=(Range(0, size),),
        erased_beside=size - image.size,
        notes=tuple(notes),
    )


def flash(
    pipe: ControlPipe,
    image: Image,
    target: Target,
    observer: Observer,
    sleep: Sleep = time.sleep,
    *,
    history: BootloaderHistory = UNKNOWN,
) -> Outcome:
    """Bring `image` into the target's alternate setting, by the plan.

    Raises what `make_plan` raises before anything was sent; ParkedError where the observer asked to stop, with the
    device in dfuIDLE; DeviceGoneError where the board was lost before it had accepted the end of the image, with
    `during_read` where the next attempt had better not read; VerifyError for a mismatch where reading was proved
    before, without a leave; another DeviceError for what the device refused. Every attempt begins at the first block.
    """
    started, transfers = time.monotonic(), pipe.transfers
    session = _session(pipe, target, sleep)
    try:
        observer.progress(Phase.OPEN, 0, 1)
        plan = _survey(session, pipe, image, target, history)
        observer.progress(Phase.OPEN, 1, 1)
        observer.planned(plan)
        run = PlainRun(session, plan, observer, history)
        ending = run.send_twice()
    except DeviceGoneError as error:
        raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error
    observer.committed()
    run.finish(ending)
    return Outcome(
        bytes_written=image.size,
        erases=0,
        blocks=plan.blocks,
        transfers=pipe.transfers - transfers,
        uploads=session.uploads,
        slept=session.slept,
        seconds=time.monotonic() - started,
        verified=run.verified,
        protection=plan.protection,
        left=run.left,
        erased_beside=plan.erased_beside,
        interrupted=run.interrupted,
        notes=(*plan.notes, *run.notes),
        remarks=tuple(run.notes),
    )


def survey(pipe: ControlPipe, image: Image, target: Target, *, history: BootloaderHistory = UNKNOWN) -> Plan:
    """Ask the device what it is and plans; writes and reads nothing, and leaves the device in dfuIDLE."""
    return _survey(_session(pipe, target, time.sleep), pipe, image, target, history)


def leave(pipe: ControlPipe, target: Target, sleep: Sleep = time.sleep) -> bool:
    """Start the application of a board that only lacks that; True if the board took it."""
    session = _session(pipe, target, sleep)
    session.open()
    return session.leave()


def _session(pipe: ControlPipe, target: Target, sleep: Sleep) -> PlainSession:
    if target.alternate is None:
        raise ValueError(f"{target.partition} is a range of addresses, which plain DFU does not know")
    return PlainSession(pipe, target.alternate, target.span.size, sleep)


def _survey(session: PlainSession, pipe: ControlPipe, image: Image, target: Target, history: BootloaderHistory) -> Plan:
    before = pipe.transfers
    functional = session.open().functional
    return make_plan(image, target, functional, history=history, opening=pipe.transfers - before)


def _filled(image: Image, target: Target) -> tuple[bytes, list[str]]:
    """Return what is sent for an image: whole units of the flash as far as there is room, no gaps. And what to say."""
    unit = target.geometry.program_unit if target.geometry.regions else LEAST_UNIT
    size = max(image.end, min(-(-image.end // unit) * unit, target.span.size))
    notes: list[str] = []
    if image.end > image.size:
        notes.append(
            f"plain DFU 1.1 knows no addresses: {image.end - image.size} bytes between pieces are sent as 0xff"
        )
    if size > image.end:
        notes.append(f"filled up with 0xff to {size} bytes: a device may lose what is no whole unit of its flash")
    elif size % unit:
        notes.append(f"{size} bytes fill the partition and are no whole units of a flash: a device may lose the last")
    return image.read(Range(0, size)), notes


def _obstacle_to_reading(
    size: int, target: Target, functional: FunctionalDescriptor, block: int, history: BootloaderHistory
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
        (size <= block and not history.reading_proved, "an image of a single block proves nothing when it is read"),
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
