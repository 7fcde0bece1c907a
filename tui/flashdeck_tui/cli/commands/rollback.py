"""`flashdeck rollback`: back to the last program that was good."""

import click

from flashdeck import api
from flashdeck.errors import ExitCode, RequestError
from flashdeck_tui.cli import live_options, many_hosts
from flashdeck_tui.cli.commands.plan import put_plans
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.orders import Order, carry_out, ordered
from flashdeck_tui.cli.remote import boards_here


@click.command()
@live_options.partition
@live_options.any_boards
@click.option("--dry-run", is_flag=True, help="Show the plan, and write nothing.")
@ordered()
def command(*, partition: str, boards: tuple[str, ...], dry_run: bool, order: Order) -> ExitCode:
    """Flash the last program that was good in PARTITION before the present one.

    BOARD is a name or a glob; without one, all boards that have the partition. Good is a program whose flash came to
    its end, and that was seen to start where that can be seen. Each board goes back by itself; where one has nothing
    to go back to, nothing is flashed, and it exits with 4. A second rollback goes further back.

    The build that a board goes back from, and the newest build, are offered from then on until you flash them; only
    another build flashes by itself. Patches over the present program go with it. All else is as with 'flashdeck flash'.
    """
    if dry_run:
        if order.no_wait or order.cancel_on_exit or order.as_jsonl or order.timeout is not None:
            raise RequestError(
                "--dry-run makes no job that could be followed",
                hint="leave --no-wait, --timeout, --cancel-on-exit and --jsonl out",
            )
        return put_plans(
            ask(api.PlanRollback(partition=partition, boards=boards), join=many_hosts.plans), as_json=order.as_json
        )
    return carry_out(order, lambda bench: bench.rollback(partition, boards=boards_here(boards), **order.how), note="")
