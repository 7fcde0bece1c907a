"""`flashdeck units`: the record of each unit that was in a slot."""

from functools import partial

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import RequestError
from flashdeck.slot_state import UnitRecord
from flashdeck.text import counted
from flashdeck_tui.cli import live_names, many_hosts, options
from flashdeck_tui.cli.answers import UnitList
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.live_options import any_slots
from flashdeck_tui.cli.output import put, put_json, say
from flashdeck_tui.cli.remote import boards_here, require_host_of
from flashdeck_tui.cli.unit_table import unit_table, units_as_csv

SHOWN_UNITS = 50
"""Units that are shown where nobody says how many."""


@click.command()
@any_slots
@click.option(
    "--lot",
    type=options.name,
    default="",
    metavar="NAME",
    shell_complete=live_names.lots,
    help="Only the units of this lot.",
)
@click.option(
    "-n", "--limit", type=click.IntRange(1), metavar="COUNT", help="How many. Default: 50; of a lot, and as CSV, all."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print them as CSV, with a line of titles.")
@options.as_json
def command(*, slots: tuple[str, ...], lot: str, limit: int | None, as_csv: bool, as_json: bool) -> None:
    """List the units that were in slots, newest first: when, with which serial and images, and the result.

    SLOT is a name or a glob, also of a slot that is no longer configured; without one, the units of all slots.
    """
    if as_csv and as_json:
        raise RequestError("--json and --csv were both given", hint="take one of them")
    require_host_of(lot)
    most = limit or (None if lot or as_csv else SHOWN_UNITS)

    async def work(client: Client) -> UnitList:
        units: list[UnitRecord] = []
        before = 0
        lots = boards_here((lot,))
        if not lots:
            return UnitList(units=(), kept=0)  # the lot that is meant is another machine's
        while True:
            left = None if most is None else most - len(units)
            asked = api.GetUnits(
                slots=boards_here(slots), lot=lots[0], before=before, limit=min(left or api.JOB_PAGE, api.JOB_PAGE)
            )
            page = await client.call(asked)
            units += page.units
            before = page.next
            if not before or (most is not None and len(units) >= most):
                return UnitList(units=tuple(units), kept=page.kept)

    found = converse(work, join=partial(many_hosts.units, limit=most))
    if as_json:
        put_json(found)
    elif as_csv:
        put(units_as_csv(found.units, head=True).rstrip("\r\n"))
    else:
        put(unit_table(found.units) if found.units else "no such units")
    if found.kept:
        say(f"the journal keeps the newest {counted(found.kept, 'unit')}")
