"""`flashdeck lot end`: units get the newest build again."""

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.slot_state import LotState
from flashdeck_tui.cli import options
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.live_options import lot_going_on
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.remote import lot_here
from flashdeck_tui.cli.unit_table import lot_table


@click.command()
@lot_going_on
@options.as_json
def command(*, name: str, as_json: bool) -> None:
    """End the lot NAME, or the only one: units that are under way still count, and later ones get the newest build."""

    async def work(client: Client) -> LotState:
        return await client.call(api.EndLot(name=lot_here(name)))

    lot = converse(work)
    if as_json:
        put_json(lot)
    else:
        put(lot_table([lot]))
