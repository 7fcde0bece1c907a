"""Does to a job what the retry policy says of its error: again, after a pause, blocked, or failed."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from flashdeck.errors import (
    BlockedError,
    DeviceGoneError,
    ErrorKind,
    FlashdeckError,
    NoAccessError,
    ParkedError,
    TransferTimeoutError,
    VerifyError,
    WrongBankError,
)
from flashdeck.job_state import (
    CHANGES,
    Blocked,
    Cancelled,
    Failed,
    Failure,
    Queued,
    Running,
    Waiting,
    Written,
    is_settled,
    result_of,
)
from flashdeck.model import JobState, LogLevel
from flashdeck.words.jobs import phase_word
from flashdeckd.host import clock
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import bootloader_of
from flashdeckd.jobs.contents import distrusted
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.lost_reads import LostReads
from flashdeckd.jobs.retry_policy import RESTS, FailedAttempts, Rule, Then, rule_for
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Bootloader
from flashdeckd.usb.device import UsbDevice

LOST_SECONDS: Final = 5.0
"""Longest time in which hotplug tells that a device which no longer answers is gone."""


class AfterError:
    """Decides on one board's jobs after an error, and remembers that for a release or a new try."""

    def __init__(
        self,
        *,
        state: LaneState,
        book: JobBook,
        lost_reads: LostReads,
        hub: Hub,
        hold_board: Callable[[str], Awaitable[object]],
    ) -> None:
        """`hold_board` puts the board on hold durably, with a reason."""
        self._state = state
        self._book = book
        self._lost_reads = lost_reads
        self._hub = hub
        self._hold_board = hold_board
        self._records: dict[int, FailedAttempts] = {}
        self._not_before: dict[int, float] = {}
        """The time from which a job may be tried again, by the monotonic clock."""
        self._worn_out: dict[int, float | None] = {}
        """Jobs that are freed once their board stays, and since when the one had been there that they were lost on.

        That one is not back. None: the board that is there may be it."""
        self._unproved: dict[int, tuple[Bootloader, int]] = {}
        """Jobs that are blocked because a bank could not be proved, and which it is."""
        self._denied: UsbDevice | None = None
        """The device that could not be opened when it was last tried."""

    async def meet(
        self,
        job: JobState,
        device: UsbDevice | None,
        error: FlashdeckError,
        *,
        since: float | None = None,
        reached: int = -1,
    ) -> None:
        """Do what follows from an error in an attempt on `device` that came as far as `reached` bytes.

        `job` is as it was before the attempt, when `device` had been there `since` (monotonic clock).
        """
        now = self._book.job(job.id)
        if is_settled(now.status):
            return
        if isinstance(error, DeviceGoneError) and error.during_read and device is not None:
            await self._lost_reads.add(device, job.id)
        if isinstance(error, VerifyError):
            await self._distrust(job)  # also where it is tried again: a restart before that must not start it
        if isinstance(error, DeviceGoneError | TransferTimeoutError | ParkedError) and self._is_complete(now):
            now = await self._book.move(now, Written())  # what is missing is the leave, and no second flash
            if is_settled(now.status):
                return  # it was cancelled while that was recorded
        if isinstance(error, ParkedError):
            if not isinstance(now.status, Written):
                await self._park(job, error)
        elif isinstance(now.status, Written):
            await self._keep_written(now, now.status, error)
        else:
            await self._apply(rule_for(error.kind, job.kind), job, device, error, since=since, reached=reached)
        if isinstance(error, DeviceGoneError):
            # Hotplug may not have told yet. A device that stays was cut off by a bad cable, and is tried again.
            await self._state.until(lambda: self._state.sighting.device != device, LOST_SECONDS)

    async def fail(self, job: JobState, error: FlashdeckError) -> None:
        """Give a job up."""
        now = self._book.job(job.id)
        message = error.message + self._torn(job)
        failure = Failure(kind=error.kind, message=message, hint=error.hint)
        if (isinstance(error, WrongBankError) and error.harmed) or (isinstance(error, VerifyError) and error.may_boot):
            await self._keep_from_reset(job, error)
        await self._book.move(job, Failed(failure=failure, result=result_of(now.status)))
        self.forget(job.id)
        self._book.log(job, f"failed: {message}" + (f": {error.hint}" if error.hint else ""), LogLevel.ERROR)

    def is_due(self, job: JobState) -> bool:
        """Tell whether the pause before the next attempt of a job is over."""
        return self._not_before.get(job.id, 0.0) <= clock.monotonic()

    async def free_rested(self, jobs: Iterable[JobState]) -> None:
        """Put those jobs back into the queue that were blocked for a board which has come back, and stayed."""
        now = clock.monotonic()
        for job in self._book.at_their_turn(jobs):
            free_at = self._free_at(job)
            if free_at is not None and free_at <= now:
                del self._worn_out[job.id]
                if self._state.sighting.device is not None:
                    await self._lost_reads.read_again(self._state.sighting.device, job.id)
                if isinstance(self._book.job(job.id).status, Blocked):  # nobody has ended or released it meanwhile
                    await self._book.move(job, Queued(note="the board is back"))

    def next_due(self, jobs: Iterable[JobState]) -> float | None:
        """Return in how many seconds the first of these jobs may go on by itself; None: nothing but a change helps."""
        now = clock.monotonic()
        pauses = [self._not_before[job.id] for job in jobs if job.id in self._not_before]
        rests = [at for at in map(self._free_at, jobs) if at is not None]
        times = [at for at in (*pauses, *rests) if at > now]
        return min(times) - now if times else None

    def end_pauses(self) -> None:
        """The board was plugged in anew: whatever kept it from being tried may be over."""
        self._not_before.clear()

    def take_denial(self, device: UsbDevice) -> bool:
        """Return whether this device could not be opened when it was last tried, and forget it."""
        denied, self._denied = self._denied == device, None
        return denied

    def forget(self, job: int) -> None:
        """A job has ended, or begins anew."""
        self._lost_reads.forget(job)
        for known in (self._records, self._not_before, self._worn_out, self._unproved):
            known.pop(job, None)

    def forget_all_but(self, jobs: set[int]) -> None:
        """Forget all jobs but these, for they have ended."""
        self._lost_reads.forget_all_but(jobs)
        for known in (self._records, self._not_before, self._worn_out, self._unproved):
            for job in known.keys() - jobs:
                del known[job]

    def release(self, jobs: Iterable[JobState]) -> list[tuple[Bootloader, int]]:
        """Begin anew with the tries of all jobs; return the banks for which `jobs` were blocked."""
        banks = [self._unproved[job.id] for job in jobs if job.id in self._unproved]
        for known in (self._records, self._not_before, self._worn_out, self._unproved):
            known.clear()
        return banks

    async def _apply(
        self,
        rule: Rule,
        job: JobState,
        device: UsbDevice | None,
        error: FlashdeckError,
        *,
        since: float | None,
        reached: int,
    ) -> None:
        record = self._records.setdefault(job.id, FailedAttempts())
        never_worn_out = rule.then is Then.NOTHING
        if never_worn_out:
            record.delays += 1
            times = record.delays
        else:
            record.delays = 0
            times = record.note(reached)
        of = "for as long as it takes" if never_worn_out else f"attempt {times} of {rule.tries} without progress"
        self._hub.debug(f"job {job.id} met {error.kind}: {of} ({error.message})", board=job.board, job=job.id)
        if isinstance(error, BlockedError) and rule.then is Then.BLOCK:
            await self._block_until_asked(job, error, record)
        elif never_worn_out or (times < rule.tries and not _is_final(error)):
            await self._again(job, device, error, rule, times)
        elif rule.then is Then.BLOCK:
            await self._block_until_replugged(job, error, record, since)
        else:
            await self.fail(job, error)

    async def _again(
        self, job: JobState, device: UsbDevice | None, error: FlashdeckError, rule: Rule, times: int
    ) -> None:
        pause = rule.pause(times)
        self._not_before[job.id] = clock.monotonic() + pause
        if isinstance(error, NoAccessError):
            self._denied = device
        if rule.then is Then.NOTHING:
            if self._book.job(job.id).attempts > job.attempts:
                await self._book.take_back_attempt(job)  # nothing came of this one
            await self._book.wait(job, Waiting(for_=rule.waits_for, reason=error.message, hint=error.hint))
            return
        if isinstance(error, DeviceGoneError):
            reason = f"the board was lost{self._where(job)}; the job goes on when it is back in DFU mode"
            waiting = Waiting(
                for_=rule.waits_for, reason=reason, hint="plug the board in again, or bring it into DFU mode"
            )
        elif error.kind is ErrorKind.TRANSFER_TIMEOUT:
            reason = f"it stopped answering{self._where(job)}; its port is reset, and the job goes on"
            waiting = Waiting(for_=rule.waits_for, reason=reason)
        else:
            waiting = Waiting(
                for_=rule.waits_for, reason=f"tries again in {pause:g} s: {error.message}", hint=error.hint
            )
        await self._book.move(job, waiting)
        self._book.log(job, f"{waiting.reason} ({error.message})", LogLevel.WARNING)

    async def _block_until_asked(self, job: JobState, error: BlockedError, record: FailedAttempts) -> None:
        """Somebody has to decide; but what was not read only because cables were pulled is read once they are not."""
        device = self._state.sighting.device
        if error.bank is not None and device is not None:
            self._unproved[job.id] = (bootloader_of(job.board, device), error.bank)
        else:
            self._unproved.pop(job.id, None)
        hint = error.hint
        if self._lost_reads.went_without(job.id) and record.blocked < len(RESTS):
            record.blocked += 1
            self._worn_out[job.id] = None
            hint = f"it is read again once board {job.board} has stayed for {record.rest():g} s; or {hint}"
        await self._book.move(job, Blocked(reason=error.message, hint=hint))
        self._book.log(job, f"blocked: {error.message}: {hint}", LogLevel.WARNING)

    async def _block_until_replugged(
        self, job: JobState, error: FlashdeckError, record: FailedAttempts, since: float | None
    ) -> None:
        """The board is worn out, or its cable: somebody has to look, and to plug it in again."""
        what = "was lost" if isinstance(error, DeviceGoneError) else "stopped answering"
        reason = (
            f"the board {what} in {record.in_vain} attempts in a row that came no further, the last time: "
            f"{error.message}{self._torn(job)}"
        )
        record.in_vain, record.blocked = 0, record.blocked + 1
        hint = (
            f"check cable, hub and power, and plug it in again: the job goes on once the board has stayed for "
            f"{record.rest():g} s; or `flashdeck retry {job.id}`"
        )
        self._worn_out[job.id] = since
        await self._book.move(job, Blocked(reason=reason, hint=hint))
        self._book.log(job, f"blocked: {reason}: {hint}", LogLevel.ERROR)

    async def _park(self, job: JobState, error: ParkedError) -> None:
        if error.kind is ErrorKind.PROTECTED:
            await self.fail(job, error)
            return
        if error.kind is not ErrorKind.CANCELLED:
            await self._book.move(job, Queued(note=error.message))
            return
        reason = (self._state.cancel_reason + self._torn(job)).removeprefix("; ")
        cancelled = Cancelled(by=self._state.cancelled_by, reason=reason, user=self._state.cancelling_user)
        await self._book.move(job, cancelled)
        self.forget(job.id)
        self._book.log(job, f"cancelled{self._torn(job)}", LogLevel.WARNING)

    async def _keep_written(self, job: JobState, status: Written, error: FlashdeckError) -> None:
        """The job's work on the board is complete: whatever went wrong behind that costs only the start."""
        reason = "the board was lost before it was started; it starts when the board is back"
        if not isinstance(error, DeviceGoneError):
            reason = f"it could not be started: {error.message}"
            self._not_before[job.id] = clock.monotonic() + rule_for(error.kind, job.kind).pause(1)
        await self._book.move(job, Written(result=status.result, reason=reason))
        self._book.log(job, f"{reason} ({error.message})", LogLevel.WARNING)

    async def _keep_from_reset(self, job: JobState, error: FlashdeckError) -> None:
        """Whatever comes next would leave DFU mode sooner or later: nothing does until a person has looked."""
        try:
            await self._hold_board(error.advice)
        except FlashdeckError as failure:  # on hold all the same, but only for this daemon
            text = f"the hold could not be recorded: {failure.message}"
            self._hub.log(text, level=LogLevel.ERROR, board=job.board)

    def _free_at(self, job: JobState) -> float | None:
        since = self._state.since
        if job.id not in self._worn_out or since is None or not isinstance(job.status, Blocked):
            return None
        if since == self._worn_out[job.id]:
            return None  # it has not been away
        return since + self._records[job.id].rest()

    def _where(self, job: JobState) -> str:
        status = self._book.job(job.id).status
        return f" while {phase_word(status.phase)}" if isinstance(status, Running) else ""

    def _torn(self, job: JobState) -> str:
        """Return the words for the end of a job that left its partition without its boot unit."""
        contents = self._book.contents(job.board, job.partition)
        if contents is None or contents.complete or job.kind not in CHANGES:
            return ""
        return f"; {job.partition} is incomplete: flash it again"

    def _is_complete(self, job: JobState) -> bool:
        """Tell whether a job that runs had brought all of its image onto the board."""
        contents = self._book.contents(job.board, job.partition)
        is_there = contents is not None and contents.complete and contents.job == job.id
        return is_there and isinstance(job.status, Running)

    async def _distrust(self, job: JobState) -> None:
        """Records that a partition was read back with wrong bytes: it does not have the image."""
        contents = self._book.contents(job.board, job.partition)
        if contents is not None:
            await self._book.record(job.board, job.partition, distrusted(contents))


def _is_final(error: FlashdeckError) -> bool:
    """Tell whether an error forbids another attempt whatever its kind: something may boot that must not."""
    return isinstance(error, VerifyError) and error.may_boot
