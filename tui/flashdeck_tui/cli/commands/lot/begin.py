"""`flashdeck lot begin`: from now on units get the image of a lot."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.image_file import load_image
from flashdeck.model import BoardState, Snapshot
from flashdeck.names import select
from flashdeck.slot_state import LotState
from flashdeck_tui.cli import live_names, options
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.live_options import noted_boards
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.remote import boards_here
from flashdeck_tui.cli.unit_table import lot_table


@click.command()
@click.argument("name", type=options.name)
@click.option("--image", type=click.Path(path_type=Path), required=True, metavar="FILE", help=options.FILES)
@click.option("--count", type=click.IntRange(1), required=True, metavar="N", help="How many units are to pass.")
@click.option(
    "--partition",
    type=options.name,
    default="",
    shell_complete=live_names.partitions,
    metavar="NAME",
    help="The partition. Default: the only one of these slots that can be flashed.",
)
@click.option(
    "--slot",
    "slots",
    multiple=True,
    type=options.name,
    shell_complete=live_names.slots,
    callback=noted_boards,
    metavar="SLOT",
    help="A slot, or a glob (repeatable). Default: all slots that have the partition and no other lot.",
)
@options.as_json
def command(*, name: str, image: Path, count: int, partition: str, slots: tuple[str, ...], as_json: bool) -> None:
    """Begin the lot NAME: from now on the units in slots get FILE, and not the newest build.

    Units that are done stay so. Once N units have passed, no unit beyond is flashed. The lot goes on over a restart of
    the daemon, until 'flashdeck lot end'.
    """
    loaded = load_image(image)

    async def work(client: Client) -> LotState:
        status, wanted = await client.call(api.GetStatus()), boards_here(slots)
        chosen = _slots(status, wanted)
        place = partition or _only_partition(chosen)
        names = tuple(slot.name for slot in chosen if any(each.name == place for each in slot.partitions))
        sent = await client.upload(loaded.name, loaded.data, partition=place, boards=names or wanted)
        asked = api.BeginLot(
            name=name, sha256=sent.sha256, partition=place, count=count, slots=wanted, image=loaded.name
        )
        return await client.call(asked)

    lot = converse(work)
    if as_json:
        put_json(lot)
    else:
        put(lot_table([lot]))


def _slots(status: Snapshot, wanted: tuple[str, ...]) -> list[BoardState]:
    boards = {board.name: board for board in status.boards if board.slot}
    if not boards:
        hint = "[slots.NAME] in the configuration makes one"
        raise RequestError("there are no slots", kind=ErrorKind.NO_SUCH_BOARD, hint=hint)
    return [boards[name] for name in select(wanted or ("*",), boards, thing="slot")]


def _only_partition(slots: list[BoardState]) -> str:
    names = sorted({each.name for slot in slots for each in slot.partitions if not each.protected})
    if len(names) != 1:
        raise RequestError(
            f"the slots have {len(names)} partitions: {', '.join(names)}", hint="name one with --partition"
        )
    return names[0]
