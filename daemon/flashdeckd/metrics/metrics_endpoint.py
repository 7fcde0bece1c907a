"""The endpoint for Prometheus as the configuration wants it: opened, moved and closed, and told of where it cannot be.

Where there is none, all that this costs is one comparison for each state of the daemon that is published.
"""

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.extras import Extra, explained
from flashdeck.loopback import ListenAt, LoopbackPort, SocketFile
from flashdeck.model import Event
from flashdeck.text import clean
from flashdeckd.host import sockets, threads
from flashdeckd.metrics.metrics_door import PATH, MetricsDoor
from flashdeckd.metrics.metrics_token import TOKEN_NAME, kept_token
from flashdeckd.server.endpoint import Listener, claimed
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub

if TYPE_CHECKING:
    from flashdeckd.metrics.hub_collector import HubCollector
    from flashdeckd.metrics.job_tally import JobTally

PART: Final = "metrics"
"""The name under which its troubles are reported."""
RETRY_SECONDS: Final = 10.0
"""Pause before a place is tried again that could not be had: another program may have let it go."""

_log = logging.getLogger(__name__)


class MetricsEndpoint:
    """Follows [metrics]. Runs in the event loop's thread only."""

    def __init__(self, hub: Hub, health: Health, state_dir: Path, wanted: Callable[[], ListenAt | None]) -> None:
        """`wanted` is where the configuration that counts now wants it; None: nowhere."""
        self._hub = hub
        self._health = health
        self._state_dir = state_dir
        self._wanted = wanted
        self._at: ListenAt | None = None
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._tally: JobTally | None = None
        self._collector: HubCollector | None = None
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
        elif event.job is not None and self._tally is not None:
            board = self._hub.boards.get(event.job.board)
            self._tally.hear(event.job, board.profile if board is not None else "")

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
            self._tally = self._collector = None
            self._health.report(PART, "")
            self._hub.log("metrics: not served any more")
        while at is not None:
            try:
                await self._serve_once(at)
            except FlashdeckError as error:
                self._health.report(PART, error.message, hint=error.hint)
            await asyncio.sleep(RETRY_SECONDS)

    async def _serve_once(self, at: ListenAt) -> None:
        """Serve until cancelled. Raises FlashdeckError where that cannot be."""
        await threads.run(_load)
        # Imported here: a daemon without [metrics] loads nothing of it.
        from flashdeckd.metrics.hub_collector import HubCollector  # noqa: PLC0415
        from flashdeckd.metrics.job_tally import JobTally  # noqa: PLC0415
        from flashdeckd.metrics.metrics_server import MetricsServer  # noqa: PLC0415

        if self._tally is None or self._collector is None:
            self._tally = JobTally(self._hub.jobs.values())
            self._collector = HubCollector(self._hub, self._tally)
        door = MetricsDoor()
        told = f"metrics: {PATH.decode()} at the socket {clean(str(at))}, for your own user alone"
        if isinstance(at, LoopbackPort):
            door = MetricsDoor(at, await threads.run(kept_token, self._state_dir))
            token = clean(str(self._state_dir / TOKEN_NAME))
            told = f"metrics: http://{at.authority}{PATH.decode()}, for whoever has the token in {token}"
        with _listening(at) as listener:
            self._health.report(PART, "")
            self._hub.log(told)
            await MetricsServer(listener, door, self._collector.page).run()


def _load() -> None:
    """Import all that is needed: beside the loop, for it takes a while. Raises FlashdeckError where it is missing."""
    with explained(Extra.METRICS, "[metrics]"):
        for name in ("hub_collector", "metrics_server"):
            import_module(f"flashdeckd.metrics.{name}")


@contextmanager
def _listening(at: ListenAt) -> Generator[Listener]:
    """Listen for the length of a block. Raises FlashdeckError where the place cannot be had."""
    if isinstance(at, SocketFile):
        with claimed(at.path) as endpoint, endpoint.listening() as listener:
            yield listener
        return
    assert isinstance(at, LoopbackPort)  # noqa: S101 - there is no other place
    try:
        listener = sockets.loopback_listener(at.address, at.port)
    except OSError as error:
        raise FlashdeckError(
            f"cannot listen on {at}: {error.strerror}",
            hint="name another port in [metrics] listen, or end the program that has it (ss -ltnp)",
            kind=ErrorKind.NO_PERMISSION if isinstance(error, PermissionError) else ErrorKind.OTHER,
        ) from error
    with listener:
        yield listener


def _tell_of_fault(task: asyncio.Task[None]) -> None:
    """Log a fault of ours: the numbers are gone then, and nothing else."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("metrics: a fault in flashdeckd", exc_info=error)
