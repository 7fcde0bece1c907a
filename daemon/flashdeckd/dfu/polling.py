"""Sees an operation to its end: when to ask again, and what to say of the answers.

What the answers show of the device is in `pace`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flashdeck.config import PollPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, ErrorKind, StallError, TransferTimeoutError
from flashdeck.job_state import DeviceWork, TimeClaim
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.claims import TOLD_FROM, OnClaim, tell_nobody
from flashdeckd.dfu.pace import LEARNED, NEXT, Pace, PollEvent, PollState, first_state
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.wire import STATUS_OK, DfuProtocol, DfuState, StatusReport, state_name
from flashdeckd.host import clock

LONGEST_NAP = 60.0
"""Seconds: the most that one claimed bwPollTimeout is obeyed; it has 24 bits, 4.6 hours."""
ADDRESS_NEED = 2.0
"""Seconds that setting an address could ever need: no flash work belongs to it."""
HONEST = 5.0
"""Seconds: a claim of no more is obeyed whatever it is for; many bootloaders claim one constant for everything."""
BLOCK_NEED = 10.0
"""Seconds that writing one block could ever need, or erasing a sector for it in plain DFU 1.1."""
SHORTEST_NAP = 0.0005
"""Seconds: what the host oversleeps, a block of USBX or ROM pays in full; shorter ones only add requests."""
LONGEST_EARLY_NAP = 0.05
"""Seconds between questions to a device that may be asked early."""
NAP_GROWTH = 0.25
"""An early poll comes at most this part of the time so far too late."""
ERASE_PATIENCE = 35.0
"""Seconds for an erase of any size; a whole STM32F405 can take 32."""
SECTOR_PATIENCE = 16.0
"""Seconds for the erase of one sector. ST's data sheets give 4 for the 128 KiB of an STM32F4 at its lowest voltage."""
WRITE_PATIENCE = 10.0
"""Seconds for the write of one block, and for a command that is no erase."""
LONGEST_SLEEP = 1800.0
"""Seconds that one session sleeps in all because the device claims it: no honest one needs as much."""
CLAIMS = 2
"""An operation, or the end of plain DFU, is given this many times what is believed of its claim, or its patience."""
_UNDER_WAY = (DfuState.DNBUSY, DfuState.DNLOAD_SYNC)


@dataclass(frozen=True, slots=True)
class DeviceTask:
    """The kind of work that a device is asked for, and the time that it may have."""

    work: DeviceWork
    need: float
    """Seconds that it could ever need: no more of a claim is believed."""
    patience: float
    """Seconds for which the device may be busy with it, or `CLAIMS` times what is believed of its claim."""


def erase_of(patience: float) -> DeviceTask:
    """Return the erase of a part of the flash that may take so long, in seconds."""
    return DeviceTask(DeviceWork.ERASE, patience, patience)


ADDRESS = DeviceTask(DeviceWork.ADDRESS, ADDRESS_NEED, WRITE_PATIENCE)
BLOCK = DeviceTask(DeviceWork.BLOCK, BLOCK_NEED, WRITE_PATIENCE)
FIRST_PLAIN_BLOCK = DeviceTask(DeviceWork.BLOCK, ERASE_PATIENCE, ERASE_PATIENCE)
"""Plain DFU 1.1: a device may erase all that it has first."""
PLAIN_BLOCK = DeviceTask(DeviceWork.BLOCK, BLOCK_NEED, ERASE_PATIENCE)


class DfuStatusError(DeviceError):
    """The device reported an error status for an operation."""

    kind = ErrorKind.DFU_STATUS


class TooEarlyError(DfuStatusError):
    """An operation failed that was asked about early, so that may be why: do it again. The device is obeyed by now."""


class StuckError(DeviceError):
    """The device says dfuDNBUSY, and goes on saying so for longer than it was given."""


