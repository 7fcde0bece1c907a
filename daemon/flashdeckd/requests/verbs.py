"""Requests of a person that flash nothing: verify, read, erase, and leave DFU mode."""

from collections.abc import Callable, Coroutine, Iterable, Sequence

from msgspec.structs import replace

from flashdeck.api import CHUNK, BoardPlan, ImagePiece, JobList
from flashdeck.config import Board, Partition
from flashdeck.errors import BlockedError, DeviceError, ErrorKind, RefusedError, RequestError
from flashdeck.geometry import Range
from flashdeck.image_formats import MAX_IMAGE
from flashdeck.job_state import JobKind
from flashdeck.model import JobState, Origin, Presence
from flashdeck.names import few, literal
from flashdeck.text import format_size
from flashdeck.words.contents import ERASED
from flashdeckd.boards.bench import Bench
from flashdeckd.flash.engine import preview_erase
from flashdeckd.host import threads
from flashdeckd.images.spool import Artifact
from flashdeckd.images.version import find_version
from flashdeckd.jobs.assumed_facts import ASSUMED_FACTS, ASSUMED_NOTE
from flashdeckd.jobs.queue import superseded_by_erase
from flashdeckd.requests.planning import described
from flashdeckd.requests.readiness import require_ready, require_single
from flashdeckd.state.carried_through import carried_through

_NO_IMAGE = Artifact("", 0, "")


