"""The end of a visit: the board leaves DFU mode, and is seen to start, or stays; its written jobs end with that.

Whatever comes in between is raised; `after_error` does what becomes of the jobs then.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from flashdeck.config import Partition, PartitionKind
from flashdeck.errors import DeviceError, ErrorKind, ParkedError
from flashdeck.job_state import Done, Failed, Failure, JobKind, JobResult, Phase, Written
from flashdeck.model import JobState, LogLevel, Presence
from flashdeck.verdict import Judgement, Verdict, does_not_run, runs
from flashdeck.words.contents import image_name
from flashdeck.words.jobs import difference_text
from flashdeck.words.verdicts import judgement_text, verdict_failure, verdict_word
from flashdeck.words.work import work_text
from flashdeckd.flash.target import Target
from flashdeckd.host import clock
from flashdeckd.jobs.attempt import Workplace
from flashdeckd.jobs.flash_target import target_of, target_to_start
from flashdeckd.jobs.restart_asked import RestartAsked
from flashdeckd.jobs.visit import wants_leave, why_not_started, written
from flashdeckd.jobs.what_ran import may_go_back, with_what_ran
from flashdeckd.usb.device import UsbDevice

START_SECONDS: Final = 20.0
"""Longest time in which an application enumerates after the leave."""
WINDOW_SECONDS: Final = 5.0
"""Longest time for which a bootloader is back before it starts the application. Some, as Maple's, wait for a host after
each reset."""
_JUDGED: Final = frozenset({JobKind.FLASH, JobKind.RESET})
"""Jobs that are about the start of the board; those that only read wait for it, and it says nothing of them."""
_NOBODY_HEARD: Final = "flashdeckd was not there as it started"
_REFUSED: Final = "the bootloader did not take the leave: reset the board to start the application"


class Departure:
    """Ends the visits of one board. Nothing is kept from one to the next but what the books have."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._board = place.board
        self._book = place.book
        self._state = place.state
        self._hearing = place.hearing

    @property
    def written(self) -> list[JobState]:
        """The jobs of the board that are written now."""
        return written(self._book.active(self._board.name))

    def partitions_of(self, jobs: Iterable[JobState]) -> list[Partition]:
        """Return the partitions of which jobs bring the image."""
        names = dict.fromkeys(job.partition for job in jobs if job.kind is JobKind.FLASH)
        return [self._board.profile.partitions[name] for name in names]

    async def leave(self, jobs: Sequence[JobState], device: UsbDevice) -> None:
        """Start a board in DFU mode, and end the written `jobs` with that; raises what prevents it.

        There may be none: then a board is started again that was only read.
        """
        target = self._target(jobs)
        shown = await self._show(jobs, Phase.LEAVE)
        if jobs and not shown:
            return
        if self.is_heard:
            await self._hearing.drain()
        self.expect(shown)
        with self._place.timed(shown, Phase.LEAVE):
            left = await self._place.thread.opened(lambda worker: worker.leave(device, target))
        await self.see_start(shown, device, left=left)

    @property
    def is_heard(self) -> bool:
        """True if the start of the board is judged by what its application says."""
        return self._hearing.is_wanted

    async def drain(self) -> None:
        """Return once what the board has said by now has come."""
        await self._hearing.drain()

    def expect(self, jobs: Sequence[JobState]) -> None:
        """The board is asked to leave DFU mode now: it goes off the bus, and comes back where its application shows.

        `jobs` are those whose images it starts.
        """
        if self.is_heard:
            self._hearing.begin(self._version_to_say(jobs))
        back_within = START_SECONDS if self._board.profile.app is not None else None
        self._state.expect_restart(RestartAsked(Presence.APP, back_within), seconds=START_SECONDS)

    async def see_start(self, jobs: Sequence[JobState], device: UsbDevice, *, left: bool) -> None:
        """End written jobs as their board starts, or does not: the verdict is one on all that the visit changed."""
        judgement: Judgement | None = None
        if left and self._is_judged(jobs):
            jobs = await self._show(jobs, Phase.START)
            with self._place.timed(jobs, Phase.START):
                started, judgement = await self._hear_start(device)
        elif left and self._board.profile.app is not None:
            jobs = await self._show(jobs, Phase.START)
            with self._place.timed(jobs, Phase.START):
                started = await self._wait_for_app(device)
        elif left and self._state.is_in_dfu and self._state.sighting.device != device:
            started = False
        else:
            started = None
        if not left:
            self._hearing.end()
        if runs(judgement):
            await self._note_what_ran()
        if left and started is None:
            await self._forget_that_it_did_not_start()
        partitions = self._board.profile.partitions
        programs = [name for name, each in partitions.items() if each.holds is PartitionKind.PROGRAM]
        why = why_not_started(
            self._book.incomplete(self._board.name, partitions), self._book.erased(self._board.name, programs)
        )
        if started is False and why:  # left there by an earlier visit, or by hand: that says nothing of these images
            await self.stay(jobs, why)
            return
        for job in self._written_of(jobs):
            await self._end(job, left=left, started=started, judgement=judgement)

    async def seen_running(self, jobs: Sequence[JobState], device: UsbDevice) -> None:
        """End written jobs whose board is running by now: this device is its application."""
        judgement: Judgement | None = None
        if self._is_judged(jobs):
            if self._hearing.is_under_way:
                jobs = await self._show(jobs, Phase.START)
                _, judgement = await self._hear_start(device)
            else:
                judgement = Judgement(verdict=Verdict.UNKNOWN, reason=_NOBODY_HEARD)
        if runs(judgement):
            await self._note_what_ran()
        for job in self._written_of(jobs):
            await self._end(job, left=True, started=True, judgement=judgement)

    async def stay(self, jobs: Sequence[JobState], reason: str) -> None:
        """End written jobs whose board is not started, and stays in DFU mode, for a reason."""
        for job in self._written_of(jobs):
            await self._note_start(job, started=False)
            await self.end(job, verdict(job, job.result, reason if wants_leave(job, self._board.profile) else ""))

    async def finish(self, jobs: Sequence[JobState]) -> None:
        """End written jobs that are done without a start."""
        for job in self._written_of(jobs):
            await self.end(job, verdict(job, job.result, ""))

    async def end(self, job: JobState, verdict: Done | Failed) -> None:
        """End a written job; one that was ended meanwhile stays as it is."""
        if not self._written_of([job]):
            return
        console = self._board.profile.console
        after = console.goes_back_after if console is not None else frozenset[Verdict]()
        await self._book.move(job, verdict, undecided=may_go_back(job, verdict, after))
        if isinstance(verdict, Failed):
            failure = verdict.failure
            told = f"{failure.message}: {failure.hint}" if failure.hint else failure.message
            self._book.log(job, f"failed: {told}", LogLevel.ERROR)
            return
        verified = f", {verdict.result.verified}" if verdict.result else ""
        if runs(verdict.verdict):
            verified += f", {verdict_word(Verdict.RUNS).text}"
        unstarted = f"; not started: {verdict.not_started}" if verdict.not_started else ""
        self._book.log(job, f"{_what_is_done(job)}{verified}{unstarted}")

    def _written_of(self, jobs: Iterable[JobState]) -> list[JobState]:
        """Return the jobs as they are now, without those that were cancelled or released meanwhile."""
        return written(self._book.job(job.id) for job in jobs)

    async def _show(self, jobs: Iterable[JobState], phase: Phase) -> list[JobState]:
        """Bring written jobs into a phase of the start, and return them: from then on nobody else ends them."""
        for job in jobs:
            if self._written_of([job]):
                await self._book.move(job, Written(result=job.result, phase=phase))
        return self._written_of(jobs)

    def _target(self, jobs: Sequence[JobState]) -> Target:
        """Return where the leave goes: what the jobs brought is started, or what the chip starts with."""
        brought = self.partitions_of(jobs)
        if not brought:
            return target_to_start(self._board)
        first, *others = brought
        return target_of(self._board, first, with_others=others)

    async def _wait_for_app(self, device: UsbDevice) -> bool:
        """Wait for the application's own identity; raises ParkedError where the daemon is stopped meanwhile."""
        state = self._state

        def ran() -> bool:
            return state.ran_after == device  # also where somebody has pressed the button since

        await state.until(lambda: ran() or state.sighting.device not in (None, device), START_SECONDS)
        if ran():
            return True
        if state.is_in_dfu and await state.until(lambda: not state.is_in_dfu, WINDOW_SECONDS):
            await state.until(lambda: state.sighting.device is not None, START_SECONDS)
        if state.is_stopping:
            raise ParkedError("parked: the daemon was stopped while the board was starting")
        return state.sighting.presence is Presence.APP

    def _is_judged(self, jobs: Iterable[JobState]) -> bool:
        """Tell whether the start is judged for the sake of `jobs`: a board that was only read is not waited for."""
        return self.is_heard and any(job.kind in _JUDGED for job in jobs)

    def _version_to_say(self, jobs: Iterable[JobState]) -> str:
        """Return the version that the application has to say; "" where nobody can know it."""
        partitions = self._board.profile.partitions
        console = self._board.profile.console
        programs = [name for name, each in partitions.items() if each.is_open_program]
        whose = (console.partition if console is not None else "") or (programs[0] if len(programs) == 1 else "")
        for job in jobs:
            if job.kind is JobKind.FLASH and job.partition == whose and not job.patch:
                return job.version
        contents = self._book.contents(self._board.name, whose)
        return contents.version if contents is not None and contents.complete and not contents.uncertain else ""

    async def _hear_start(self, device: UsbDevice) -> tuple[bool | None, Judgement | None]:
        """Wait for the verdict on a start; return whether the application was seen, too: None where nobody can know.

        Without a verdict it did not start: the board is back in DFU mode, or was not seen for too long.
        Raises ParkedError where the daemon is stopped meanwhile.
        """
        state, hearing, profile = self._state, self._hearing, self._board.profile
        shows, console = profile.app is not None, profile.console

        def is_decided() -> bool:
            return hearing.verdict is not None

        def is_back() -> bool:
            return state.is_in_dfu and state.sighting.device != device

        limit = (console.within + console.stays if console is not None else 0.0) + START_SECONDS
        await state.until(lambda: is_decided() or hearing.is_seen or is_back(), START_SECONDS if shows else limit)
        while not is_decided() and (hearing.is_seen or is_back()):
            if is_back() and not await state.until(lambda: is_decided() or not is_back(), WINDOW_SECONDS):
                break
            if not await state.until(lambda: is_decided() or is_back(), limit):
                break
        if state.is_stopping:
            raise ParkedError("parked: the daemon was stopped while the board was starting")
        judgement = hearing.verdict
        if judgement is not None and is_back() and judgement.verdict in (Verdict.SILENT, Verdict.UNKNOWN):
            judgement = None  # what spoke, if anything did, was the bootloader
        if judgement is None or judgement.verdict is Verdict.NOT_SEEN:
            hearing.end()
            return False, judgement or Judgement(verdict=Verdict.NOT_SEEN, reason=self._why_not_seen)
        ran = state.ran_after == device or state.sighting.presence is Presence.APP
        return (True if judgement.verdict is Verdict.RUNS or (shows and ran) else None), judgement

    async def _end(
        self, job: JobState, *, left: bool, started: bool | None, judgement: Judgement | None = None
    ) -> None:
        if job.kind not in _JUDGED:
            judgement = None
        await self._note_start(job, started=started, judgement=judgement)
        result = job.result
        if result is not None:
            result = replace(result, started=result.started if started is None else started)
        if judgement is not None and job.kind is JobKind.RESET and judgement.verdict is not Verdict.UNKNOWN:
            await self._renew_verdicts(judgement)
        if judgement is not None:
            if does_not_run(judgement):
                failure = self._does_not_run(job, judgement)
                await self.end(job, Failed(failure=failure, result=result, verdict=judgement))
                return
            if judgement.verdict is Verdict.UNKNOWN:
                self._book.log(job, judgement_text(judgement), LogLevel.WARNING)
        if started is False and job.kind in _JUDGED:
            error = self._not_accepted(job)
            failure = Failure(kind=error.kind, message=error.message, hint=error.hint)
            await self.end(job, Failed(failure=failure, result=result, verdict=judgement))
            return
        is_wanted = job.kind is not JobKind.FLASH and wants_leave(job, self._board.profile)
        unstarted = _REFUSED if not left else self._why_not_seen if started is False else ""
        await self.end(job, replace(verdict(job, result, unstarted if is_wanted else ""), verdict=judgement))

    @property
    def _why_not_seen(self) -> str:
        if self._state.is_in_dfu:
            return "it came back in DFU mode"
        return f"it was not seen to start within {START_SECONDS:.0f} s"

    async def _note_what_ran(self) -> None:
        """Record the contents of all partitions as a set that runs, once for all of them."""
        partitions = self._board.profile.partitions
        contents = {name: self._book.contents(self._board.name, name) for name in partitions}
        known = {name: each for name, each in contents.items() if each is not None}
        if changed := with_what_ran(known, clock.now()):
            await self._book.record_all(self._board.name, changed)

    async def _forget_that_it_did_not_start(self) -> None:
        """The board left DFU mode, and nothing can be seen of what it runs: an earlier visit says nothing of that."""
        for name in self._board.profile.partitions:
            contents = self._book.contents(self._board.name, name)
            if contents is not None and contents.started is False:
                await self._book.record(self._board.name, name, replace(contents, started=None))

    async def _note_start(self, job: JobState, *, started: bool | None, judgement: Judgement | None = None) -> None:
        """Record how an image started; what only a verdict says is not that it did not."""
        contents = self._book.contents(job.board, job.partition)
        if contents is None or job.kind is not JobKind.FLASH or (started is None and judgement is None):
            return
        if not contents.complete or job.sha256 not in (contents.sha256, *(each.sha256 for each in contents.patches)):
            return  # another image has begun to take its place meanwhile
        started = contents.started if started is None else started
        await self._book.record(job.board, job.partition, replace(contents, started=started, verdict=judgement))
        if judgement is None or (shown := self._hearing.shown) in (None, judgement):
            return
        contents = self._book.contents(job.board, job.partition)
        if contents is not None and contents.verdict == judgement:  # it came while that was recorded, or before
            await self._book.record(job.board, job.partition, replace(contents, verdict=shown))

    async def _renew_verdicts(self, judgement: Judgement) -> None:
        """A board was started again by hand: what was judged before is judged anew."""
        for name in self._board.profile.partitions:
            contents = self._book.contents(self._board.name, name)
            if contents is not None and contents.complete and contents.verdict is not None:
                await self._book.record(self._board.name, name, replace(contents, verdict=judgement))

    def _does_not_run(self, job: JobState, judgement: Judgement) -> Failure:
        """Return that an image is on the board and does not run, with what decided it."""
        image = image_name(job.version, job.sha256) if job.kind is JobKind.FLASH else ""
        return verdict_failure(judgement, board=job.board, partition=job.partition, image=image)

    def _not_accepted(self, job: JobState) -> DeviceError:
        in_dfu = self._state.is_in_dfu
        if job.kind is JobKind.RESET:
            return DeviceError(
                f"board {self._board.name}: {self._why_not_seen}",
                kind=ErrorKind.NOT_ACCEPTED,
                hint="look at what it has: `flashdeck status`" if in_dfu else "look at the board",
            )
        seen = (
            "came back in DFU mode: the bootloader did not accept the image"
            if in_dfu
            else f"was not seen to start within {START_SECONDS:.0f} s"
        )
        return DeviceError(
            f"board {self._board.name} {seen} (partition {job.partition} has {image_name(job.version, job.sha256)})",
            kind=ErrorKind.NOT_ACCEPTED,
            hint="check that the image is linked for this partition, that its initial stack pointer passes "
            "the bootloader's boot check, and that the partition which is booted has an application",
        )


def verdict(job: JobState, result: JobResult | None, not_started: str) -> Done | Failed:
    """Return the end of a job that was carried out: what is not as it was compared with has failed."""
    if result is None or not result.different:
        return Done(result=result, not_started=not_started)
    stays = f"; not started again: {not_started}" if not_started else ""
    failure = Failure(
        kind=ErrorKind.VERIFY,
        message=f"{job.partition} of board {job.board} is not as expected: {difference_text(result)}{stays}",
        hint=f"`flashdeck flash {job.partition} --board {job.board}` writes it again",
    )
    return Failed(failure=failure, result=result)


def _what_is_done(job: JobState) -> str:
    match job.kind:
        case JobKind.FLASH:
            return f"{job.partition} has {image_name(job.version, job.sha256)}"
        case JobKind.ERASE:
            return f"{job.partition} is erased; its builds are offered until somebody flashes one"
        case JobKind.RESET:
            return "out of DFU mode"
        case _:
            return f"{work_text(job)}: done"
