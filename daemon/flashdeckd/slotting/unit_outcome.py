"""The result of a unit, by the jobs that it got. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flashdeck.errors import ErrorKind
from flashdeck.job_state import (
    Cancelled,
    Done,
    Failed,
    Failure,
    JobKind,
    Superseded,
    Verified,
    is_settled,
)
from flashdeck.model import Contents, JobState
from flashdeck.slot_state import UnitImage, UnitRecord, UnitResult
from flashdeck.verdict import Judgement, Verdict, does_not_run
from flashdeck.words.jobs import status_text
from flashdeck.words.verdicts import judgement_text

_KINDS = {
    Verdict.CRASHED: ErrorKind.CRASHED,
    Verdict.SILENT: ErrorKind.SILENT,
    Verdict.ANOTHER_BUILD: ErrorKind.ANOTHER_BUILD,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a unit."""

    result: UnitResult
    failure: Failure | None = None
    verified: Verified = Verified.NO
    verdict: Judgement | None = None


OPEN = Outcome(UnitResult.NONE)


def outcome_of(images: Iterable[UnitImage], jobs: Mapping[int, JobState], contents: Mapping[str, Contents]) -> Outcome:
    """Return the result of a unit that was to get `images`; `contents` are its partitions' as far as they are known."""
    outcomes = [_of_image(image, jobs, contents.get(image.partition)) for image in images]
    failed = next((each for each in outcomes if each.result is UnitResult.FAILED), None)
    if failed is not None:
        return failed
    if not outcomes or any(each.result is UnitResult.NONE for each in outcomes):
        return OPEN
    verified = all(each.verified is Verified.YES for each in outcomes)
    verdict = next((each.verdict for each in reversed(outcomes) if each.verdict is not None), None)
    return Outcome(UnitResult.PASSED, verified=Verified.YES if verified else Verified.NO, verdict=verdict)


def is_another(judged: UnitRecord, jobs: Mapping[int, JobState]) -> bool | None:
    """Tell whether what is read again is another unit than the one that was done; None while that is not known.

    The one that was done has all of its images, so that nothing is written to it. What cannot be read, or fails, is
    never taken for it.
    """
    mine = [job for image in judged.images if (job := jobs.get(image.job)) is not None]
    if any(job.work.sectors_erased or job.work.bytes_written for job in mine):
        return True
    return None if judged.result is UnitResult.NONE else judged.result is not UnitResult.PASSED


def images_with(images: tuple[UnitImage, ...], job: JobState) -> tuple[UnitImage, ...]:
    """Return the images of a unit with what a later job brings instead, as one that a person asked for."""
    if job.kind is not JobKind.FLASH:
        return images
    later = UnitImage(partition=job.partition, sha256=job.sha256, version=job.version, job=job.id)
    kept = [image for image in images if image.partition != job.partition]
    older = [image for image in images if image.partition == job.partition and image.job > job.id]
    return images if older else (*kept, later)


def _of_image(image: UnitImage, jobs: Mapping[int, JobState], contents: Contents | None) -> Outcome:
    job = jobs.get(image.job)
    if job is None or not is_settled(job.status):
        return OPEN
    status = job.status
    if isinstance(status, Failed):
        return Outcome(UnitResult.FAILED, status.failure, verdict=status.verdict)
    if isinstance(status, Cancelled | Superseded):
        failure = Failure(kind=ErrorKind.CANCELLED, message=status_text(status, job.kind))
        return Outcome(UnitResult.FAILED, failure)
    assert isinstance(status, Done)  # noqa: S101 - what else is settled
    return _of_done(image, status, contents)


def _of_done(image: UnitImage, done: Done, contents: Contents | None) -> Outcome:
    """Return the outcome of a job that is done, with all that has come to light since: a crash, a start that failed."""
    has = contents if contents is not None and contents.job == image.job else None
    verified = done.result.verified if done.result is not None else has.verified if has is not None else Verified.NO
    verdict = (has.verdict if has is not None else None) or done.verdict
    if verdict is not None and does_not_run(verdict):
        failure = Failure(kind=_KINDS[verdict.verdict], message=judgement_text(verdict))
        return Outcome(UnitResult.FAILED, failure, verified, verdict)
    if contents is not None and contents.erased:
        failure = Failure(kind=ErrorKind.CANCELLED, message=f"{image.partition} was erased by hand")
        return Outcome(UnitResult.FAILED, failure)
    started = has.started if has is not None else done.result.started if done.result is not None else None
    if done.not_started or started is False:
        why = done.not_started or "its application was not seen to start"
        return Outcome(UnitResult.FAILED, Failure(kind=ErrorKind.NOT_ACCEPTED, message=why), verified, verdict)
    return Outcome(UnitResult.PASSED, verified=verified, verdict=verdict)
