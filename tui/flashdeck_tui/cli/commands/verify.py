"""`flashdeck verify`: what boards have, compared by reading."""

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
@options.force_read
@ordered()
def command(*, target: str, file: Path | None, boards: tuple[str, ...], force: bool, order: Order) -> ExitCode:
    """Read PARTITION and compare it with FILE, or with what flashdeck knows of it.

    Erases and writes nothing, and leaves a board as it was: one that was running is started again.

    Exits with 5 where something is different, and says how many bytes and where the first is. Exits with 13 where the
    board cannot be read. Prints a row a board; all else is as with 'flash'.
    """
    wanted = NamedTarget.of(target, file, boards)

    async def work(bench: AsyncBench) -> Outcome:
        with explained(wanted):
            partition, image = await named(bench, wanted)
            return await bench.verify(partition, image, boards=boards_here(boards), force=force, **order.how)

    return carry_out(order, work)
