"""One life of the daemon: the real composition root, in a loop and threads of its own, until it ends or is killed."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from flashdeck.config import Board, Config
from flashdeckd import service
from flashdeckd.boards.bench import Bench
from flashdeckd.host import threads
from flashdeckd.server.server import Server
from flashdeckd.server.uploads import Uploads
from flashdeckd.service import Edges, Emulated, Options
from flashdeckd.signals import Asked, Signals
from flashdeckd.state.hub import Hub
from flashdeckd.virtual.hotplug import VirtualHotplug
from flashdeckd.virtual.methods import virtual_handlers
from flashdeckd.virtual.virtual_bench import VirtualBench
from simulation.baton import Baton, Life, Runner
from simulation.baton_threads import BatonThreads
from simulation.onlooker import Onlooker
from simulation.sim_backend import SimBackend
from simulation.story import Story
from simulation.virtual_loop import VirtualLoop

Ended = Callable[["DaemonLife", BaseException | None], None]


class SimSignals(Signals):
    """Signals that the world sends."""

    def __init__(self) -> None:
        # The base would look for a terminal.
        self.events: Asked | None = None

    @contextmanager
    def asked(self) -> Generator[Asked]:
        """See the base."""
        self.events = Asked()
        yield self.events


class HintingSource:
    """What the kernel tells of the build tree (`flashdeckd.builds.source.BuildSource`)."""

    trouble = mend = ""
    deaf_to: AbstractSet[str] = frozenset()

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def hint(self) -> None:
        """Something has changed; in any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        for each in self._waiting:
            each.set()

    async def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
        """See `BuildSource`."""
        del patterns
        self._loop = asyncio.get_running_loop()
        changed = asyncio.Event()
        self._waiting = {*self._waiting, changed}
        try:
            yield
            while True:
                await changed.wait()
                changed.clear()
                yield
        finally:
            self._waiting = self._waiting - {changed}


class DaemonLife(Life):
    """A daemon that runs."""

    def __init__(
        self,
        number: int,
        options: Options,
        bench: VirtualBench,
        baton: Baton,
        story: Story,
        witness: Onlooker,
        ended: Ended,
        in_force: Callable[[Config], None],
    ) -> None:
        """`ended` is called with the error, if there is one, once it ends by itself: in order, or not.

        `in_force` is told of each configuration before it counts.
        """
        super().__init__(number)
        self.signals = SimSignals()
        self.builds = HintingSource()
        self.hub: Hub | None = None
        self._server: Server | None = None
        self._uploads: Uploads | None = None
        self.begun_at = baton.now
        self.is_ended = False
        """True once it ended by itself."""
        self._options = options
        self._baton = baton
        self._witness = witness
        self._ended = ended
        self._in_force = in_force
        boards = tuple(bench.boards.values())
        # The kernel forgets what a dead process had claimed, and nobody listens for it any more.
        self._backend = SimBackend(boards, baton, story, witness)
        bench.hotplug = VirtualHotplug(boards, bench.ports)
        self._emulated = Emulated(self._backend, bench.hotplug, bench.ports, virtual_handlers(bench))
        self._loop: VirtualLoop | None = None
        self._threads = BatonThreads(baton)

    @property
    def is_idle(self) -> bool:
        """True while its loop waits, and nothing is being recorded: what it shows is what its disk has."""
        loop = self._loop
        return loop is not None and loop.runner.is_waiting and self._threads.is_idle("journal")

    def begin(self) -> None:
        """Start it."""
        threads.system = self._threads
        runner = Runner(f"daemon-{self.number}", self)
        self._baton.begin(runner, partial(self._run, runner))

    def ask(self, choose: Callable[[Asked], asyncio.Event]) -> bool:
        """Send it a signal; return False where it does not hear any yet."""
        if self.signals.events is None or self._loop is None:
            return False
        self._loop.call_soon_threadsafe(choose(self.signals.events).set)
        return True

    def _run(self, runner: Runner) -> None:
        loop = self._loop = VirtualLoop(self._baton, runner)
        service.Hub = partial(_tapped, self)  # pyright: ignore[reportAttributeAccessIssue] -- it makes the same
        service.Bench = _bench_that_tells(self._in_force)  # type: ignore[misc] -- the same
        service.Server = partial(self._made_server)  # pyright: ignore[reportAttributeAccessIssue] -- the same
        service.Uploads = partial(self._made_uploads)  # pyright: ignore[reportAttributeAccessIssue] -- the same
        error: BaseException | None = None
        try:
            loop.run_until_complete(
                service.serve(self._options, self.signals, outside=Edges(self._emulated, self.builds))
            )
        except BaseException as raised:  # noqa: BLE001 -- the world judges it
            error = raised
        self.is_ended = True
        self._ended(self, error)

    def sizes(self) -> dict[str, int]:
        """Return how long its queues are, by the names in `invariants.bounds`."""
        sizes: dict[str, int] = {}
        if self._server is not None and self._uploads is not None:
            connections = self._server._connections  # pyright: ignore[reportPrivateUsage] -- nobody else counts
            calls = [len(each._calls) for each in connections]  # pyright: ignore[reportPrivateUsage] -- the same
            gone = set(self._uploads._open) - set(connections)  # pyright: ignore[reportPrivateUsage] -- the same
            sizes = {"calls of one client": max(calls, default=0), "uploads of clients that are gone": len(gone)}
        if self.hub is not None:
            sizes |= {
                "log lines": len(self.hub._logs),  # pyright: ignore[reportPrivateUsage] -- the same
                "debug lines": len(self.hub._debug),  # pyright: ignore[reportPrivateUsage] -- the same
                "ended jobs": sum(job.is_settled for job in self.hub.jobs.values()),
            }
        return sizes

    def _made_server(self, *args: Any, **kwargs: Any) -> Server:
        self._server = Server(*args, **kwargs)
        return self._server

    def _made_uploads(self, *args: Any, **kwargs: Any) -> Uploads:
        self._uploads = Uploads(*args, **kwargs)
        return self._uploads

    def tap(self, hub: Hub) -> None:
        """Hear all that this life publishes."""
        self.hub = hub
        hub.listen(lambda event: self._witness.published(self, event))


def _tapped(life: DaemonLife, *args: Any, **kwargs: Any) -> Hub:
    hub = Hub(*args, **kwargs)
    life.tap(hub)
    return hub


def _bench_that_tells(in_force: Callable[[Config], None]) -> type[Bench]:
    """Return a bench that tells of each configuration before it goes by it."""

    class TellingBench(Bench):
        def __init__(self, config: Config, **parts: Any) -> None:
            in_force(config)
            super().__init__(config, **parts)

        def configure(self, config: Config) -> None:
            in_force(config)
            super().configure(config)

        def add(self, board: Board) -> None:
            in_force(replace(self.config, boards={**self.config.boards, board.name: board}))
            super().add(board)

    return TellingBench
