"""The words of a board on its serial port, entry by entry as they come."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from flashdeck import api
from flashdeck.client import Client
from flashdeck.model import ConsoleEntry
from flashdeck.names import literal

WAIT_SECONDS: Final = 10.0
"""Seconds that the daemon waits for an entry before it answers that there is none."""


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """An entry of a console, with its board."""

    board: str
    entry: ConsoleEntry


async def newest_entry(client: Client, board: str) -> int:
    """Return the number of the newest entry of a console; 0 where it has none. Raises RemoteError."""
    return (await client.call(api.GetConsole(board=literal(board), limit=1))).next


async def console_entries(
    client: Client, board: str, *, since_leave: bool, seconds: float | None
) -> AsyncGenerator[ConsoleEntry, None]:
    """Yield what comes from now on, or all since the last leave of DFU mode; ends after so many `seconds`.

    `board` is a name, or a glob that means one. Raises RemoteError and ConnectionFailedError.
    """
    loop = asyncio.get_running_loop()
    deadline = None if seconds is None else loop.time() + seconds
    after = 0 if since_leave else (await client.call(api.GetConsole(board=board, limit=1))).next
    while True:
        left = WAIT_SECONDS if deadline is None else min(WAIT_SECONDS, deadline - loop.time())
        page = await client.call(
            api.GetConsole(
                board=board,
                after=after or -1,
                since_leave=since_leave,
                limit=api.CONSOLE_PAGE,
                wait=max(0.0, left),
            )
        )
        for entry in page.entries:
            yield entry
        after = max(after, page.next)
        if left <= 0:
            return
