"""Requests of a person: flash, plan, cancel, retry."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from msgspec.structs import replace

from flashdeck.api import BoardPlan, JobList
from flashdeck.config import Board, Partition
from flashdeck.errors import BlockedError, DeviceError, ErrorKind, FlashdeckError, RefusedError, RequestError
from flashdeck.job_state import Blocked, Canceller, JobKind, Waiting, name_of
from flashdeck.model import JobState, Presence
from flashdeckd.boards.bench import Bench
from flashdeckd.builds.builds import Builds
from flashdeckd.flash.engine import preview
from flashdeckd.host import threads
from flashdeckd.images.file_notes import FileNotes
from flashdeckd.images.spool import Artifact
from flashdeckd.images.version import find_version
from flashdeckd.jobs.assumed_facts import ASSUMED_FACTS, ASSUMED_NOTE
from flashdeckd.requests.planning import described
from flashdeckd.requests.queueing import note_asked, queue_by_hand
from flashdeckd.requests.readiness import require_ready, require_single
from flashdeckd.requests.verbs import VerbRequests
from flashdeckd.state.carried_through import carried_through
from flashdeckd.state.hub import Hub

WRITTEN_SECONDS: Final = 5.0
"""Longest wait for a build that is still being written: the person who asked looks at the terminal."""


class HandRequests:
    """Carries out what a person asks for. Runs in the event loop's thread only."""

    def __init__(self, bench: Bench, builds: Builds, hub: Hub, notes: FileNotes) -> None:
        self._bench = bench
        self._verbs = VerbRequests(bench)
        self._builds = builds
        self._hub = hub
        self._notes = notes
        self._abandoned: set[asyncio.Task[None]] = set()
        """Tasks that cancel jobs for clients that are gone."""

    async def flash(self, partition: str, sha256: str, patterns: Iterable[str], *, no_wait: bool) -> JobList:
        """Queues one job a board by hand, all or none; with it comes what the guards warn of.

        `no_wait` refuses that where a board cannot run it now. Raises RequestError, RefusedError, BlockedError or
        FlashdeckError (`ambiguous`; `timeout` where the build does not end).
        """
        boards = self._bench.select(partition, patterns)
        return await self.bring(boards, partition, [sha256] * len(boards), no_wait=no_wait)

    async def bring(
        self,
        boards: Sequence[Board],
        partition: str,
        wanted: Sequence[str],
        *,
        no_wait: bool,
        back_from: Sequence[tuple[str, ...]] = (),
    ) -> JobList:
        """Do the same with an image a board, "" for the newest build; `back_from` are those that each goes back from.

        `wanted` and `boards` are in the same order, `back_from` too where there is any.
        """
        require_single(self._bench, boards)
        if no_wait:
            require_ready(self._bench, boards)
        await self._look(boards, partition, wanted[0])
        with ExitStack() as held:
            artifacts = [
                await self._artifact_for(board, partition, sha256, held)
                for board, sha256 in zip(boards, wanted, strict=True)
            ]
            for board, (artifact, _), gone in zip(boards, artifacts, back_from or [()] * len(boards), strict=True):
                await note_asked(self._bench, board, partition, artifact.sha256, gone)
            # A client that leaves now must not leave a job behind that is recorded and in no queue, nor one of several.
            jobs = await carried_through(self._queue(boards, partition, [artifact for artifact, _ in artifacts]))
        warnings = dict.fromkeys(warning for _, warnings in artifacts for warning in warnings)
        return JobList(jobs=tuple(jobs), notes=tuple(warnings))

    async def plan(self, partition: str, sha256: str, patterns: Iterable[str]) -> list[BoardPlan]:
        """Return the plan of each board. Asks the boards that are in DFU mode, and writes nothing."""
        boards = self._bench.select(partition, patterns)
        return await self.plan_of(boards, partition, [sha256] * len(boards))

    async def plan_of(self, boards: Sequence[Board], partition: str, wanted: Sequence[str]) -> list[BoardPlan]:
        """Do the same with an image a board, "" for the newest build."""
        plans: list[BoardPlan] = []
        await self._look(boards, partition, wanted[0])
        for board, sha256 in zip(boards, wanted, strict=True):
            with ExitStack() as held:
                artifact, warnings = await self._artifact_for(board, partition, sha256, held)
                plans.append(await self._plan_for(board, board.profile.partitions[partition], artifact, warnings))
        return plans

    async def cancel(self, job_id: int, by: Canceller = Canceller.PERSON) -> JobState:
        """Ends a job, and returns it once it has ended; raises RequestError where it has already."""
        job = self._bench.book.job(job_id)
        if job.is_settled:
            raise RequestError(f"job {job_id} has ended already: it is {name_of(job.status)}")
        while not job.is_settled:
            await self._bench.lane(job.board).cancel(job, by)
            job = self._bench.book.job(job_id)
        return job

    def abandon(self, jobs: Iterable[JobState], *, spare_begun: bool = False) -> None:
        """The client that had asked for these jobs is gone, and wanted them to go with it.

        With `spare_begun` those that never began.
        """
        for job in jobs:
            now = self._bench.book.jobs.get(job.id)  # one that is forgotten has ended long ago
            if now is not None and not now.is_settled and not (spare_begun and now.attempts):
                task = asyncio.ensure_future(self._cancel_abandoned(job))
                self._abandoned.add(task)
                task.add_done_callback(self._abandoned.discard)

    async def _cancel_abandoned(self, job: JobState) -> None:
        with suppress(RequestError):  # it ended meanwhile
            await self.cancel(job.id, Canceller.CLIENT)

    async def retry(self, job_id: int) -> JobState:
        """Queues a job's work once more; one that is blocked, or waits, is looked at again instead."""
        job = self._bench.book.job(job_id)
        if isinstance(job.status, Blocked | Waiting):
            await self._bench.lane(job.board).look_again(job)
            return self._bench.book.job(job_id)
        if not job.is_settled:
            raise RequestError(
                f"job {job_id} has not ended: it is {name_of(job.status)}", hint=f"`flashdeck cancel {job_id}` ends it"
            )
        if job.kind is not JobKind.FLASH:
            return await self._verbs.again(job)
        (job,) = (await self.flash(job.partition, job.sha256, (job.board,), no_wait=False)).jobs
        return job

    async def _look(self, boards: Sequence[Board], partition: str, sha256: str) -> None:
        """Looks at the files first if the newest build is wanted: it may be newer than the last that was noticed."""
        if sha256:
            return
        try:
            async with asyncio.timeout(WRITTEN_SECONDS + max(b.profile.partitions[partition].settle for b in boards)):
                for profile in {board.profile.name for board in boards}:
                    await self._builds.look(profile, partition)
        except TimeoutError:
            kept_open = self._bench.files.who_keeps_open({board.profile.name for board in boards}, partition)
            trouble = self._builds.trouble or kept_open
            raise FlashdeckError(
                f"the newest build is not known: {trouble}"
                if trouble
                else f"{partition}'s image is still being written",
                kind=ErrorKind.TIMEOUT,
                hint="name a file, or try again later",
            ) from None

    async def _queue(self, boards: Sequence[Board], partition: str, artifacts: Sequence[Artifact]) -> list[JobState]:
        with ExitStack() as held:  # held by whoever asked, too, who may leave meanwhile
            for artifact in artifacts:
                held.enter_context(self._bench.shelf.held(artifact.sha256))
            async with self._bench.reshaping:
                require_single(self._bench, boards)  # a unit may have left its slot meanwhile
                for board in boards:
                    if self._bench.config.boards.get(board.name) != board:
                        raise RequestError(
                            f"the configuration of board {board.name} was changed meanwhile",
                            hint="look at it (`flashdeck status`), and ask again",
                        )
                queued = [
                    await queue_by_hand(
                        self._bench,
                        board,
                        partition,
                        artifact,
                        self._hub.artifacts.get((board.profile.name, partition)),
                    )
                    for board, artifact in zip(boards, artifacts, strict=True)
                ]
        return [job for job in queued if job is not None]

    async def _artifact_for(
        self, board: Board, partition: str, sha256: str, held: ExitStack
    ) -> tuple[Artifact, tuple[str, ...]]:
        """The wanted image, or the newest one of the partition, and what the guards for this very place warn of.

        It stays in the spool for as long as `held` is open.
        """
        if not sha256:
            newest = self._hub.artifacts.get((board.profile.name, partition))
            untaken = self._bench.files.untaken(board.profile.name, partition)
            if untaken:
                raise RefusedError(untaken)
            if newest is None:
                raise RequestError(
                    f"no build is known for partition {partition} of board {board.name}",
                    kind=ErrorKind.NO_SUCH_ARTIFACT,
                    hint="build it, or name a file",
                )
            sha256, notes = newest.sha256, newest.notes
        else:
            notes = self._notes.of(partition, sha256)
        held.enter_context(self._bench.shelf.held(sha256))
        image = await self._bench.image_for(board, partition, sha256)
        target = board.profile.partitions[partition]
        warnings = await self._bench.verdicts.check(image, board.profile, target)
        return Artifact.of(image, await threads.run(find_version, image, target)), (*notes, *warnings)

    async def _plan_for(
        self, board: Board, partition: Partition, artifact: Artifact, warnings: tuple[str, ...]
    ) -> BoardPlan:
        lane = self._bench.lane(board.name)
        image = await self._bench.image_for(board, partition.name, artifact.sha256)
        wanted = BoardPlan(board=board.name, partition=partition.name, sha256=artifact.sha256, notes=warnings)
        try:
            if lane.sighting.presence is Presence.DFU:
                plan = await lane.survey(image, partition)
            else:
                note = f"the board is not in DFU mode: {ASSUMED_NOTE}"
                wanted = replace(wanted, notes=(*wanted.notes, note))
                plan = preview(image, lane.target(partition), ASSUMED_FACTS)
        except (RefusedError, BlockedError, DeviceError) as error:
            return replace(wanted, blocked=error.advice)
        if lane.hold is not None:
            wanted = replace(wanted, blocked=f"board {board.name} is on hold: {lane.hold.reason}")
        drawn = self._bench.maps.planned(board, partition, plan)
        return described(wanted, plan, drawn, board.profile.partitions.values())
