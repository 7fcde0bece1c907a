"""Takes the states of a job's sectors from a lane's thread to the map of its board, not more often than can be seen."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from flashdeck.geometry import Range
from flashdeck.model import JobState
from flashdeckd.flash.flash_plan import FlashPlan
from flashdeckd.flash.sector_events import SectorAct, SectorEvent
from flashdeckd.flash.sector_states import SectorStates, SectorWork
from flashdeckd.host import clock, threads

MAP_SECONDS = 0.25
"""The states of one job's sectors are passed on at most this often."""
_FOLLOWED: Final = frozenset((SectorAct.ERASED, SectorAct.WRITTEN))
"""Acts behind which the next one mostly comes at once: with that it is seen what is under way."""


class SectorReports:
    """The sectors of one job: written in the lane's thread, shown in the event loop."""

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        job: JobState,
        sectors: Sequence[Range],
        show: Callable[[SectorWork], object],
    ) -> None:
        """`show` is called in the event loop. Without `sectors`, as of a device without addresses, it never is."""
        self._loop = loop
        self._job = job
        self._show = show
        self._has_map = bool(sectors)
        self._states = SectorStates(sectors)
        self._lock = threads.lock()
        """Between the thread that takes events, and the loop that looks at them while the board is busy."""
        self._is_new = False
        self._shown_at = 0.0

    def planned(self, plan: FlashPlan) -> None:
        """Take the plan, and show it."""
        with self._lock:
            self._states.plan(plan)
        self._pass_on()

    def happened(self, event: SectorEvent) -> None:
        """Take an event, and show it unless the last one was shown just now."""
        with self._lock:
            self._states.take(event)
        self._is_new = True
        if event.act not in _FOLLOWED and self._is_due:
            self._pass_on()

    def catch_up(self) -> None:
        """Show what was not shown yet: no event may follow for long. Called in the event loop."""
        if self._is_new and self._is_due:
            self._pass_on()

    def end(self) -> None:
        """Show how the attempt has left the sectors. Called in the event loop, once the work has ended."""
        with self._lock:
            self._states.end()
        self._pass_on()

    @property
    def _is_due(self) -> bool:
        return clock.monotonic() - self._shown_at >= MAP_SECONDS

    def _pass_on(self) -> None:
        if not self._has_map:
            return
        self._is_new, self._shown_at = False, clock.monotonic()
        with self._lock:
            work = self._states.work(self._job.id, self._job.partition)
        self._loop.call_soon_threadsafe(self._show, work)
