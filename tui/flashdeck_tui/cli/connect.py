"""From a command, which is plain Python, to the daemon and back."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from flashdeck.api import Params
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError
from flashdeck.stream import START_HINT
from flashdeck.value import Value
from flashdeck.whereabouts import Whereabouts
from flashdeck_tui.cli.output import say
from flashdeck_tui.inside_lease import act_for_lease

T = TypeVar("T")
R = TypeVar("R", bound=Value)


def converse(work: Callable[[Client], Awaitable[T]], *, virtual: bool = False) -> T:
    """Connects to the daemon, does `work` with it, and hangs up.

    `virtual` looks for a daemon of emulated boards where neither `--socket` nor $FLASHDECK_SOCKET names one: it never
    shares its socket with one that has real boards.

    Raises:
        FlashdeckError: the daemon is not there (kind `unreachable`), or what it answered.
    """
    context = click.get_current_context()
    where = whereabouts(context, virtual=virtual)

    async def session() -> T:
        async with await where.connect(client="flashdeck-cli") as client:
            if trouble := await act_for_lease(client):
                say(trouble)
            return await work(client)

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
    return Whereabouts.of(_explicit_socket(context), virtual=virtual)


def _explicit_socket(context: click.Context) -> str | None:
    explicit: str | None = context.find_root().params["socket"]
    return explicit


def _start_options(context: click.Context, *, virtual: bool) -> str:
    """Return the options that start the flashdeckd that was looked for; it knows $FLASHDECK_SOCKET by itself."""
    explicit = _explicit_socket(context)
    options = ("--virtual FILE" if virtual else "", f"--socket {shlex.quote(explicit)}" if explicit else "")
    return " ".join(filter(None, options))