class Poller:
    """Sees the operations of one session to their end, and learns the device's pace from its first erase.

    `pace` is what earlier sessions learned. With `PollPolicy.SPEC` it is neither used nor changed. `on_claim` hears of
    each longer wait that a device claims, before it begins.
    """

    def __init__(
        self,
        pipe: ControlPipe,
        policy: PollPolicy,
        sleep: Callable[[float], object],
        pace: Pace = Pace.UNPROVEN,
        *,
        protocol: DfuProtocol = DfuProtocol.DFUSE,
        on_claim: OnClaim = tell_nobody,
    ) -> None:
        self._pipe = pipe
        self._sleep = sleep
        self._policy = policy
        self._on_claim = on_claim
        self._insists = False
        """True if the device failed when it was asked before a claim was over that was not believed."""
        self.protocol = protocol
        """The protocol that the device speaks, for messages."""
        self.pace = pace
        """The pace, as far as it is known now."""
        self.slept = 0.0
        """Seconds slept so far because the device asked for it."""

    @property
    def obeyed(self) -> Pace:
        """The pace that the next operation goes by."""
        return Pace.CLAIMED if self._policy is PollPolicy.SPEC else self.pace

    def complete(self, what: str, operation: DeviceTask) -> None:
        """After a DNLOAD: starts the operation with GETSTATUS and returns when it is over, in dfuDNLOAD-IDLE.

        `what` says what was asked for, with its address, for messages. Every legal way is accepted: dfuDNLOAD-IDLE or
        dfuDNLOAD-SYNC at once, dfuDNBUSY any number of times, STALLs while busy.
        Raises TooEarlyError, DfuStatusError, StallError, StuckError, or DeviceError for a state that does not belong
        here.
        """
        _Completion(self, self._pipe, what, operation).run()

    def believed(self, claimed: float, operation: DeviceTask) -> float:
        """Return how much of a claim is waited for, in seconds.

        That is all of an honest one, and of any other as much as the operation could ever need; but for
        `PollPolicy.SPEC` and a device that insists.
        """
        is_obeyed = self._policy is PollPolicy.SPEC or self._insists or claimed <= HONEST
        return min(claimed, LONGEST_NAP) if is_obeyed else min(claimed, operation.need, LONGEST_NAP)

    def insist(self) -> None:
        """From now on all of its claims are believed: it failed when it was asked before one of them was over."""
        self._insists = True

    def wait(self, nap: float, claimed: float, operation: DeviceTask) -> None:
        """Sleeps for a claim, and says so."""
        if nap >= TOLD_FROM:
            self._on_claim(TimeClaim(work=operation.work, seconds=max(claimed, nap), waits=nap))
        self.nap(nap)

    def nap(self, seconds: float) -> None:
        """Sleeps and counts it; raises DeviceError where it would be too much in all."""
        if self.slept + seconds > LONGEST_SLEEP:
            raise DeviceError(
                f"the bootloader has claimed more than {LONGEST_SLEEP / 60:.0f} minutes of waiting by now, and claims "
                f"{seconds:.3f} s more",
                hint="its bwPollTimeout is most likely wrong: "
                + (
                    'poll = "auto" in the profile believes only as much of it as the work could need'
                    if self._policy is PollPolicy.SPEC
                    else "mend it in the bootloader"
                ),
            )
        self._sleep(seconds)
        self.slept += seconds


