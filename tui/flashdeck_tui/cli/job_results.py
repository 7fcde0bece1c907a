"""The results of jobs, as the end of a command: rows or an object on stdout, an error on stderr, the exit code."""

from msgspec import UNSET

from flashdeck.errors import ExitCode
from flashdeck_tui.cli.answers import FlashReport
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.outcome import Result, exit_code, overall
from flashdeck_tui.cli.output import put, put_json, report


def put_result(result: Result, partition: str, *, as_json: bool, as_jsonl: bool) -> ExitCode:
    """Print what the jobs came to; with `as_jsonl` that is on stdout already."""
    boards = [(job.board, failure) for job, failure in zip(result.jobs, result.failures, strict=True)]
    error = overall(partition, boards)
    if as_json:
        put_json(FlashReport(jobs=result.jobs, notes=result.notes, error=error if error is not None else UNSET))
    elif not as_jsonl:
        put(job_table(result.jobs))
    if error is not None:
        report(error, as_json=False)
    return exit_code(result.failures)
