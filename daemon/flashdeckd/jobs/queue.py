"""What a new job does to the queue of its partition, and which of several goes on. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from flashdeck.model import Holding, JobState, JobStatus, Origin


@dataclass(frozen=True, slots=True)
class Admission:
    """The verdict on a new job."""

    create: bool
    """Whether the job is needed at all (safety rule 7)."""
    superseded: tuple[int, ...] = ()
    """Jobs that have not begun, or were interrupted, and whose place it takes."""


def admit(
    active: Iterable[JobState], holding: Holding | None, partition: str, sha256: str, origin: Origin
) -> Admission:
    """Decides over an artifact bound for `partition`, given the board's jobs that have not ended.

    A build is flashed once: not when it is what the partition holds, or will hold once the queue has run. What a
    person asks for is always done. Either way the newest wish takes the place of older ones that do not run yet.
    """
    mine = sorted((job for job in active if job.partition == partition), key=lambda job: job.id)
    running = [job for job in mine if job.status is JobStatus.RUNNING]
    pending = [job for job in mine if job.status is not JobStatus.RUNNING]
    superseded = tuple(job.id for job in pending)
    if origin is Origin.HAND:
        return Admission(create=True, superseded=superseded)
    if pending and pending[-1].sha256 == sha256:
        return Admission(create=False)
    held = holding.sha256 if holding is not None and holding.complete else ""
    expected = running[-1].sha256 if running else held
    return Admission(create=expected != sha256, superseded=superseded)


def overtaken(active: Iterable[JobState]) -> list[tuple[JobState, JobState]]:
    """Of a board's jobs that have not ended, those that give way, each with the job that takes its place.

    A newer job leaves alone what runs. Is that cut short, then the partition goes on with the newest (safety rule 6),
    as it would had the newer one come a moment later.
    """
    jobs = sorted(active, key=lambda job: job.id)
    newest = {job.partition: job for job in jobs}
    return [
        (job, newest[job.partition])
        for job in jobs
        if job.status is not JobStatus.RUNNING and job.id != newest[job.partition].id
    ]


def outrun(jobs: Iterable[JobState]) -> list[tuple[JobState, JobState]]:
    """Of all jobs that an earlier daemon left, those that must not run any more, each with the newest that ran instead.

    A lane begins no job before the older ones of its partition have ended. One that has not all the same could not be
    recorded when it did, as on a full disk, and its image would go over a newer one.
    """
    known = sorted(jobs, key=lambda job: job.id)
    newest = {(job.board, job.partition): job for job in known if job.started_at is not None}
    places = ((job, newest.get((job.board, job.partition))) for job in known if not job.status.ended)
    return [(job, newer) for job, newer in places if newer is not None and newer.id > job.id]
