"""`flashdeck lot status`: how far lots are."""

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck_tui.cli import many_hosts, options
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.live_options import any_lot
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.remote import lot_here
from flashdeck_tui.cli.unit_table import lot_table


@click.command()
@any_lot
@options.as_json
def command(*, name: str, as_json: bool) -> None:
    """Show how many units of the lot NAME have passed and failed; without NAME, of all lots, also those that ended."""

    async def work(client: Client) -> api.LotList:
        return await client.call(api.GetLots(name=lot_here(name)))

    found = converse(work, join=many_hosts.lots)
    if as_json:
        put_json(found)
    else:
        put(lot_table(found.lots) if found.lots else "no lots yet")
