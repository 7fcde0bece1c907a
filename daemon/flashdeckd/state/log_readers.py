"""Those who wait for the next line of a log: all of them are woken by it."""

import asyncio


class LogReaders:
    """The readers of one log that wait now. For the event loop's thread only."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def wake(self) -> None:
        """Something was added: nobody waits any more."""
        for each in self._waiting:
            each.set()

    async def wait(self, seconds: float) -> None:
        """Return once something was added, or after so many seconds."""
        added = asyncio.Event()
        self._waiting.add(added)
        try:
            async with asyncio.timeout(seconds):
                await added.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(added)
