"""Makes the plan of a flash over plain DFU 1.1. Pure.

The device takes an image from its start to its end, into an alternate setting, and erases by itself. So nothing can be
left out, nothing can be written last, and an image that was broken off begins again at the first block. What an image
leaves open is sent as erased flash.
"""

from flashdeck.config import PartitionKind, VerifyPolicy
from flashdeck.errors import ErrorKind, RefusedError, VerifyError
from flashdeck.geometry import Range
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.dfu.plain_session import block_size
from flashdeckd.dfu.wire import MAX_TRANSFER
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.checks import check_download, check_image
from flashdeckd.flash.flash_plan import FlashPlan, Step, StepKind
from flashdeckd.flash.remarks import DATA
from flashdeckd.flash.target import AlternateTarget
from flashdeckd.images.image import Image

PROTECTION = (
    "not protectable: plain DFU 1.1 writes an image from its start, so one that is broken off is half an image that "
    "may be started"
)
LEAST_UNIT = 2
"""Bytes that a device may write at once: half-words, as the STM32F1 and its kind."""
_OPENING = 3  # GETSTATE and a name with its language
_BLOCK = 3  # DNLOAD, GETSTATUS that starts it, GETSTATUS that ends it
_ENDING = 3  # DNLOAD of no bytes, GETSTATUS that starts the manifestation, GETSTATUS that ends it
_LEAVING = 2  # DETACH and one GETSTATE


def make_plan(
    image: Image,
    target: AlternateTarget,
    functional: FunctionalDescriptor,
    *,
    history: BootloaderHistory = UNKNOWN,
    opening: int = _OPENING,
) -> FlashPlan:
    """Work out the steps that bring `image` into the target's alternate setting; `opening` is what `open` has cost.

    Raises RefusedError where it does not fit or might reach beyond its size, DescriptorError where the device cannot
    be written, VerifyError where it must be read back and cannot be.
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
    notes = [f"alternate setting {target.setting}: all offsets count from its start"]
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
    return FlashPlan(
        image=Image.raw(sent),
        boot_unit=0,
        block=block,
        steps=steps,
        requests=opening + sum(_cost(step, block) for step in steps),
        protection=DATA if target.holds is PartitionKind.DATA else PROTECTION,
        erased=(Range(0, size),),
        erased_beside=size - image.size,
        notes=tuple(notes),
    )


def _filled(image: Image, target: AlternateTarget) -> tuple[bytes, list[str]]:
    """Return what is sent for an image: whole units of the flash as far as there is room, no gaps. And what to say."""
    size = max(image.end, min(-(-image.end // LEAST_UNIT) * LEAST_UNIT, target.size))
    notes: list[str] = []
    if image.end > image.size:
        notes.append(
            f"plain DFU 1.1 knows no addresses: {image.end - image.size} bytes between pieces are sent as 0xff"
        )
    if size > image.end:
        notes.append(f"filled up with 0xff to {size} bytes: a device may lose what is no whole unit of its flash")
    elif size % LEAST_UNIT:
        notes.append(f"{size} bytes fill the partition and are no whole units of a flash: a device may lose the last")
    return image.read(Range(0, size)), notes


def _obstacle_to_reading(
    size: int, target: AlternateTarget, functional: FunctionalDescriptor, block: int, history: BootloaderHistory
) -> str:
    """Return why the image cannot be read back, or would prove nothing; "" where it can."""
    checks = (
        (target.verify is VerifyPolicy.NEVER, 'verify = "never"'),
        (not functional.can_upload, "the device says that it cannot be read (bitCanUpload is 0)"),
        (
            not functional.manifestation_tolerant,
            "the device restarts with the end of the image (bitManifestationTolerant is 0)",
        ),
        (not target.may_read, "an earlier attempt lost the board while reading"),
        # The buffer of many devices still holds the last block that they received.
        (size <= block and not history.reading_proved, "an image of a single block proves nothing when it is read"),
    )
    return next((why for applies, why in checks if applies), "")


def _steps(size: int, target: AlternateTarget, block: int, *, reading: bool, proved: bool) -> tuple[Step, ...]:
    image, end = Range(0, size), Range(size, size)
    before = [Step(StepKind.SAMPLE, image)] if reading and not proved else []
    downloads = [Step(StepKind.DOWNLOAD, Range(at, min(at + block, size))) for at in range(0, size, block)]
    after = [Step(StepKind.READ_BACK, image)] if reading else []
    leaving = [Step(StepKind.LEAVE, Range(0, 0))] if target.leave else []
    return (*before, *downloads, Step(StepKind.MANIFEST, end), *after, *leaving)


def _cost(step: Step, block: int) -> int:
    match step.action:
        case StepKind.DOWNLOAD:
            return _BLOCK
        case StepKind.MANIFEST:
            return _ENDING
        case StepKind.LEAVE:
            return _LEAVING
        case _:
            return -(-step.span.size // block) + 1  # and the ABORT behind the UPLOADs
