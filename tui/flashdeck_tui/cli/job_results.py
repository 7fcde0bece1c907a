"""The results of jobs, as the end of a command: rows or an object on stdout, an error on stderr, the exit code."""

from msgspec import UNSET

from flashdeck.errors import ExitCode
from flashdeck.outcome import Outcome
from flashdeck_tui.cli.answers import FlashReport
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.output import put, put_json, report


def put_result(done: Outcome, *, as_json: bool, as_jsonl: bool) -> ExitCode:
    """Print what the jobs came to; with `as_jsonl` that is on stdout already."""
    failure = done.failure
    if as_json:
        put_json(FlashReport(jobs=done.jobs, notes=done.notes, error=failure if failure is not None else UNSET))
    elif not as_jsonl:
        put(job_table(done.jobs))
    if failure is not None:
        report(failure, as_json=False)
    return done.exit_code
