"""`wait`: until an image is on its boards, or can no longer get there."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from flashdeck.config import Board
from flashdeck.errors import DeviceError, ErrorKind, FlashdeckError, HeldError, RefusedError, RequestError
from flashdeck.model import Disposition, JobState, JobStatus
from flashdeckd.boards.bench import Bench
from flashdeckd.builds.builds import Builds
from flashdeckd.state.hub import Hub

LOOK_SECONDS: Final = 2.0
"""What looking at the files may take in any case: who has no patience wants to know what is so now."""


class WaitRequests:
    """Answers `wait` and `jobs.wait` from what the hub publishes."""

    def __init__(self, bench: Bench, builds: Builds, hub: Hub) -> None:
        self._bench = bench
        self._builds = builds
        self._hub = hub

    async def for_image(self, partition: str, sha256: str, patterns: Iterable[str], seconds: float) -> list[JobState]:
        """Looks at the image's path again, then waits until the image is on every board; returns the jobs that did it.

        Raises a FlashdeckError whose kind says why that can no longer happen.
        """
        boards = self._bench.select(partition, patterns)
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(now + max(seconds, LOOK_SECONDS)):
                for profile in {board.profile.name for board in boards}:
                    await self._builds.look(profile, partition)
            await self._fetch(boards, partition, sha256)
            wanted = {board.name: sha256 or self._newest(board, partition) for board in boards}
            async with asyncio.timeout_at(now + seconds):
                await self._hub.until(
                    lambda: all(self._is_there(board, partition, wanted[board.name]) for board in boards)
                )
        except TimeoutError:
            raise FlashdeckError(
                f"{partition} was not up to date on all of {_names(boards)} after {seconds:g} s",
                kind=ErrorKind.TIMEOUT,
                hint="`flashdeck jobs` shows what each job waits for",
            ) from None
        jobs = (self._job(board, partition, wanted[board.name]) for board in boards)
        return [job for job in jobs if job is not None]

    async def for_jobs(self, ids: Sequence[int], seconds: float) -> list[JobState]:
        """Waits until every job has ended or is held; raises FlashdeckError (`timeout`, `no-such-job`)."""
        book = self._bench.book
        settled = (*(status for status in JobStatus if status.ended), JobStatus.HELD)
        try:
            async with asyncio.timeout(seconds):
                await self._hub.until(lambda: all(book.job(job_id).status in settled for job_id in ids))
        except TimeoutError:
            raise FlashdeckError(f"the jobs had not ended after {seconds:g} s", kind=ErrorKind.TIMEOUT) from None
        return [book.job(job_id) for job_id in ids]

    async def _fetch(self, boards: Sequence[Board], partition: str, sha256: str) -> None:
        """Read the wanted images where that does not hold up the event loop."""
        newest = (self._hub.artifacts.get((board.profile.name, partition)) for board in boards)
        for wanted in {sha256} if sha256 else {artifact.sha256 for artifact in newest if artifact is not None}:
            await asyncio.to_thread(self._bench.shelf.image, wanted)

    def _job(self, board: Board, partition: str, sha256: str) -> JobState | None:
        return self._bench.satisfaction.job_for(board, board.profile.partitions[partition], sha256)

    def _newest(self, board: Board, partition: str) -> str:
        untaken = self._bench.untaken(board.profile.name, partition)
        if untaken:
            raise RefusedError(untaken)
        artifact = self._hub.artifacts.get((board.profile.name, partition))
        if artifact is None:
            raise RequestError(
                f"no artifact is known for partition {partition} of board {board.name}",
                kind=ErrorKind.NO_SUCH_ARTIFACT,
                hint="build it first, or say --for FILE",
            )
        return artifact.sha256

    def _is_there(self, board: Board, partition: str, sha256: str) -> bool:
        """Whether the image is on the board and runs; raises when it will not be."""
        job = self._job(board, partition, sha256)
        if job is not None and not job.status.ended:
            if job.status is JobStatus.HELD:
                raise HeldError(f"job {job.id} for board {board.name} is held: {job.reason}")
            held = self._hub.boards[board.name].held
            if held and job.status is not JobStatus.RUNNING:
                raise HeldError(
                    f"board {board.name} is held: {held}", hint=f"`flashdeck release {board.name}` lets it go on"
                )
            return False
        contents = self._bench.book.contents(board.name, partition)
        if contents is not None and self._bench.satisfaction.has(board, board.profile.partitions[partition], sha256):
            if board.profile.app is not None and board.profile.leave and contents.started is False:
                raise _failure(job, f"board {board.name} holds the image and was not seen to start")
            return True
        if job is None:
            raise self._why_never(board, partition, sha256)
        if job.status is JobStatus.FAILED:
            raise _failure(job, job.reason)
        if job.status is JobStatus.CANCELLED:
            raise FlashdeckError(f"job {job.id} for board {board.name} was cancelled", kind=ErrorKind.CANCELLED)
        raise FlashdeckError(
            f"board {board.name} got another image since job {job.id}: {job.reason or 'a later job ran'}",
            kind=ErrorKind.SUPERSEDED,
        )

    def _why_never(self, board: Board, partition: str, sha256: str) -> FlashdeckError:
        newest = self._hub.artifacts.get((board.profile.name, partition))
        place = board.profile.partitions[partition]
        if newest is None or not self._bench.satisfaction.is_brought_by(newest.sha256, board, place, sha256):
            return RequestError(
                f"no job brings this image to {partition} of board {board.name}",
                kind=ErrorKind.NO_TARGET,
                hint=f"`flashdeck flash {partition} FILE` flashes it by hand; where the build pads or signs what is "
                "flashed, wait for that file",
            )
        if newest.disposition is Disposition.REFUSED:
            return RefusedError(newest.reason)
        hint = f"`flashdeck flash {partition} --board {board.name}` accepts it"
        if not self._hub.boards[board.name].armed:
            return HeldError(
                f"board {board.name} is disarmed: the image is only offered", kind=ErrorKind.DISARMED, hint=hint
            )
        if newest.disposition is not Disposition.UNCHANGED:
            return HeldError(
                f"the image is only offered for {partition} of board {board.name}: {newest.reason or 'was disarmed'}",
                kind=ErrorKind.OFFERED,
                hint=hint,
            )
        return RequestError(f"board {board.name} has got another image by hand since", kind=ErrorKind.SUPERSEDED)


def _failure(job: JobState | None, message: str) -> FlashdeckError:
    if job is not None and job.failure is not None:
        return DeviceError(job.failure.message, kind=job.failure.kind, hint=job.failure.hint)
    return DeviceError(message, kind=ErrorKind.NOT_ACCEPTED)


def _names(boards: Iterable[Board]) -> str:
    return ", ".join(board.name for board in boards)
