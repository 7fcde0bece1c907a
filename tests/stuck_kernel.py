"""A call into the kernel that does not come back, until a test lets it."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from flashdeckd.host import executor


class Kernel:
    """A kernel that gives nothing back from a call on, until `give_back`."""

    def __init__(self) -> None:
        self.stuck = threading.Event()
        self._given = threading.Event()

    def call(self, real: Callable[..., Any], *, after: int = 1) -> Callable[..., Any]:
        left = after

        def call(*words: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0 and not self._given.is_set():
                self.stuck.set()
                self._given.wait(60)
            return real(*words)

        return call

    async def until_stuck(self) -> None:
        assert await asyncio.to_thread(self.stuck.wait, 30)

    def give_back(self) -> None:
        self._given.set()

    async def rest(self) -> None:
        """Give all back, and wait until no thread is left in it."""
        self.give_back()
        assert await asyncio.to_thread(executor.at_work, 30) == ()