class _Completion:
    """One operation under way."""

    def __init__(self, poller: Poller, pipe: ControlPipe, what: str, operation: DeviceTask) -> None:
        self._poller = poller
        self._pipe = pipe
        self._what = what
        self._operation = operation
        self._state = first_state(poller.obeyed, erase=operation.work is DeviceWork.ERASE)
        self._claimed = 0.0
        self._is_cut_short = False
        """True if a claim was not waited for to its end, because no such operation could need as much."""
        self._backoff = 0.0
        self._slept = 0.0
        self._began = clock.monotonic()

    def run(self) -> None:
        report = self._first()
        while report is None or (report.status == STATUS_OK and report.state in _UNDER_WAY):
            self._check_patience(report)
            self._wait(busy=report is None or report.state == DfuState.DNBUSY)
            report = self._ask()
        self._judge(report)

    def _meet(self, event: PollEvent) -> None:
        self._state = NEXT[self._state][event]
        self._poller.pace = LEARNED.get(self._state, self._poller.pace)

    def _first(self) -> StatusReport:
        try:
            report = class_requests.get_status(self._pipe)
        except StallError as error:  # nothing is busy before it: the request itself was refused
            raise StallError(
                f"{self._what}: the bootloader refused it (GETSTATUS was answered with a STALL)",
                hint="its DFU class is in dfuERROR: most likely it could not erase or write",
            ) from error
        self._claimed = report.poll_ms / 1000
        return report

    def _ask(self) -> StatusReport | None:
        """Ask again; None: a STALL."""
        self._backoff = max(SHORTEST_NAP, self._slept * NAP_GROWTH)
        try:
            report = class_requests.get_status(self._pipe)
        except StallError:
            self._meet(PollEvent.STALL)
            return None
        except (DeviceGoneError, TransferTimeoutError):
            self._meet(PollEvent.LOST)
            raise
        if report.state == DfuState.DNBUSY:
            self._claimed = report.poll_ms / 1000
        if report.status == STATUS_OK and report.state in _UNDER_WAY:
            self._meet(PollEvent.BUSY)
        return report

    def _wait(self, *, busy: bool) -> None:
        """Before the next GETSTATUS. dfuDNLOAD-SYNC is no reason to wait, unless it is said again and again."""
        nap = min(self._backoff, LONGEST_EARLY_NAP)
        if busy and nap < self._claimed:
            self._meet(PollEvent.HURRY)
        if busy and self._state is PollState.OBEYING:
            believed = self._poller.believed(self._claimed, self._operation)
            self._is_cut_short |= believed < min(self._claimed, LONGEST_NAP)
            nap = min(max(believed, self._backoff), LONGEST_NAP)
        if nap:
            self._poller.wait(nap, self._claimed, self._operation)
            self._slept += nap

    def _check_patience(self, report: StatusReport | None) -> None:
        patience = self._operation.patience
        taken = max(self._slept, clock.monotonic() - self._began)
        if taken < patience:  # as mostly: a claim can only add to that
            return
        limit = max(patience, CLAIMS * self._poller.believed(self._claimed, self._operation))
        if taken < limit:
            return
        if report is None:
            self._meet(PollEvent.SILENCE)
            self._take_as_insisting()
            raise StallError(
                f"{self._what}: the bootloader answers GETSTATUS with a STALL for longer than {limit:.0f} s",
                hint="reset the board; if it happens again, its DFU class lost the operation or is in dfuERROR",
            )
        self._meet(PollEvent.STUCK)
        raise StuckError(
            f"{self._what}: the bootloader stays in {state_name(report.state)} for longer than {limit:.0f} s",
            hint="reset the board; if it happens again, its flash driver does not report that it has finished",
        )

    def _judge(self, report: StatusReport) -> None:
        failed = report.state == DfuState.ERROR or report.status != STATUS_OK
        if not failed and report.state == DfuState.DNLOAD_IDLE:
            self._meet(PollEvent.DONE)
            return
        self._meet(PollEvent.FAILURE)
        said = report.describe(self._poller.protocol)
        if self._take_as_insisting() or self._state is PollState.OBJECTED:
            raise TooEarlyError(
                f"{self._what} failed: {said}, after a question before its time was over",
                hint="flashdeck now waits as long as the bootloader claims",
            )
        if failed:
            raise DfuStatusError(
                f"{self._what} failed: {said}",
                hint="check write protection and the bootloader's flash driver, then flash again",
            )
        raise DeviceError(
            f"{self._what}: the bootloader is in {state_name(report.state)} where dfuDNLOAD-IDLE was expected",
            hint="reset the board and flash again; another program may be talking to it",
        )

    def _take_as_insisting(self) -> bool:
        """Tell whether a claim was cut short, which may be why this has failed."""
        if self._is_cut_short:
            self._poller.insist()
        return self._is_cut_short
