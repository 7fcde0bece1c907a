"""`flashdeck connect --stdio`: the other end of `flashdeck --host`."""

import asyncio
import os
import socket
import sys

import click

from flashdeck import rpc
from flashdeck.client import Client
from flashdeck.errors import FlashdeckError, RequestError
from flashdeck_tui.cli.bridge import carry
from flashdeck_tui.cli.connect import whereabouts

_STDIN, _STDOUT = 0, 1


@click.command()
@click.option("--stdio", is_flag=True, help="Carry it over stdin and stdout.")
@click.option("--virtual", is_flag=True, help="Take the daemon of emulated boards.")
@click.pass_context
def command(context: click.Context, *, stdio: bool, virtual: bool) -> None:
    """Carry the daemon's socket over stdin and stdout: what 'flashdeck --host' runs on the other machine.

    Ends with its stdin, or with the daemon. Where it reaches no daemon, it says so on stdout in the words of the
    socket's protocol, for the other side to show. With --read-only the other side can change nothing, whatever it
    sends: as the forced command of an ssh key, that key may only look.
    """
    if not stdio:
        raise RequestError("connect needs --stdio", hint="'flashdeck --host user@box' runs it for you")
    if os.isatty(_STDIN):
        raise RequestError("stdin is a terminal", hint="'flashdeck --host user@box' runs this on the other machine")
    try:
        stream = asyncio.run(_opened(context, virtual=virtual))
    except FlashdeckError as error:
        sys.stdout.buffer.write(rpc.encode_error(None, error))
        sys.stdout.buffer.flush()
        raise
    with stream:
        carry(stream, source=_STDIN, sink=_STDOUT)


async def _opened(context: click.Context, *, virtual: bool) -> socket.socket:
    """Return a blocking socket to the daemon.

    One that is read-only was made so by a hello of our own, before the other side is heard at all: the daemon takes no
    later one back. It says nothing unasked meanwhile, so that no byte for the other side is lost.
    """
    where = whereabouts(context, virtual=virtual)
    stream = await where.open()
    client = await Client.over(stream, client="flashdeck connect", read_only=True) if where.read_only else None
    opened = socket.socket(fileno=os.dup(stream.writer.get_extra_info("socket").fileno()))
    if client is not None:
        await client.close()
    else:
        stream.writer.transport.abort()
        await stream.closed()
    opened.setblocking(True)  # noqa: FBT003 - as it is declared
    return opened
