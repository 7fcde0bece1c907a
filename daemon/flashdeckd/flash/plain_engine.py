"""The engine for plain DFU 1.1 devices: an image goes into an alternate setting, from its start to its end."""

from dataclasses import dataclass

from flashdeck.errors import DeviceError, DeviceGoneError, RefusedError, TransferTimeoutError
from flashdeck.job_state import Phase
from flashdeckd.dfu.claims import OnClaim, tell_nobody
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.plain_session import PlainSession, block_size
from flashdeckd.dfu.recovery import Sleep
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.plain_planner import make_plan
from flashdeckd.flash.plain_run import PlainRun
from flashdeckd.flash.reading import (
    UNPROVED,
    ReadListener,
    ReadOrder,
    ReadResult,
    ending_idle,
    read_in_order,
    require_readable,
)
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import AlternateTarget
from flashdeckd.host import clock
from flashdeckd.images.image import Image


@dataclass(frozen=True, slots=True)
class PlainEngine:
    """One alternate setting of one board."""

    target: AlternateTarget
    history: BootloaderHistory = UNKNOWN
    """The findings of earlier jobs about the board."""

    def survey(self, pipe: ControlPipe, image: Image) -> FlashPlan:
        """Ask the device what it is and plan; write and read nothing, and leave the device in dfuIDLE."""
        return self._plan(self._session(pipe, clock.sleep), pipe, image)

    def preview(self, image: Image, facts: DeviceFacts) -> FlashPlan:
        """Return the plan for a board that cannot be asked now. That it can be read is not taken for granted."""
        return make_plan(image, self.target, FunctionalDescriptor(transfer_size=facts.transfer_size))

    def flash(self, pipe: ControlPipe, image: Image, listener: FlashListener, sleep: Sleep) -> FlashResult:
        """Bring `image` into the alternate setting; every attempt begins at the first block.

        The board may be lost without an error once it has accepted the end of the image. VerifyError is raised, without
        a leave, for a mismatch where reading was proved before.
        """
        started, transfers = clock.monotonic(), pipe.transfers
        session = self._session(pipe, sleep, listener.claimed)
        try:
            listener.progress(Phase.OPEN, 0, 1)
            plan = self._plan(session, pipe, image)
            listener.progress(Phase.OPEN, 1, 1)
            listener.planned(plan)
            run = PlainRun(session, plan, self.target, listener, self.history)
            ending = run.send_twice()
        except DeviceGoneError as error:
            raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error
        except TransferTimeoutError:
            raise  # it answers nothing, so nothing can be asked of it
        except DeviceError:
            session.calm()
            raise
        listener.committed()
        run.finish(ending)
        return FlashResult(
            bytes_written=image.size,
            erases=0,
            blocks=plan.blocks,
            transfers=pipe.transfers - transfers,
            uploads=session.uploads,
            slept=session.slept,
            seconds=clock.monotonic() - started,
            verified=run.verified,
            protection=plan.protection,
            left=run.left,
            erased_beside=plan.erased_beside,
            interrupted=run.interrupted,
            notes=(*plan.notes, *run.notes),
            remarks=tuple(run.notes),
        )

    def preview_erase(self, facts: DeviceFacts) -> FlashPlan:  # noqa: ARG002 -- whatever it says of itself
        """Refuse: plain DFU 1.1 has no erase."""
        raise self._no_erase()

    def survey_erase(self, pipe: ControlPipe) -> FlashPlan:  # noqa: ARG002 -- it is not even asked
        """Refuse likewise."""
        raise self._no_erase()

    def erase(self, pipe: ControlPipe, listener: FlashListener, sleep: Sleep) -> FlashResult:  # noqa: ARG002 -- likewise
        """Refuse likewise."""
        raise self._no_erase()

    def read(self, pipe: ControlPipe, order: ReadOrder, listener: ReadListener, sleep: Sleep) -> ReadResult:
        """Read from the start of the alternate setting as far as the order says."""
        started, transfers = clock.monotonic(), pipe.transfers
        session = self._session(pipe, sleep, listener.claimed)
        with ending_idle(session, force=order.force):
            listener.progress(Phase.OPEN, 0, 1)
            functional = session.open().functional
            listener.progress(Phase.OPEN, 1, 1)
            cannot = "the device says that it cannot be read (bitCanUpload is 0)"
            require_readable("" if functional.can_upload else cannot, force=order.force)
            read, remark = read_in_order(session, self.target.size, block_size(functional), order, listener)
        proved = self.history.reading_proved
        return ReadResult(
            read=read,
            proved=proved,
            transfers=pipe.transfers - transfers,
            uploads=session.uploads,
            slept=session.slept,
            seconds=clock.monotonic() - started,
            remarks=tuple(filter(None, (remark, "" if proved else UNPROVED))),
        )

    def leave(self, pipe: ControlPipe, sleep: Sleep) -> bool:
        """Start the application."""
        session = self._session(pipe, sleep)
        session.open()
        return session.leave()

    def _no_erase(self) -> RefusedError:
        return RefusedError(
            f"{self.target.partition} cannot be erased: plain DFU 1.1 has no erase, its devices erase as they take an "
            "image",
            hint="flash another image over it",
        )

    def _session(self, pipe: ControlPipe, sleep: Sleep, on_claim: OnClaim = tell_nobody) -> PlainSession:
        return PlainSession(
            pipe, self.target.setting, self.target.size, sleep, policy=self.target.poll, on_claim=on_claim
        )

    def _plan(self, session: PlainSession, pipe: ControlPipe, image: Image) -> FlashPlan:
        before = pipe.transfers
        functional = session.open().functional
        return make_plan(image, self.target, functional, history=self.history, opening=pipe.transfers - before)
