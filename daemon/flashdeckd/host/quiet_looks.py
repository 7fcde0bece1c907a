"""Looks that nobody is in a hurry for, taken together: for all of them a quiet daemon wakes up once.

Each for itself would be a timer, a thread that wakes up, and a way back to the event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from flashdeckd.host import threads

T = TypeVar("T")

LOOK_SECONDS: Final = 3.0
"""Seconds between two rounds of looks."""
LATE_SECONDS: Final = 10.0
"""Seconds after which the other looks of a round go on without one that hangs, as at a disk that does not answer."""


@dataclass(frozen=True, slots=True, eq=False)
class _QuietLook:
    """A look that somebody waits for."""

    work: Callable[[], object]
    answer: "asyncio.Future[Any]"

    def taken(self) -> Callable[[], None]:
        """Look, in any thread, and return what tells of it in the event loop."""
        try:
            result = self.work()
        except BaseException as error:  # noqa: BLE001 -- raised where somebody waits for the result
            return partial(self._tell, partial(self.answer.set_exception, error))
        return partial(self._tell, partial(self.answer.set_result, result))

    def _tell(self, tell: Callable[[], None]) -> None:
        if not self.answer.done():  # who asked may have been cancelled
            tell()


@dataclass(frozen=True, slots=True, eq=False)
class _Round:
    """Looks on their way through one thread."""

    to_take: deque[_QuietLook]
    to_tell: deque[Callable[[], None]]

    def take(self) -> None:
        """Take all looks that are left, in any thread."""
        while self.to_take:
            try:
                look = self.to_take.popleft()
            except IndexError:  # the last one was taken out of the round just now
                return
            self.to_tell.append(look.taken())

    def tell(self) -> None:
        """Tell what was seen so far; in the event loop."""
        while self.to_tell:
            self.to_tell.popleft()()


class QuietLooks:
    """Takes looks in rounds, each time in one thread. In the event loop's thread only."""

    def __init__(self) -> None:
        self._asked = deque[_QuietLook]()
        self._late = set["asyncio.Future[None]"]()

    async def next(self, look: Callable[[], T]) -> T:
        """Return what `look` returns in the next round; raise what it raises. It may block."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._asked.append(_QuietLook(look, answer))
        return await answer

    async def run(self) -> None:
        """Take a round again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.take_round()

    async def take_round(self) -> None:
        """Take all looks that were asked for. Those behind one that hangs come into the next round."""
        asked = deque(look for look in self._asked if not look.answer.done())
        self._asked.clear()
        if not asked:
            return
        a_round = _Round(asked, deque())
        taking = asyncio.ensure_future(threads.run(a_round.take))
        _, late = await asyncio.wait((taking,), timeout=LATE_SECONDS)
        if late:
            self._asked.extendleft(reversed(asked))
            asked.clear()
            self._late.add(taking)
            taking.add_done_callback(self._late.discard)
            taking.add_done_callback(lambda _: a_round.tell())
        a_round.tell()
