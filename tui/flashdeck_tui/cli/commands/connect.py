"""`flashdeck connect --stdio`: the other end of `flashdeck --host`."""

import asyncio
import os
import socket
import sys
from typing import NoReturn

import click

from flashdeck import rpc
from flashdeck.errors import FlashdeckError, RequestError
from flashdeck_tui.cli.bridge import carry
from flashdeck_tui.cli.connect import whereabouts

_STDIN, _STDOUT = 0, 1


@click.command()
@click.option("--stdio", is_flag=True, help="Carry the socket's lines over stdin and stdout.")
@click.option("--virtual", is_flag=True, help="To the daemon of emulated boards.")
@click.pass_context
def command(context: click.Context, *, stdio: bool, virtual: bool) -> None:
    """Carry the daemon's socket over stdin and stdout, which ssh carries on: for 'flashdeck --host'.

    It ends with its stdin, or with the daemon. Where no daemon can be reached, it says so on stdout in the words of the
    socket's protocol, for the other side to show.
    """
    if not stdio:
        raise RequestError("connect needs --stdio", hint="you need not run it: 'flashdeck --host user@box' does")
    if os.isatty(_STDIN):
        raise RequestError(
            "a person cannot type the protocol", hint="'flashdeck --host user@box' runs this on the other machine"
        )
    try:
        stream = asyncio.run(_opened(context, virtual=virtual))
    except FlashdeckError as error:
        _tell(error)
        raise
    with stream:
        carry(stream, source=_STDIN, sink=_STDOUT)
    _leave()


async def _opened(context: click.Context, *, virtual: bool) -> socket.socket:
    """Return a blocking socket to the daemon."""
    stream = await whereabouts(context, virtual=virtual).open()
    descriptor = os.dup(stream.writer.get_extra_info("socket").fileno())
    stream.writer.transport.abort()
    await stream.closed()
    opened = socket.socket(fileno=descriptor)
    opened.setblocking(True)  # noqa: FBT003 - as it is declared
    return opened


def _tell(error: FlashdeckError) -> None:
    """Say what went wrong to the client at the other end, which waits for the answer to its hello."""
    sys.stdout.buffer.write(rpc.encode_error(None, error))
    sys.stdout.buffer.flush()


def _leave() -> NoReturn:
    """End the process; a thread may still wait for its stdin, which nobody needs any more."""
    sys.stderr.flush()
    os._exit(0)
