"""`flashdeck virtual dump`: what an emulated flash holds."""

import hashlib
from pathlib import Path

import click

from flashdeck import api
from flashdeck.api import CHUNK
from flashdeck.client import Client
from flashdeck.errors import FlashdeckError, RequestError
from flashdeck.text import clean, format_size
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.answers import FlashCopied
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.words import address as shown


@click.command()
@live_options.virtual_board
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--address", type=options.size, metavar="ADDRESS", help="Where to start. Default: the flash's start.")
@click.option("--size", type=options.size, metavar="BYTES", help="How many bytes. Default: up to the flash's end.")
@options.as_json
def command(*, board: str, file: Path, address: int | None, size: int | None, as_json: bool) -> None:
    """Copy the flash of BOARD, or a part of it, into FILE.

    Looks straight into the emulated chip: the board notices nothing, and it need not be plugged in.
    """
    start, data = converse(lambda client: _fetch(client, board, address, size), virtual=True)
    try:
        file.write_bytes(data)
    except OSError as error:
        raise FlashdeckError(f"{clean(str(file))} cannot be written: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    if as_json:
        shown_file = clean(str(file))
        put_json(FlashCopied(board=board, file=shown_file, address=start, size=len(data), sha256=digest))
    else:
        put(f"{format_size(len(data))} from {shown(start)}, SHA-256 {digest}")


async def _fetch(client: Client, board: str, address: int | None, size: int | None) -> tuple[int, bytes]:
    """The wanted range in pieces that fit into an answer; the first one tells where the flash starts and ends.

    Raises:
        RequestError: the range is not all flash.
    """
    flash = await client.call(api.VirtualDump(board=board, size=1))
    start = flash.base if address is None else address
    end = flash.base + flash.size
    stop = end if size is None else start + size
    if not flash.base <= start <= stop <= end:
        raise RequestError(
            f"{shown(start)} to {shown(stop)} is not all flash",
            hint=f"the flash of {clean(board)} is {shown(flash.base)} to {shown(end)}",
        )
    data = bytearray()
    while start + len(data) < stop:
        at = start + len(data)
        piece = await client.call(api.VirtualDump(board=board, address=at, size=min(CHUNK, stop - at)))
        if not piece.data:
            raise FlashdeckError(f"the daemon gave no bytes for {shown(at)}")
        data += piece.data
    return start, bytes(data)