class VerbRequests:
    """Queues what a person asks for, one job a board, all or none. Runs in the event loop's thread only.

    Every method raises RequestError, RefusedError, BlockedError or FlashdeckError (`ambiguous`) as `flash` does.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def verify(
        self, partition: str, sha256: str, patterns: Iterable[str], *, force: bool, no_wait: bool
    ) -> JobList:
        """Queue comparisons with an image; "" is what each board has as far as is known."""
        boards = self._chosen(self._bench.select(partition, patterns), no_wait=no_wait)
        artifacts = {board.name: await self._artifact(board, partition, sha256) for board in boards}
        return await self._queue(
            boards,
            lambda board: self._create(board, partition, JobKind.VERIFY, artifacts[board.name], force=force),
        )

    async def read(self, partition: str, patterns: Iterable[str], *, force: bool, no_wait: bool) -> JobList:
        """Queue the read of one board's partition."""
        chosen = self._bench.select(partition, patterns)
        if len(chosen) > 1:
            raise RequestError(
                f"{len(chosen)} boards have the partition {partition}: {few([board.name for board in chosen])}",
                hint="name the one to read with --board",
                kind=ErrorKind.AMBIGUOUS,
            )
        boards = self._chosen(chosen, no_wait=no_wait)
        size = boards[0].profile.partitions[partition].span.size
        if size > MAX_IMAGE:
            raise RefusedError(
                f"partition {partition} has {format_size(size)}; at most {format_size(MAX_IMAGE)} are read",
                hint="`flashdeck verify` compares it, whatever its size",
            )
        return await self._queue(boards, lambda board: self._create(board, partition, JobKind.READ, force=force))

    async def erase(self, partition: str, patterns: Iterable[str], *, no_wait: bool) -> JobList:
        """Queue erases; older jobs for the partition that have not begun give way."""
        boards = self._chosen(self._bench.select(partition, patterns), no_wait=no_wait)
        for board in boards:
            preview_erase(self._bench.lane(board.name).target(board.profile.partitions[partition]), ASSUMED_FACTS)
        jobs = await self._queue(boards, lambda board: self._erase(board, partition))
        return replace(jobs, notes=(f"{partition}: {ERASED}",))

    async def reset(self, patterns: tuple[str, ...], *, force: bool, no_wait: bool) -> JobList:
        """Queue the ends of visits; without `patterns`, of all boards that are in DFU mode."""
        chosen = list(self._bench.matching(patterns).values())
        if not patterns:
            chosen = [b for b in chosen if self._bench.lane(b.name).sighting.presence is Presence.DFU]
            if not chosen:
                hint = "`flashdeck boards` shows where they are"
                raise RequestError("no board is in DFU mode", kind=ErrorKind.ABSENT, hint=hint)
        boards = self._chosen(chosen, no_wait=no_wait)
        return await self._queue(boards, lambda board: self._create(board, "", JobKind.RESET, force=force))

    async def again(self, job: JobState) -> JobState:
        """Queue the work of a job that has ended once more."""
        only, force = (literal(job.board),), job.force
        match job.kind:
            case JobKind.VERIFY:
                queued = await self.verify(job.partition, job.sha256, only, force=force, no_wait=False)
            case JobKind.ERASE:
                queued = await self.erase(job.partition, only, no_wait=False)
            case JobKind.RESET:
                queued = await self.reset(only, force=force, no_wait=False)
            case _:
                raise RequestError(
                    f"job {job.id} cannot be done again: nobody would take what it reads",
                    hint=f"`flashdeck read {job.partition} FILE` reads it",
                )
        return queued.jobs[0]

    async def plan_erase(self, partition: str, patterns: Iterable[str]) -> list[BoardPlan]:
        """Return the plan of each erase. Asks the boards that are in DFU mode, and writes nothing."""
        boards = self._bench.select(partition, patterns)
        return [await self._plan_for(board, board.profile.partitions[partition]) for board in boards]

    async def piece(self, sha256: str, offset: int, size: int) -> ImagePiece:
        """Return bytes of a spooled image; raises RequestError (`no-such-artifact`) where there is none."""
        if offset < 0 or not 0 < size <= CHUNK:
            asked = f"{size} bytes from {offset} cannot be asked for"
            raise RequestError(asked, hint=f"1 to {CHUNK} bytes are possible")
        image = await threads.run(self._bench.shelf.read, sha256)
        end = min(offset + size, image.end)
        return ImagePiece(data=image.read(Range(offset, end)) if offset < end else b"")

    def _chosen(self, boards: Sequence[Board], *, no_wait: bool) -> Sequence[Board]:
        require_single(self._bench, boards)
        if no_wait:
            require_ready(self._bench, boards)
        return boards

    async def _queue(
        self, boards: Sequence[Board], create: Callable[[Board], Coroutine[None, None, JobState]]
    ) -> JobList:
        async def create_all() -> list[JobState]:
            jobs = [await create(board) for board in boards]
            for board in boards:
                self._bench.lane(board.name).poke()
            return jobs

        # A client that leaves now must not leave a job behind that is recorded and in no queue, nor one of several.
        return JobList(jobs=tuple(await carried_through(create_all())))

    async def _create(
        self, board: Board, partition: str, kind: JobKind, artifact: Artifact = _NO_IMAGE, *, force: bool = False
    ) -> JobState:
        return await self._bench.book.create(board.name, partition, artifact, Origin.HAND, kind=kind, force=force)

    async def _erase(self, board: Board, partition: str) -> JobState:
        book = self._bench.book
        kept = self._bench.lane(board.name).kept_from(Origin.HAND)
        job = await self._create(board, partition, JobKind.ERASE)
        older = [other for other in book.active(board.name) if other.id < job.id]
        for old in superseded_by_erase(older, partition, kept):  # one that began meanwhile is followed by it
            await book.supersede(book.job(old), job.id)
        return job

    async def _artifact(self, board: Board, partition: str, sha256: str) -> Artifact:
        if not sha256:
            return _NO_IMAGE
        image = await self._bench.image_for(board, partition, sha256)
        place = board.profile.partitions[partition]
        if image.end > place.span.size:
            raise RefusedError(
                f"the image ends {image.end} bytes behind the start of {partition}, which has {place.span.size}",
                kind=ErrorKind.OUTSIDE_PARTITION,
            )
        return Artifact.of(image, await threads.run(find_version, image, place))

    async def _plan_for(self, board: Board, partition: Partition) -> BoardPlan:
        lane = self._bench.lane(board.name)
        notes = (f"afterwards {ERASED}",)
        wanted = BoardPlan(board=board.name, partition=partition.name, sha256="", notes=notes)
        try:
            if lane.sighting.presence is Presence.DFU:
                plan = await lane.survey_erase(partition)
            else:
                wanted = replace(wanted, notes=(*notes, f"the board is not in DFU mode: {ASSUMED_NOTE}"))
                plan = preview_erase(lane.target(partition), ASSUMED_FACTS)
        except (RefusedError, BlockedError, DeviceError) as error:
            return replace(wanted, blocked=error.advice)
        if lane.hold is not None:
            wanted = replace(wanted, blocked=f"board {board.name} is on hold: {lane.hold.reason}")
        drawn = self._bench.maps.planned(board, partition, plan)
        return described(wanted, plan, drawn, board.profile.partitions.values())
