"""`flashdeck serve`: the screen in a browser of this machine."""

import asyncio
import signal
import socket
from importlib import import_module

import click

from flashdeck import own_python
from flashdeck.errors import RequestError
from flashdeck.extras import Extra, explained
from flashdeck.loopback import loopback
from flashdeck.taking import own_user
from flashdeck.text import clean
from flashdeck_tui.browser.door import Door
from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import Served
from flashdeck_tui.cli.connect import address, is_read_only
from flashdeck_tui.cli.global_options import is_virtual_wanted
from flashdeck_tui.cli.output import complain, put, put_json, say
from flashdeck_tui.cli.remote import only_host

ANY_PORT = 0
"""Any port that is free."""
HIGHEST_PORT = 65535
"""The highest that there is."""


@click.command()
@click.option(
    "--port",
    type=click.IntRange(ANY_PORT, HIGHEST_PORT),
    default=ANY_PORT,
    metavar="PORT",
    help="The port. Default: any that is free.",
)
@click.option(
    "--bind",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="The address: 127.0.0.1, the default, or ::1. Others are reached through ssh.",
)
@click.option("--allow-changes", is_flag=True, help="Let pages change things, as the screen in a terminal does.")
@options.as_json
@click.pass_context
def command(context: click.Context, *, port: int, bind: str, allow_changes: bool, as_json: bool) -> int:
    """Show the screen in a browser of this machine, until Ctrl-C. It needs the extra 'web'.

    Prints an address with a secret in it, once: open it in your browser. Without the secret, and for other users of
    this machine, nobody answers. Pages can only look, unless --allow-changes is given: the daemon refuses whatever else
    they try. Closing a page ends its screen.

    From another machine, carry the port over ssh: 'ssh -N -L PORT:127.0.0.1:PORT USER@BOX', with the same PORT twice.
    """
    at = loopback(bind)
    if at is None:
        raise RequestError(
            f"{clean(bind)} is not an address of this machine alone: others could read along on the way",
            hint=f"leave out --bind, give a --port, and run on the other machine: {_tunnel('127.0.0.1', port)}",
        )
    if allow_changes and is_read_only(context):
        raise RequestError("--read-only and --allow-changes contradict each other", hint="leave one out")
    host = only_host(context)
    address(context, host, asks=False)  # a name that can be none is told before anybody opens a page
    with explained(Extra.WEB, "the screen in a browser", otherwise="the screen in a terminal works without"):
        server = import_module("flashdeck_tui.browser.server")
    argv = _screen(context, host, read_only=not allow_changes)
    name = host or socket.gethostname()
    title = f"flashdeck on {clean(name)}" + ("" if allow_changes else " (read-only)")

    async def serve() -> int:
        async with server.serving(server.ServedScreen(argv, title, at, port), say) as door:
            ended = _end_in_order()
            _introduce(door, allow_changes=allow_changes, as_json=as_json)
            return await ended

    return asyncio.run(serve())


def _screen(context: click.Context, host: str, *, read_only: bool) -> tuple[str, ...]:
    """Return the command line of a screen on the same daemon. The token is no part of it: anybody can read those."""
    explicit: str | None = context.find_root().params.get("socket")
    return (
        *own_python.module("flashdeck_tui"),
        *(("--read-only",) if read_only else ()),
        *(("--virtual",) if is_virtual_wanted(context) else ()),
        *((f"--socket={explicit}",) if explicit else ()),
        *((f"--host={host}",) if host else ()),
    )


def _introduce(door: Door, *, allow_changes: bool, as_json: bool) -> None:
    tunnel = _tunnel(door.address, door.port)
    if as_json:
        put_json(Served(url=door.url, port=door.port, read_only=not allow_changes, ssh=tunnel))
        return
    put(door.url)
    may = "can change things" if allow_changes else "can only look (--allow-changes lets them do more)"
    say(f"open this address in a browser of this machine; pages {may}")
    say(f"from another machine, run there first: {tunnel}")
    say("Ctrl-C ends it, and every page; the address is no longer good then")


def _tunnel(at: str, port: int) -> str:
    """Return the command that carries a port to another machine, where the address is then the same."""
    number = str(port) if port else "PORT"
    there = f"[{at}]" if ":" in at else at
    return f"ssh -N -L {number}:{there}:{number} {own_user()}@{clean(socket.gethostname())}"


def _end_in_order() -> "asyncio.Future[int]":
    """Return what comes with a signal that ends it in order: the exit code for that. Ctrl-C is asyncio's."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(number: int) -> None:
        if not ended.done():
            complain(f"ended by {signal.Signals(number).name}")
            ended.set_result(128 + number)

    # What was started by `nohup` goes on.
    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, end, number)
    return ended
