"""`flashdeck lot status`: how far lots are."""

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
    """Show how many units of the lot NAME have passed and failed; without NAME, of all lots, also those that ended."""
    found = ask(api.GetLots(name=name))
    if as_json:
        put_json(found)
    else:
        put(lot_table(found.lots) if found.lots else "no lots yet")
