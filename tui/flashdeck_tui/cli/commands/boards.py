"""`flashdeck boards`: who is on the bus, and where."""

from collections.abc import Sequence

import click

from flashdeck import api
from flashdeck.model import BoardState, DeviceState
from flashdeck.text import clean
from flashdeck_tui.cli import live_options, many_hosts, options, words
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.table import table


@click.command()
@live_options.any_boards
@options.as_json
def command(*, boards: tuple[str, ...], as_json: bool) -> None:
    """List the configured boards, and the DFU devices that are none of them.

    BOARD is a name or a glob; without one, all boards and all devices.
    """
    reply = ask(api.GetBoards(boards=boards), join=many_hosts.boards)
    if as_json:
        put_json(reply)
        return
    put(board_table(reply.boards) if reply.boards else "no boards configured")
    if reply.devices:
        put("\n" + device_table(reply.devices))


def board_table(boards: Sequence[BoardState]) -> str:
    """The boards, and below them what keeps any of them from being flashed."""
    rows = [
        [board.name, board.profile, words.presence(board), board.port or words.NOTHING, board.serial or words.NOTHING]
        for board in boards
    ]
    lines = [table(["BOARD", "PROFILE", "STATE", "PORT", "SERIAL"], rows), *map(clean, words.remarks(boards))]
    return "\n".join(lines)


def device_table(devices: Sequence[DeviceState]) -> str:
    """DFU devices that no configured board matches."""
    rows = [
        [
            device.usb_id,
            device.port,
            device.serial or words.NOTHING,
            device.product or words.NOTHING,
            device.note or words.NOTHING,
        ]
        for device in devices
    ]
    title = "not configured: listed, never touched"
    end = "'flashdeck suggest' and 'flashdeck adopt' make boards of them"
    return f"{title}\n{table(['USB ID', 'PORT', 'SERIAL', 'PRODUCT', 'NOTE'], rows)}\n{end}"
