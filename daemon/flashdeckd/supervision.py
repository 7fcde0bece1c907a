"""The daemon under a service manager: how things are, in its words, and signs of life while its parts answer.

A part that does not answer is told as a trouble, with a service manager and without one. With one, no sign of life is
given then: it ends the daemon and starts it again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from flashdeck.model import Event
from flashdeck.words.daemon import summary
from flashdeckd.host.service_manager import ServiceManager
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub

ROUND_SECONDS = 20.0
"""Seconds between two questions to all parts, where no service manager waits for a sign of life."""
SIGNS = 3
"""Signs of life that fit into the time of the watchdog: one that is late does not end the daemon yet."""
STATUS_PAUSE = 1.0
"""Seconds between two statuses: a flash changes the state many times a second."""
ANSWER_SHARE = 0.5
"""The share of a round in which a part has to answer."""

Question = Callable[[], Awaitable[object]]
"""Comes back once the part has answered."""


@dataclass(frozen=True, slots=True)
class LaneSign:
    """The pulse of one board's lane."""

    board: str
    has_work: bool
    is_late: bool
    """True if its running operation takes longer than it ever may."""


def reason_to_withhold(silent: Collection[str], lanes: Collection[LaneSign]) -> str:
    """Return why no sign of life may be given; "" where one may.

    A board that hangs costs only itself. Where every lane that has work hangs, it is not the boards.
    """
    if silent:
        return f"{' and '.join(sorted(silent))} did not answer"
    working = [lane for lane in lanes if lane.has_work]
    if working and all(lane.is_late for lane in working):
        return f"every board with work is past its time ({', '.join(sorted(lane.board for lane in working)[:8])})"
    return ""


class Supervision:
    """Speaks to the service manager for as long as it runs."""

    def __init__(
        self,
        manager: ServiceManager,
        *,
        hub: Hub,
        health: Health,
        parts: Mapping[str, Question],
        lanes: Callable[[], Iterable[LaneSign]],
    ) -> None:
        self._manager = manager
        self._hub = hub
        self._health = health
        self._parts = parts
        self._lanes = lanes
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Tell the status whenever it changes, and give signs of life; until cancelled."""
        unlisten = self._hub.listen(self._note)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tell_status())
                tasks.create_task(self._ask_again_and_again())
        finally:
            unlisten()

    def _note(self, event: Event) -> None:
        if event.log is None:
            self._changed.set()

    async def _tell_status(self) -> None:
        while True:
            self._changed.clear()
            self._manager.status(summary(self._hub.snapshot()))
            await asyncio.sleep(STATUS_PAUSE)
            await self._changed.wait()

    async def _ask_again_and_again(self) -> None:
        pause = self._manager.watchdog / SIGNS or ROUND_SECONDS
        while True:
            await self.ask(pause * ANSWER_SHARE)
            await asyncio.sleep(pause)

    async def ask(self, seconds: float) -> None:
        """Ask all parts at once, each of which has so many seconds, and give a sign of life where one may be given."""
        asked = {name: asyncio.ensure_future(question()) for name, question in self._parts.items()}
        if asked:
            _, late = await asyncio.wait(asked.values(), timeout=seconds)
            for question in late:
                question.cancel()
        silent = [name for name, question in asked.items() if not _has_answered(question)]
        why = reason_to_withhold(silent, tuple(self._lanes()))
        acts = (
            "the service manager is about to start it again" if self._manager.watchdog else "restart it if this stays"
        )
        self._health.report("flashdeckd", why, hint=acts)
        if not why:
            self._manager.alive()


def _has_answered(question: "asyncio.Future[object]") -> bool:
    """Tell whether a part has answered; an error is an answer, and is told where it belongs."""
    if not question.done() or question.cancelled():
        return False
    question.exception()  # seen: it is no surprise to anybody
    return True
