"""`flashdeck lot end`: units get the newest build again."""

import click

from flashdeck import api
from flashdeck_tui.cli import options
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.unit_table import lot_table


@click.command()
@click.argument("name", type=options.name, default="")
@options.as_json
def command(*, name: str, as_json: bool) -> None:
    """End the lot NAME, or the only one: units that are under way still count, and later ones get the newest build."""
    lot = ask(api.EndLot(name=name))
    if as_json:
        put_json(lot)
    else:
        put(lot_table([lot]))
