"""From an image that is wanted on a board to a job in its lane: what a build and a person have in common."""

from collections.abc import Iterable

from msgspec.structs import replace

from flashdeck.config import Board, PartitionKind
from flashdeck.job_state import JobKind, Running, Written
from flashdeck.model import ArtifactState, Contents, Disposition, JobState, Origin
from flashdeckd.boards.bench import Bench
from flashdeckd.host import threads
from flashdeckd.images.spool import Artifact
from flashdeckd.jobs.contents import is_patch, known_bytes
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.queue import admit


def why_offered(bench: Bench, board: Board, partition: str, artifact: Artifact) -> str:
    """Return why a build is not flashed by itself onto a board; "" where it is.

    While the job waits that a board is armed for, a newer build takes its place, and one for another partition does
    not.
    """
    lane, place = bench.lane(board.name), board.profile.partitions[partition]
    if not lane.armed:
        return "disarmed"
    if bench.book.is_for_hands(board.name, partition):
        return f"{partition} was erased by hand"
    if bench.satisfaction.went_back(board, place, artifact.sha256):
        return "the board went back from it"
    replaces = artifact.is_program or place.holds is PartitionKind.DATA
    waiting = [job for job in bench.book.active(board.name) if job.once] if lane.once else []
    is_taken = any(
        job.partition != partition or not replaces or isinstance(job.status, Running | Written) for job in waiting
    )
    return "armed for another job" if is_taken else ""


MAX_GONE_BACK = 16
"""Images of a partition that the board went back from, the last ones, of which builds are offered."""


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


async def note_asked(bench: Bench, board: Board, partition: str, sha256: str, back_from: tuple[str, ...] = ()) -> None:
    """Record that a person wants an image, and goes `back_from` others: builds of those are offered from now on."""
    place = board.profile.partitions[partition]

    async def judge(contents: Contents | None) -> Contents | None:
        known = tuple(dict.fromkeys((*back_from, *contents.went_back))) if contents is not None else ()
        for each in (*known, sha256) if known else ():
            await threads.run(bench.shelf.image, each)  # so that the event loop need not read them
        asked = bench.satisfaction.alike(board, place, known, sha256)
        went_back = tuple(each for each in known if each not in asked)[:MAX_GONE_BACK]
        return None if contents is None else replace(contents, went_back=went_back)

    judged = await bench.book.judged(board.name, partition, judge)
    if judged is not None and judged != bench.book.contents(board.name, partition):
        await bench.book.record(board.name, partition, judged)


async def note_gone_back(bench: Bench, board: Board, partition: str, gone: Iterable[str]) -> None:
    """Record that a board goes back from images by itself: builds of those are offered until a person asks."""
    contents = bench.book.contents(board.name, partition)
    if contents is not None:
        went_back = tuple(dict.fromkeys((*gone, *contents.went_back)))[:MAX_GONE_BACK]
        await bench.book.record(board.name, partition, replace(contents, went_back=went_back))


async def rename_image(bench: Bench, build: ArtifactState, artifact: Artifact) -> None:
    """Let the jobs of a partition that wait with the image of a build bring the one that its file makes now."""
    book = bench.book
    named = (job for job in book.jobs.values() if (job.partition, job.sha256) == (build.partition, build.sha256))
    for job in [job for job in named if job.kind is JobKind.FLASH]:
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
    known = await book.judged(
        board.name, partition, lambda contents: threads.run(known_bytes, contents, target, shelf.image)
    )
    if origin is Origin.BUILD and book.is_for_hands(board.name, partition):
        return None
    active = book.active(board.name)
    kept = bench.lane(board.name).kept_from(origin)
    admission = admit(active, known, image, target=target, origin=origin, image_of=shelf.image, kept=kept)
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
    target = board.profile.partitions[partition]
    if newest.sha256 == program.sha256 or not bench.is_armed(board.name):
        return None
    if bench.satisfaction.went_back(board, target, newest.sha256):
        return None
    queued = bench.satisfaction.job_for(board, target, newest.sha256)
    is_queued = queued is not None and not queued.is_settled
    if not is_queued and not bench.satisfaction.has(board, target, newest.sha256):
        return None
    return Artifact(newest.sha256, newest.size, newest.version, is_program=False)
