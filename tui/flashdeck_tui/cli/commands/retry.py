"""`flashdeck retry`: a job once more."""

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode
from flashdeck.model import JobState
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.follow import follow, tell_of_queued
from flashdeck_tui.cli.job_results import put_result
from flashdeck_tui.cli.live_names import jobs_to_retry
from flashdeck_tui.cli.outcome import Result, failure_of


@click.command()
@live_options.job(jobs_to_retry)
@options.as_json
@options.as_jsonl
def command(*, job: int, as_json: bool, as_jsonl: bool) -> ExitCode:
    """Flash the image of JOB once more, or try a blocked job again.

    JOB is a number that 'flashdeck jobs' lists. Follows the new job until it has ended or is blocked.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)

    async def work(client: Client) -> list[JobState]:
        changes = client.follow()
        await anext(changes)  # first, so that nothing that happens to the job is missed
        queued = await client.call(api.Retry(job=job))
        return await follow(client, changes, [queued], as_jsonl=as_jsonl)

    jobs = converse(work)
    tell_of_queued(jobs)
    result = Result(tuple(jobs), tuple(map(failure_of, jobs)))
    return put_result(result, jobs[0].partition, as_json=as_json, as_jsonl=as_jsonl)
