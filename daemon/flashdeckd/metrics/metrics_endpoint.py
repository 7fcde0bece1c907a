"""The endpoint for Prometheus as the configuration wants it: opened, moved and closed, and told of where it cannot be.

Where there is none, all that this costs is one comparison for each state of the daemon that is published.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flashdeck.errors import FlashdeckError
from flashdeck.extras import Extra, explained
from flashdeck.loopback import ListenAt
from flashdeck.model import Event
from flashdeckd.host import threads
from flashdeckd.host.quiet_looks import QuietLooks
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub

if TYPE_CHECKING:
    from flashdeckd.metrics.served_metrics import ServedMetrics

PART: Final = "metrics"
"""The name under which its troubles are reported."""
RETRY_SECONDS: Final = 10.0
"""Pause before a place is tried again that could not be had: another program may have let it go."""

_log = logging.getLogger(__name__)


class MetricsEndpoint:
    """Follows [metrics]. Runs in the event loop's thread only."""

    def __init__(
        self, hub: Hub, health: Health, state_dir: Path, wanted: Callable[[], ListenAt | None], looks: QuietLooks
    ) -> None:
        """`wanted` is where the configuration that counts now wants it; None: nowhere."""
        self._looks = looks
        self._hub = hub
        self._health = health
        self._state_dir = state_dir
        self._wanted = wanted
        self._at: ListenAt | None = None
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._served: ServedMetrics | None = None
        self._unlisten = hub.listen(self._hear)

    def follow(self) -> None:
        """Go where the configuration wants it now."""
        at = self._wanted()
        if at == self._at:
            return
        self._at = at
        self._changed.set()
        if self._following is None:  # not before: where it is never wanted, there is no task
            self._following = asyncio.create_task(self._follow(), name="metrics")
            self._following.add_done_callback(_tell_of_fault)

    async def close(self) -> None:
        """End it."""
        self._unlisten()
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait((self._following,))

    def _hear(self, event: Event) -> None:
        if event.daemon is not None:
            self.follow()
        elif self._served is not None:
            self._served.hear(event)

    async def _follow(self) -> None:
        while True:
            self._changed.clear()
            serving = asyncio.create_task(self._serve(self._at), name="metrics endpoint")
            serving.add_done_callback(_tell_of_fault)
            try:
                await self._changed.wait()
            finally:
                serving.cancel()
                await asyncio.wait((serving,))

    async def _serve(self, at: ListenAt | None) -> None:
        """Serve at a place, which is tried again and again where it cannot be had."""
        if at is None:
            self._served = None
            self._health.report(PART, "")
            self._hub.log("metrics: not served any more")
        while at is not None:
            try:
                await self._serve_once(at)
            except FlashdeckError as error:
                self._health.report(PART, error.message, hint=error.hint)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._health.report(PART, f"{at} was removed: it is made again")

    async def _serve_once(self, at: ListenAt) -> None:
        """Serve until cancelled, or until the socket was removed. Raises FlashdeckError where that cannot be."""
        made = await threads.run(_loaded)
        if self._served is None:
            self._served = made(self._hub, self._state_dir)
        served = self._served
        with served.listening(at, await served.token(at)) as (server, is_there):
            self._health.report(PART, "")
            self._hub.log(f"{PART}: {served.told(at)}")
            running = asyncio.create_task(server.run(), name="metrics server")
            try:
                while await self._looks.next(is_there):  # as the daemon's own socket is looked after
                    if running.done():
                        await running
            finally:
                running.cancel()
                await asyncio.wait((running,))


def _loaded() -> "type[ServedMetrics]":
    """Import all that is needed: beside the loop, for it takes a while. Raises FlashdeckError where it is missing."""
    with explained(Extra.METRICS, "[metrics]"):
        from flashdeckd.metrics.served_metrics import ServedMetrics  # noqa: PLC0415 - not loaded where it is not wanted
    return ServedMetrics


def _tell_of_fault(task: asyncio.Task[None]) -> None:
    """Log a fault of ours: the numbers are gone then, and nothing else."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("metrics: a fault in flashdeckd", exc_info=error)
