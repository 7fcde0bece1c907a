"""`flashdeck flash`: an image onto boards, by hand."""

from pathlib import Path

import click

from flashdeck.async_bench import AsyncBench
from flashdeck.errors import ExitCode
from flashdeck.outcome import Outcome
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.named_target import NamedTarget, explained, named
from flashdeck_tui.cli.orders import Order, carry_out, ordered
from flashdeck_tui.cli.remote import boards_here


@click.command(epilog=f"{options.FILES}\n\n{options.PLACED}")
@live_options.partition_or_file
@click.argument("file", type=click.Path(path_type=Path), required=False)
@live_options.boards
@ordered()
def command(*, target: str, file: Path | None, boards: tuple[str, ...], order: Order) -> ExitCode:
    """Flash FILE, or the newest build, into PARTITION.

    Follows the jobs to their end, and says what each board waits for. A board that is absent, or has to be brought into
    DFU mode, is waited for.

    A board on hold or a blocked job ends it with 13, once no other board is being flashed. 10 means that some of
    several boards failed. Prints a row a board.
    """
    wanted = NamedTarget.of(target, file, boards)

    async def work(bench: AsyncBench) -> Outcome:
        with explained(wanted):
            partition, image = await named(bench, wanted)
            return await bench.flash(partition, image, boards=boards_here(boards), **order.how)

    return carry_out(order, work)
