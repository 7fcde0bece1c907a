"""The effect of a new job on the queue of its partition, and the one of several that goes on. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from flashdeck.config import PartitionKind
from flashdeck.job_state import CHANGES, JobKind, Running, Written
from flashdeck.model import JobState, Origin
from flashdeckd.flash.target import Target
from flashdeckd.images.image import BLANK, NOTHING, Image
from flashdeckd.jobs.contents import ImageOf, demanded


@dataclass(frozen=True, slots=True)
class Admission:
    """The verdict on a new job."""

    create: bool
    """True if the job is needed at all (safety rule 7)."""
    superseded: tuple[int, ...] = ()
    """Jobs that have not begun, or were interrupted, and whose place it takes."""


def admit(
    active: Iterable[JobState],
    known: Image,
    wanted: Image,
    *,
    target: Target,
    origin: Origin,
    image_of: ImageOf,
    kept: Collection[int] = (),
) -> Admission:
    """Decide over an image bound for the partition `target`, given the board's jobs that have not ended.

    `known` are the bytes that the partition has now. A build is flashed once: not when the partition has its bytes, or
    will have them once the queue has run. What a person asks for is always done. Either way a new program takes the
    place of everything older that does not run yet. A patch is queued behind it, and takes the place of older patches
    of which it defines every place; in a partition for data every image replaces the last. An erase that a person has
    asked for comes first, and jobs that only read stay. So do those of `kept`: whoever has the board asked for them.
    """
    mine = _changing(active, target.partition)
    running = [job for job in mine if _is_on_board(job) or job.id in kept]
    pending = [job for job in mine if job not in running]

    def is_brought_by(jobs: list[JobState]) -> bool:
        if jobs and jobs[-1].sha256 == wanted.sha256:
            return True
        return _after(known, jobs, target, image_of).satisfies(demanded(wanted, target))

    if origin is not Origin.HAND and pending and is_brought_by([*running, *pending]):
        return Admission(create=False)
    replaced = [job for job in pending if _replaces(wanted, job, target, image_of)]
    superseded = tuple(job.id for job in replaced)
    if origin is Origin.HAND:
        return Admission(create=True, superseded=superseded)
    left = [*running, *(job for job in pending if job not in replaced)]
    return Admission(create=not is_brought_by(left), superseded=superseded)


def superseded_by_erase(active: Iterable[JobState], partition: str, kept: Collection[int] = ()) -> tuple[int, ...]:
    """Return the jobs, of a board's that have not ended, whose place an erase of all of a partition takes.

    Those of `kept` stay: whoever has the board asked for them.
    """
    return tuple(job.id for job in _changing(active, partition) if not _is_on_board(job) and job.id not in kept)


def overtaken(active: Iterable[JobState]) -> list[tuple[JobState, JobState]]:
    """Return, of a board's jobs that have not ended, those that give way, each with the job that takes its place.

    A newer job leaves alone what runs. Is that cut short, then the partition goes on with the newest (safety rule 6),
    as it would had the newer one come a moment later. A patch takes no program's place, and no image that of an erase.
    """
    jobs = _changing(active)
    erases = {job.partition: job for job in jobs if job.kind is JobKind.ERASE}
    newest = {job.partition: job for job in jobs if not job.patch}
    places = (
        (job, (erases if job.kind is JobKind.ERASE else newest).get(job.partition))
        for job in jobs
        if not _is_on_board(job)
    )
    return [(job, newer) for job, newer in places if newer is not None and newer.id > job.id]


def outrun(jobs: Iterable[JobState]) -> list[tuple[JobState, JobState]]:
    """Return, of all jobs that an earlier daemon left, those that must not run, each with the newest that ran instead.

    A lane begins no job before the older ones of its partition have ended. One that has not all the same could not be
    recorded when it did, as on a full disk, and its image would go over a newer one.
    """
    known = _changing(jobs)
    newest = {(job.board, job.partition): job for job in known if job.started_at is not None}
    places = ((job, newest.get((job.board, job.partition))) for job in known if not job.is_settled)
    return [(job, newer) for job, newer in places if newer is not None and newer.id > job.id]


def _changing(jobs: Iterable[JobState], partition: str = "") -> list[JobState]:
    """Return those jobs that change a partition ("": any), oldest first."""
    mine = (job for job in jobs if job.kind in CHANGES and partition in ("", job.partition))
    return sorted(mine, key=lambda job: job.id)


def _is_on_board(job: JobState) -> bool:
    """Tell whether a job is under way on its board, or complete there: a newer one leaves it alone."""
    return isinstance(job.status, Running | Written)


def _after(known: Image, jobs: Iterable[JobState], target: Target, image_of: ImageOf) -> Image:
    """Return the bytes that a partition will have for certain once these jobs have run in their order."""
    for job in jobs:
        if job.kind is JobKind.ERASE:
            known = Image.raw(bytes([BLANK]) * target.span.size)
            continue
        image = image_of(job.sha256)
        left = known.without(target.touched(image)) if image else NOTHING
        known = demanded(image, target).over(left) if image else NOTHING
    return known


def _replaces(wanted: Image, older: JobState, target: Target, image_of: ImageOf) -> bool:
    if older.kind is JobKind.ERASE:
        return False
    if target.holds is PartitionKind.DATA or wanted.is_program:
        return True
    image = image_of(older.sha256) if older.patch else None
    return image is not None and all(wanted.covers(piece.span) for piece in image.pieces)
