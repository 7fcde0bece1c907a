"""`flashdeck retry`: a job once more."""

import click

from flashdeck.errors import ExitCode
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.live_names import jobs_to_retry
from flashdeck_tui.cli.orders import Order, carry_out
from flashdeck_tui.cli.remote import only_host


@click.command()
@live_options.job(jobs_to_retry)
@options.as_json
@options.as_jsonl
def command(*, job: int, as_json: bool, as_jsonl: bool) -> ExitCode:
    """Flash the image of JOB once more, or try a blocked job again.

    JOB is a number that 'flashdeck jobs' lists. Follows the new job until it has ended or is blocked.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    only_host(click.get_current_context())  # elsewhere the number is another job's
    return carry_out(Order(as_json=as_json, as_jsonl=as_jsonl), lambda bench: bench.retry(job))
