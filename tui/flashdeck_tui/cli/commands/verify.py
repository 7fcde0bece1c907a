"""`flashdeck verify`: what boards have, compared by reading."""

from pathlib import Path

import click

from flashdeck.errors import ExitCode
from flashdeck.image_file import load_image
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.orders import Order, carry_out, ordered


@click.command(epilog=options.FILES)
@live_options.partition
@click.argument("file", type=click.Path(path_type=Path), required=False)
@live_options.boards
@options.force_read
@ordered()
def command(*, partition: str, file: Path | None, boards: tuple[str, ...], force: bool, order: Order) -> ExitCode:
    """Read PARTITION and compare it with FILE, or with what flashdeck knows of it.

    Erases and writes nothing, and leaves a board as it was: one that was running is started again.

    Ends with 5 where something is different, and says how many bytes and where the first is. Ends with 13 where the
    board cannot be read. Prints a row a board; all else is as with 'flash'.
    """
    image = load_image(file) if file is not None else None
    return carry_out(order, lambda bench: bench.verify(partition, image, boards=boards, force=force, **order.how))
