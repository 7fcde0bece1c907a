"""Boards that go back by themselves, in words. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from flashdeck.job_state import judgement_of
from flashdeck.model import JobState
from flashdeck.verdict import Verdict
from flashdeck.words.contents import image_name
from flashdeck.words.verdicts import judgement_flaw

_CLAUSES: Final = {
    Verdict.CRASHED: "crashed",
    Verdict.SILENT: "was silent",
    Verdict.ANOTHER_BUILD: "is not what runs",
    Verdict.NOT_SEEN: "was not seen to start",
}


def crash_clause(jobs: Sequence[JobState]) -> str:
    """Return what became of the images of jobs that all have the same verdict, as "1.0.3 crashed"."""
    judgement = judgement_of(jobs[0].status) if jobs else None
    clause = _CLAUSES.get(judgement.verdict, "does not run") if judgement is not None else "does not run"
    return f"{_images(jobs)} {clause}"


def went_back_text(jobs: Sequence[JobState], crashed: Sequence[JobState]) -> str:
    """Return that a board goes back by `jobs`, because `crashed` have ended as they did."""
    flaw = _flaw(crashed[0])
    numbers = ", ".join(str(job.id) for job in jobs)
    return (
        f"goes back by itself to {_images(jobs)} (job{'s' if len(jobs) > 1 else ''} {numbers}): {crash_clause(crashed)}"
        f"{f': {flaw}' if flaw else ''}; builds of {_images(crashed)} are offered until you flash one"
    )


def crashed_again_text(jobs: Sequence[JobState]) -> str:
    """Return why a board is put on hold that went back by itself, to what does not run either."""
    flaw = _flaw(jobs[0])
    return f"it went back by itself, and then {crash_clause(jobs)}, too{f': {flaw}' if flaw else ''}"


def _flaw(job: JobState) -> str:
    judgement = judgement_of(job.status)
    return judgement_flaw(judgement) if judgement is not None else ""


def _images(jobs: Iterable[JobState]) -> str:
    """Return the images that jobs brought, with their partitions where there are several."""
    named = {job.id: (job.partition, image_name(job.version, job.sha256)) for job in jobs}
    if len(named) == 1:
        return next(iter(named.values()))[1]
    *others, last = [f"{partition} {image}" for partition, image in named.values()]
    return f"{', '.join(others)} and {last}"
