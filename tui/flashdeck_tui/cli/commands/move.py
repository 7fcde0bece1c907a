"""`flashdeck move`: another order in the queue of a board."""

import click

from flashdeck import api
from flashdeck.queue_order import QueueMove
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.jobs import job_table
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.live_names import jobs_to_move
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.remote import only_host


@click.command()
@live_options.job(jobs_to_move)
@click.argument(
    "to", metavar="up|down|first", type=click.Choice([to.value for to in QueueMove if to is not QueueMove.OTHER])
)
@options.as_json
def command(*, job: int, to: str, as_json: bool) -> None:
    """Move JOB in the queue of its board: it changes places with the next one up or down, or goes first.

    JOB is a number that 'flashdeck jobs' lists, of a job that has not begun. Jobs of one partition keep their order,
    and a reset comes first. What is queued later comes behind the jobs that were moved.

    Prints the queue of that board, the next one first.
    """
    only_host(click.get_current_context())  # elsewhere the number is another job's
    queue = ask(api.MoveJob(job=job, to=QueueMove(to)))
    if as_json:
        put_json(queue)
    else:
        put(job_table(queue.jobs))
