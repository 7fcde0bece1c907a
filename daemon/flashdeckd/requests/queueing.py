"""From an image that is wanted on a board to a job in its lane: what a build and a person have in common."""

from flashdeck.config import Board, PartitionKind
from flashdeck.job_state import Running, Written
from flashdeck.model import ArtifactState, Disposition, JobState, Origin
from flashdeckd.boards.bench import Bench
from flashdeckd.host import threads
from flashdeckd.images.spool import Artifact
from flashdeckd.jobs.contents import is_patch, known_bytes
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.queue import admit


def takes_builds(bench: Bench, board: Board, partition: str, artifact: Artifact) -> bool:
    """Tell whether a build is to be flashed by itself onto a board: it is armed, and its one job is not another one.

    While the job waits that a board is armed for, a newer build takes its place, and one for another partition does
    not.
    """
    lane = bench.lane(board.name)
    replaces = artifact.is_program or board.profile.partitions[partition].holds is PartitionKind.DATA
    waiting = [job for job in bench.book.active(board.name) if job.once] if lane.once else []
    return lane.armed and all(
        job.partition == partition and replaces and not isinstance(job.status, Running | Written) for job in waiting
    )


async def queue_build(bench: Bench, board: Board, partition: str, artifact: Artifact) -> JobState | None:
    """Queue a build unless it is not needed (safety rule 7); older jobs that have not begun give way."""
    job = await _queue(bench, board, partition, artifact, Origin.BUILD, once=bench.lane(board.name).once)
    bench.lane(board.name).poke()
    return job


async def queue_by_hand(
    bench: Bench, board: Board, partition: str, artifact: Artifact, newest: ArtifactState | None
) -> JobState | None:
    """Queue what a person asks for; older jobs that have not begun give way.

    A program is followed by the patch that the `newest` build is, where the board has that patch, or was to get it: the
    flash takes it away.
    """
    lost = _patch_to_queue_again(bench, board, partition, artifact, newest)
    job = await _queue(bench, board, partition, artifact, Origin.HAND)
    if job is not None and lost is not None:
        await _queue(bench, board, partition, lost, Origin.BUILD)
    bench.lane(board.name).poke()
    return job


async def rename_image(bench: Bench, build: ArtifactState, artifact: Artifact) -> None:
    """Let the jobs of a partition that wait with the image of a build bring the one that its file makes now."""
    book = bench.book
    for job in [job for job in book.jobs.values() if (job.partition, job.sha256) == (build.partition, build.sha256)]:
        board = bench.config.boards.get(job.board)
        if board is None or board.profile.name != build.profile or job.is_settled or isinstance(job.status, Running):
            continue
        await book.bring_instead(job, artifact)


async def _queue(
    bench: Bench, board: Board, partition: str, artifact: Artifact, origin: Origin, *, once: bool = False
) -> JobState | None:
    image = await bench.image_for(board, partition, artifact.sha256)
    target = target_of(board, board.profile.partitions[partition])
    book, shelf = bench.book, bench.shelf
    contents = book.contents(board.name, partition)
    known = await threads.run(known_bytes, contents, target, shelf.image)
    active = book.active(board.name)
    admission = admit(active, known, image, target=target, origin=origin, image_of=shelf.image)
    job = None
    if admission.create:
        job = await book.create(board.name, partition, artifact, origin, patch=is_patch(image, target), once=once)
    for old in admission.superseded:
        # One that began while the new one was being recorded is followed by it.
        await book.supersede(book.job(old), job.id if job else 0)
    return job


def _patch_to_queue_again(
    bench: Bench, board: Board, partition: str, program: Artifact, newest: ArtifactState | None
) -> Artifact | None:
    if newest is None or not newest.patch or newest.disposition is Disposition.REFUSED or not program.is_program:
        return None
    if newest.sha256 == program.sha256 or not bench.is_armed(board.name):
        return None
    target = board.profile.partitions[partition]
    queued = bench.satisfaction.job_for(board, target, newest.sha256)
    is_queued = queued is not None and not queued.is_settled
    if not is_queued and not bench.satisfaction.has(board, target, newest.sha256):
        return None
    return Artifact(newest.sha256, newest.size, newest.version, is_program=False)
