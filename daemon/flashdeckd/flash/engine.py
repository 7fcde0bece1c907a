"""The ways to use a board in DFU mode: survey, flash, erase, read, leave. The type of its target chooses the engine."""

from typing import Protocol, assert_never

from flashdeckd.dfu import leaving
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.recovery import Sleep
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.dfuse_engine import DfuseEngine
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.plain_engine import PlainEngine
from flashdeckd.flash.reading import ReadListener, ReadOrder, ReadResult
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import AddressTarget, AlternateTarget, Target
from flashdeckd.host import clock
from flashdeckd.images.image import Image


class Engine(Protocol):
    """One partition of one board, and all that can be done with it. The functions below say what each raises."""

    def survey(self, pipe: ControlPipe, image: Image) -> FlashPlan:
        """Plan with what the device says; write nothing."""
        ...

    def preview(self, image: Image, facts: DeviceFacts) -> FlashPlan:
        """Plan without the device."""
        ...

    def flash(self, pipe: ControlPipe, image: Image, listener: FlashListener, sleep: Sleep) -> FlashResult:
        """Bring the image onto the device."""
        ...

    def preview_erase(self, facts: DeviceFacts) -> FlashPlan:
        """Plan an erase without the device."""
        ...

    def survey_erase(self, pipe: ControlPipe) -> FlashPlan:
        """Plan an erase with what the device says; write nothing."""
        ...

    def erase(self, pipe: ControlPipe, listener: FlashListener, sleep: Sleep) -> FlashResult:
        """Erase all of the partition."""
        ...

    def read(self, pipe: ControlPipe, order: ReadOrder, listener: ReadListener, sleep: Sleep) -> ReadResult:
        """Read what the order says, and change nothing."""
        ...

    def leave(self, pipe: ControlPipe, sleep: Sleep) -> bool:
        """Start the application; True if the device took it."""
        ...


def engine_for(target: Target, history: BootloaderHistory = UNKNOWN, cached: Image | None = None) -> Engine:
    """Return the engine for a target: the one place where its type is looked at."""
    match target:
        case AddressTarget():
            return DfuseEngine(target, history, cached)
        case AlternateTarget():
            return PlainEngine(target, history)
        case _:
            assert_never(target)


def survey(
    pipe: ControlPipe,
    image: Image,
    target: Target,
    *,
    history: BootloaderHistory = UNKNOWN,
    cached: Image | None = None,
) -> FlashPlan:
    """Ask the device what it is and read what a plan needs; write nothing, and leave the device in dfuIDLE.

    Raises what planning raises (see `flash`), and DeviceGoneError.
    """
    return engine_for(target, history, cached).survey(pipe, image)


def preview(image: Image, target: Target, facts: DeviceFacts) -> FlashPlan:
    """Return the plan for a board that cannot be asked now; `facts` are taken for granted. Raises as `flash` does."""
    return engine_for(target).preview(image, facts)


def flash(
    pipe: ControlPipe,
    image: Image,
    target: Target,
    listener: FlashListener,
    sleep: Sleep = clock.sleep,
    *,
    history: BootloaderHistory = UNKNOWN,
    cached: Image | None = None,
) -> FlashResult:
    """Bring `image` into the target's partition, by a plan.

    `history` is what earlier jobs found out about the board. `cached` is what the partition has as far as that is
    known and the profile says that it may be trusted; nothing is known of its gaps.
    Raises before anything was changed: RefusedError where it would touch what it must not, BlockedError where somebody
    has to look first, VerifyError where it must be read back and cannot be, DescriptorError where the device cannot be
    written. Later: ParkedError where the listener asked to stop, with the device in dfuIDLE; DeviceGoneError where the
    board was lost before it had the image, with `during_read` where the next attempt had better not read
    (`may_read` of the target): a board that hangs after a read counts as lost, too; VerifyError where proved reading
    shows something else than was written; another DeviceError for what the device refused.
    """
    return engine_for(target, history, cached).flash(pipe, image, listener, sleep)


def preview_erase(target: Target, facts: DeviceFacts) -> FlashPlan:
    """Return the plan of an erase for a board that cannot be asked now. Raises as `erase` does."""
    return engine_for(target).preview_erase(facts)


def survey_erase(
    pipe: ControlPipe, target: Target, *, history: BootloaderHistory = UNKNOWN, cached: Image | None = None
) -> FlashPlan:
    """Return the plan of an erase, as `survey` does for a flash."""
    return engine_for(target, history, cached).survey_erase(pipe)


def erase(
    pipe: ControlPipe,
    target: Target,
    listener: FlashListener,
    sleep: Sleep = clock.sleep,
    *,
    history: BootloaderHistory = UNKNOWN,
    cached: Image | None = None,
) -> FlashResult:
    """Erase all of the target's partition, and leave the board in DFU mode.

    Raises what `flash` does, and RefusedError where the device has no erase (plain DFU 1.1).
    """
    return engine_for(target, history, cached).erase(pipe, listener, sleep)


def read(
    pipe: ControlPipe,
    target: Target,
    order: ReadOrder,
    listener: ReadListener,
    sleep: Sleep = clock.sleep,
    *,
    history: BootloaderHistory = UNKNOWN,
) -> ReadResult:
    """Read of the target's partition what `order` says, and leave the device in dfuIDLE; nothing is changed.

    Raises UnreadableError where the device refuses it, or says that it cannot be read, and nobody wants it all the
    same; DeviceGoneError (`during_read`) where the board was lost; ParkedError where the listener asked to stop;
    another DeviceError for reads that failed twice.
    """
    return engine_for(target, history).read(pipe, order, listener, sleep)


def leave(pipe: ControlPipe, target: Target, sleep: Sleep = clock.sleep) -> bool:
    """Start the application of a board that only lacks that; True if the board took it."""
    return engine_for(target).leave(pipe, sleep)


def detach(pipe: ControlPipe) -> None:
    """Ask a running application to come back in DFU mode. A board that vanishes or refuses is no error here."""
    leaving.detach(pipe)
