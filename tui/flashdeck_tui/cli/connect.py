"""From a command, which is plain Python, to the daemon and back."""

import asyncio
import os
import shlex
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from flashdeck.api import Params
from flashdeck.client import START_HINT, Client
from flashdeck.errors import ConnectionFailedError
from flashdeck.names import few
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeck.whereabouts import Whereabouts, unnamed
from flashdeck_tui.cli.answers import OtherDaemon
from flashdeck_tui.cli.output import complain
from flashdeck_tui.cli.readers import Until, while_read
from flashdeck_tui.inside_lease import act_for_lease

T = TypeVar("T")
R = TypeVar("R", bound=Value)


def converse(
    work: Callable[[Client], Coroutine[Any, Any, T]], *, virtual: bool = False, until: Until = Until.DONE
) -> T:
    """Connects to the daemon, does `work` with it for as long as `until` says, and hangs up.

    `virtual` looks for a daemon of emulated boards where neither `--socket` nor $FLASHDECK_SOCKET names one: it never
    shares its socket with one that has real boards.

    Raises:
        FlashdeckError: the daemon is not there (kind `unreachable`), or what it answered.
        UnreadError: nobody reads what the command says.
    """
    context = click.get_current_context()
    where = whereabouts(context, virtual=virtual)

    async def session() -> T:
        async with await where.connect(client="flashdeck-cli") as client:
            if others := rivals(where, client.where):
                complain(f"warning: several daemons run; this is the one at {client.where}, --socket chooses {others}")
            if trouble := await act_for_lease(client):
                complain(trouble)
            return await while_read(work(client), until)

    try:
        return asyncio.run(session())
    except ConnectionFailedError as error:
        options = _start_options(context, virtual=virtual)
        if error.hint != START_HINT or not options:
            raise
        raise ConnectionFailedError(error.message, hint=f"start it: `flashdeckd {options}`") from error


def ask(params: Params[R], *, virtual: bool = False) -> R:
    """One question, one answer."""
    return converse(lambda client: client.call(params), virtual=virtual)


def whereabouts(context: click.Context, *, virtual: bool = False) -> Whereabouts:
    """The sockets that the command line of `context`, the environment or the defaults name."""
    explicit = _explicit_socket(context)
    if not context.find_root().params.get("virtual"):
        return Whereabouts.of(explicit, virtual=virtual)
    if explicit:
        raise click.UsageError("--socket names one daemon, and --virtual chooses another: take one of them")
    return Whereabouts.only_virtual()


def rivals(where: Whereabouts, used: str) -> str:
    """Return the sockets of the other daemons that a command could have reached as well; "" where there are none."""
    if where.is_named or len(where.places) == 1:
        return ""
    return few([shown for shown in map(_shown, where.listening()) if shown != used])


def other_daemons(used: str) -> Iterator[OtherDaemon]:
    """Yield those of our daemons that listen on another socket than `used`."""
    environ = unnamed(os.environ)
    for is_virtual in (False, True):
        for shown in map(_shown, Whereabouts.of(virtual=is_virtual, environ=environ).listening()):
            if shown != used:
                yield OtherDaemon(socket=shown, virtual=is_virtual)


def _shown(place: Path) -> str:
    return clean(str(place))


def _explicit_socket(context: click.Context) -> str | None:
    explicit: str | None = context.find_root().params.get("socket")
    return explicit


def _start_options(context: click.Context, *, virtual: bool) -> str:
    """Return the options that start the flashdeckd that was looked for; it knows $FLASHDECK_SOCKET by itself."""
    explicit = _explicit_socket(context)
    options = ("--virtual FILE" if virtual else "", f"--socket {shlex.quote(explicit)}" if explicit else "")
    return " ".join(filter(None, options))
