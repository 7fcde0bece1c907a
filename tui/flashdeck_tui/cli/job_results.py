"""The results of jobs, as the end of a command: rows or an object on stdout, an error on stderr, the exit code."""

from collections.abc import Iterable

from msgspec import UNSET

from flashdeck.errors import ExitCode
from flashdeck.job_state import judgement_of
from flashdeck.model import JobState
from flashdeck.outcome import Outcome
from flashdeck.verdict import Verdict
from flashdeck.words.verdicts import judgement_text
from flashdeck_tui.cli.answers import FlashReport
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.output import put, put_json, report, say


def put_result(done: Outcome, *, as_json: bool, as_jsonl: bool) -> ExitCode:
    """Print what the jobs came to; with `as_jsonl` that is on stdout already."""
    failure = done.failure
    if as_json:
        put_json(FlashReport(jobs=done.jobs, notes=done.notes, error=failure if failure is not None else UNSET))
    elif not as_jsonl:
        put(job_table(done.jobs))
    tell_unjudged(done.jobs)
    if failure is not None:
        report(failure, as_json=False)
    return done.exit_code


def tell_unjudged(jobs: Iterable[JobState]) -> None:
    """Say on stderr of which images it could not be judged how they start, and why."""
    for job in jobs:
        judgement = judgement_of(job.status)
        if judgement is not None and judgement.verdict is Verdict.UNKNOWN:
            say(f"{job.board}: {judgement_text(judgement)}")
