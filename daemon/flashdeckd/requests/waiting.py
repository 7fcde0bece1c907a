"""`wait`: until an image is on its boards, or can no longer get there. Each board has an answer of its own."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Final

from flashdeck.api import BoardOutcome
from flashdeck.config import Board
from flashdeck.errors import BlockedError, DeviceError, ErrorKind, FlashdeckError, RefusedError, RequestError
from flashdeck.job_state import Cancelled, Failed, Failure, Superseded, judgement_of, needs_person, stands_still
from flashdeck.model import Contents, Disposition, JobState
from flashdeck.problems import KEPT_OPEN_HINT
from flashdeck.verdict import does_not_run
from flashdeck.words.jobs import status_hint, status_text
from flashdeck.words.verdicts import verdict_failure
from flashdeckd.boards.bench import Bench
from flashdeckd.builds.builds import Builds
from flashdeckd.host import threads
from flashdeckd.jobs.visit import why_incomplete
from flashdeckd.state.hub import Hub

LOOK_SECONDS: Final = 2.0
"""Least time for a look at the files: a caller without patience wants the state of now, too."""


class WaitRequests:
    """Answers `wait` and `jobs.wait` from what the hub publishes."""

    def __init__(self, bench: Bench, builds: Builds, hub: Hub) -> None:
        self._bench = bench
        self._builds = builds
        self._hub = hub

    async def for_image(
        self, partition: str, sha256: str, patterns: Iterable[str], seconds: float
    ) -> list[BoardOutcome]:
        """Looks at the image's path again, then waits until the image is on every board, or cannot get on one.

        Once it cannot get on one, only those boards are still waited for on which something is under way. Raises
        what `Bench.select` does, and FlashdeckError (`timeout`) where the path could not be looked at in time.
        """
        # It may have been sent for nothing but this.
        with self._bench.shelf.held(sha256) if sha256 else nullcontext():
            return await self._for_image(partition, sha256, patterns, seconds)

    async def _for_image(
        self, partition: str, sha256: str, patterns: Iterable[str], seconds: float
    ) -> list[BoardOutcome]:
        boards = self._bench.select(partition, patterns)
        names = self._bench.names.of(board.name for board in boards)
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(now + max(seconds, LOOK_SECONDS)):
                for profile in {board.profile.name for board in boards}:
                    await self._builds.look(profile, partition)
            await self._fetch(boards, partition, sha256)
        except TimeoutError:
            kept_open = self._bench.files.who_keeps_open({board.profile.name for board in boards}, partition)
            raise FlashdeckError(
                f"the newest build for {partition} is not known after {seconds:g} s: "
                f"{kept_open or self._builds.trouble or 'its file is being written'}",
                kind=ErrorKind.TIMEOUT,
                hint=KEPT_OPEN_HINT if kept_open else "`flashdeck status` shows what it is",
            ) from None
        wanted = {board.name: sha256 or self._newest(board, partition) for board in boards}
        outcomes: list[BoardOutcome] = []

        def is_over() -> bool:
            outcomes[:] = [self._outcome(names.of(name), partition, image) for name, image in wanted.items()]
            return _is_over(outcomes)

        try:
            async with asyncio.timeout_at(now + seconds):
                await self._hub.until(is_over)
        except TimeoutError:
            outcomes[:] = [_too_late(outcome, seconds) for outcome in outcomes]
        return outcomes

    async def for_jobs(self, ids: Sequence[int], seconds: float) -> list[JobState]:
        """Waits until every job has ended or needs a person; raises FlashdeckError (`timeout`, `no-such-job`)."""
        book = self._bench.book

        def are_over() -> bool:
            jobs = [book.job(job_id) for job_id in ids]
            return all(job.is_settled or needs_person(job.status) for job in jobs)

        try:
            async with asyncio.timeout(seconds):
                await self._hub.until(are_over)
        except TimeoutError:
            raise FlashdeckError(f"the jobs had not ended after {seconds:g} s", kind=ErrorKind.TIMEOUT) from None
        return [book.job(job_id) for job_id in ids]

    async def _fetch(self, boards: Sequence[Board], partition: str, sha256: str) -> None:
        """Read the wanted images where that does not hold up the event loop."""
        newest = (self._hub.artifacts.get((board.profile.name, partition)) for board in boards)
        for wanted in {sha256} if sha256 else {artifact.sha256 for artifact in newest if artifact is not None}:
            await threads.run(self._bench.shelf.image, wanted)

    def _newest(self, board: Board, partition: str) -> str:
        """Return the image of the newest build; "" where there is none that is taken."""
        artifact = self._hub.artifacts.get((board.profile.name, partition))
        return "" if artifact is None or self._bench.files.untaken(board.profile.name, partition) else artifact.sha256

    def _outcome(self, name: str, partition: str, sha256: str) -> BoardOutcome:
        """Return how far a board is that the configuration has now: it has the image, will not get it, or neither."""
        board = self._bench.config.boards.get(name)
        if board is None or partition not in board.profile.partitions:
            what = f"board {name}" if board is None else f"partition {partition} of board {name}"
            gone = Failure(kind=ErrorKind.NO_SUCH_BOARD, message=f"{what} is no longer in the configuration")
            return BoardOutcome(board=name, partition=partition, failure=gone)
        job = self._job_for(board, partition, sha256) if sha256 else None
        outcome = BoardOutcome(board=board.name, partition=partition, job=job)
        try:
            is_there = self._is_there(board, partition, sha256, job)
        except FlashdeckError as error:
            failure = Failure(kind=error.kind, message=error.message, hint=error.hint)
            return BoardOutcome(board=board.name, partition=partition, job=job, failure=failure)
        if is_there:
            return BoardOutcome(board=board.name, partition=partition, job=job, is_there=True)
        return outcome

    def _job_for(self, board: Board, partition: str, sha256: str) -> JobState | None:
        newest, place = self._hub.artifacts.get((board.profile.name, partition)), board.profile.partitions[partition]
        if newest is not None and newest.sha256 == sha256:
            return self._bench.satisfaction.job_of(board, place, newest)
        return self._bench.satisfaction.job_for(board, place, sha256)

    def _is_there(self, board: Board, partition: str, sha256: str, job: JobState | None) -> bool:
        """Tell whether the image is on the board and runs; raises FlashdeckError when it will not be."""
        if not sha256:
            raise self._why_no_build(board, partition)
        if job is not None and not job.is_settled:
            if needs_person(job.status):
                raise BlockedError(status_text(job.status), hint=status_hint(job.status))
            return False
        contents = self._bench.book.contents(board.name, partition)
        if contents is not None and self._bench.satisfaction.has(board, board.profile.partitions[partition], sha256):
            self._require_running(board, partition, contents, job)
            return True
        if job is not None and does_not_run(judgement_of(job.status)):
            raise _failure(job, "")  # the board may have gone back from it for that
        raise self._why_never(board, partition, sha256, job)

    def _require_running(self, board: Board, partition: str, contents: Contents, job: JobState | None) -> None:
        """Raises FlashdeckError where the image is on the board, and may not be what runs there."""
        if contents.uncertain:
            raise FlashdeckError(
                "it has the image as far as is known, but another serial or bcdDevice was seen in its place since, or "
                "a job was cut short",
                kind=ErrorKind.AMBIGUOUS,
                hint=f"flash it again: `flashdeck flash {partition} --board {board.name}`",
            )
        if contents.verdict is not None and does_not_run(contents.verdict):
            failure = verdict_failure(contents.verdict, board=board.name, partition=partition)
            raise DeviceError(failure.message, kind=failure.kind, hint=failure.hint)
        if not board.profile.leave or contents.started is not False:
            return
        torn = self._bench.book.incomplete(board.name, board.profile.partitions)
        if torn:
            raise BlockedError(
                f"written, not started: {why_incomplete(torn)}",
                hint=f"flash {' and '.join(torn)} again",
            )
        if board.profile.app is not None:
            raise _failure(job, "it has the image and was not seen to start")

    def _why_no_build(self, board: Board, partition: str) -> FlashdeckError:
        untaken = self._bench.files.untaken(board.profile.name, partition)
        if untaken:
            return RefusedError(untaken)
        return RequestError(
            f"no build is known for {partition}",
            kind=ErrorKind.NO_SUCH_ARTIFACT,
            hint="build it first, or say --for FILE",
        )

    def _why_never(self, board: Board, partition: str, sha256: str, job: JobState | None) -> FlashdeckError:
        if self._bench.satisfaction.went_back(board, board.profile.partitions[partition], sha256):
            return BlockedError(
                "the board went back from this build: it is offered",
                kind=ErrorKind.OFFERED,
                hint=f"`flashdeck flash {partition} --board {board.name}` flashes it",
            )
        if self._bench.book.is_for_hands(board.name, partition):
            return BlockedError(
                f"{partition} was erased by hand: its builds are offered until somebody flashes one",
                kind=ErrorKind.OFFERED,
                hint=f"`flashdeck flash {partition} --board {board.name}` flashes the newest",
            )
        match job.status if job is not None else None:
            case None:
                return self._why_no_job(board, partition, sha256)
            case Failed():
                return _failure(job, "")
            case Cancelled() as status:
                return FlashdeckError(f"its job was {status_text(status)}", kind=ErrorKind.CANCELLED)
            case status:
                later = status_text(status) if isinstance(status, Superseded) else "a later job ran"
                return FlashdeckError(f"it got another image since: {later}", kind=ErrorKind.SUPERSEDED)

    def _why_no_job(self, board: Board, partition: str, sha256: str) -> FlashdeckError:
        newest = self._hub.artifacts.get((board.profile.name, partition))
        place = board.profile.partitions[partition]
        if newest is None or not self._bench.satisfaction.is_brought_by(newest.sha256, board, place, sha256):
            return RequestError(
                f"nothing queued will flash this file to {partition}",
                kind=ErrorKind.NO_TARGET,
                hint=f"`flashdeck flash {partition} FILE` flashes it by hand; where the build pads or signs what is "
                "flashed, wait for that file",
            )
        if newest.disposition is Disposition.REFUSED:
            return RefusedError(newest.reason)
        hint = f"`flashdeck flash {partition} --board {board.name}` flashes it"
        lane = self._bench.lane(board.name)
        if not lane.armed:
            return BlockedError("the board is disarmed: the build is offered", kind=ErrorKind.DISARMED, hint=hint)
        if newest.disposition is not Disposition.UNCHANGED:
            why = newest.reason or "it came while the board was disarmed, or not configured yet"
            return BlockedError(
                f"the build is offered, not flashed: {why}",
                kind=ErrorKind.OFFERED,
                hint=hint,
            )
        return RequestError("it got another image by hand since", kind=ErrorKind.SUPERSEDED)


def _is_over(outcomes: Iterable[BoardOutcome]) -> bool:
    """Tell whether nothing is to be waited for: each board is decided, or one cannot get there and no other works."""
    open_ones = [outcome for outcome in outcomes if not outcome.is_there and outcome.failure is None]
    if not open_ones:
        return True
    failed = any(outcome.failure is not None for outcome in outcomes)
    return failed and all(outcome.job is not None and stands_still(outcome.job.status) for outcome in open_ones)


def _too_late(outcome: BoardOutcome, seconds: float) -> BoardOutcome:
    if outcome.is_there or outcome.failure is not None:
        return outcome
    waits = f": {status_text(outcome.job.status)}" if outcome.job is not None else ""
    failure = Failure(
        kind=ErrorKind.TIMEOUT,
        message=f"not up to date after {seconds:g} s{waits}",
        hint=status_hint(outcome.job.status) if outcome.job is not None else "",
    )
    return BoardOutcome(board=outcome.board, partition=outcome.partition, job=outcome.job, failure=failure)


def _failure(job: JobState | None, message: str) -> FlashdeckError:
    if job is not None and job.failure is not None:
        return DeviceError(job.failure.message, kind=job.failure.kind, hint=job.failure.hint)
    return DeviceError(message, kind=ErrorKind.NOT_ACCEPTED)
