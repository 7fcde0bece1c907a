"""From a command, which is plain Python, to the daemon and back."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from flashdeck.api import Params
from flashdeck.client import Client
from flashdeck.model import State
from flashdeck.paths import SOCKET_VARIABLE, socket_path

T = TypeVar("T")
R = TypeVar("R", bound=State)


def converse(work: Callable[[Client], Awaitable[T]], *, virtual: bool = False) -> T:
    """Connects to the daemon, does `work` with it, and hangs up.

    `virtual` looks for a daemon of emulated boards where neither `--socket` nor $FLASHDECK_SOCKET names one: it never
    shares its socket with one that has real boards.

    Raises:
        FlashdeckError: the daemon is not there (kind `unreachable`), or what it answered.
    """
    path = daemon_socket(virtual=virtual)

    async def session() -> T:
        async with await Client.connect(path, client="flashdeck-cli") as client:
            return await work(client)

    return asyncio.run(session())


def ask(params: Params[R], *, virtual: bool = False) -> R:
    """One question, one answer."""
    return converse(lambda client: client.call(params), virtual=virtual)


def daemon_socket(*, virtual: bool = False) -> Path:
    """The socket that the command line, the environment or the defaults name."""
    explicit: str | None = click.get_current_context().find_root().obj
    named = explicit or os.environ.get(SOCKET_VARIABLE)
    return socket_path(explicit, virtual=virtual and not named)
