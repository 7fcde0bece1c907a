"""The moment in which an event loop has nothing to do any more, but for what threads, files and time bring later."""

import asyncio
from typing import Any, Final

MOST_TURNS: Final = 10_000
"""Turns after which a loop counts as idle in which somebody makes work for itself again and again."""


async def until_nothing_is_ready() -> None:
    """Let all others run, in as many turns as they need."""
    loop: Any = asyncio.get_running_loop()
    for _ in range(MOST_TURNS):
        if not loop._ready:  # nobody else knows
            return
        await asyncio.sleep(0)
