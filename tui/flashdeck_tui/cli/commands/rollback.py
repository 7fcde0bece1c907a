"""`flashdeck rollback`: back to the last program that was good."""

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode, RequestError
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.commands.plan import put_plans
from flashdeck_tui.cli.connect import ask, converse
from flashdeck_tui.cli.job_results import Result, put_result
from flashdeck_tui.cli.order import Order, followed


@click.command()
@live_options.partition
@live_options.any_boards
@click.option("--dry-run", is_flag=True, help="Show the plan, and write nothing.")
@options.no_wait
@options.patience
@options.cancel_on_exit
@options.as_json
@options.as_jsonl
def command(
    *,
    partition: str,
    boards: tuple[str, ...],
    dry_run: bool,
    no_wait: bool,
    timeout: float | None,
    cancel_on_exit: bool,
    as_json: bool,
    as_jsonl: bool,
) -> ExitCode:
    """Flash the last program that was good in PARTITION before the present one.

    BOARD is a name or a glob; without one, all boards that have the partition. Good is a program whose flash came to
    its end, and that was seen to start where that can be seen. Each board goes back by itself; where one has nothing
    to go back to, nothing is flashed (4). A second rollback goes further back.

    The build that a board goes back from, and the newest build, are offered from then on until you flash them; only
    another build flashes by itself. Patches over the present program go with it. All else is as with 'flashdeck flash'.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    if dry_run:
        if no_wait or cancel_on_exit or as_jsonl or timeout is not None:
            raise RequestError(
                "--dry-run makes no job that could be followed",
                hint="leave --no-wait, --timeout, --cancel-on-exit and --jsonl out",
            )
        return put_plans(ask(api.PlanRollback(partition=partition, boards=boards)), as_json=as_json)
    order = Order(no_wait=no_wait, timeout=timeout, cancel_on_exit=cancel_on_exit, as_jsonl=as_jsonl, notes="")

    async def work(client: Client) -> Result:
        changes = client.follow()
        await anext(changes)  # first, so that nothing that happens to the jobs is missed
        asked = api.Rollback(partition=partition, boards=boards, no_wait=no_wait, cancel_on_exit=cancel_on_exit)
        return await followed(client, changes, asked, order)

    return put_result(converse(work), partition, as_json=as_json, as_jsonl=as_jsonl)
