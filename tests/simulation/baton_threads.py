"""The daemon's threads in the simulation: they run only while they have the baton."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import ParamSpec, TypeVar

from flashdeckd.host.threads import MOST_IN_POOL
from simulation.baton import Baton, BatonCondition, BatonEvent, BatonLock, Point, Runner

P = ParamSpec("P")
T = TypeVar("T")


class BatonExecutor(Executor):
    """Does what it is given in up to `most` threads, at moments that the seed chooses."""

    def __init__(self, baton: Baton, name: str, most: int = 1) -> None:
        self._baton = baton
        self._name = name
        self._most = most
        self._waiting: deque[Callable[[], None]] = deque()
        self._idle: list[Runner] = []
        self._begun = 0
        self._is_shut = False

    @property
    def is_idle(self) -> bool:
        """True if nothing was given to it that it has not done."""
        return not self._waiting and len(self._idle) == self._begun

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Begin `fn` when a thread is free for it. Raises RuntimeError after `shutdown`."""
        if self._is_shut:
            raise RuntimeError("cannot begin new work after shutdown")
        future = Future[T]()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 -- raised again where somebody asks for the result
                self._baton.point(Point.WORK)
                future.set_exception(error)
            else:
                self._baton.point(Point.WORK)
                future.set_result(result)

        self.begin(work)
        return future

    def begin(self, work: Callable[[], None]) -> None:
        """Begin `work`, which raises nothing, when a thread is free for it."""
        self._waiting.append(work)
        if self._idle:
            self._baton.wake(self._idle.pop())
        elif self._begun < self._most:
            self._begun += 1
            runner = Runner(f"{self._name}_{self._begun}", self._baton.current.life)
            self._baton.begin(runner, partial(self._serve, runner))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT002 -- the base's
        """End each thread after what was begun, without waiting for that."""
        self._is_shut = True
        while self._idle:
            self._baton.wake(self._idle.pop())

    def _serve(self, runner: Runner) -> None:
        while True:
            while self._waiting:
                self._baton.point(Point.WORK)
                if self._waiting:  # another one may have taken it at that point
                    self._waiting.popleft()()
            if self._is_shut:
                return
            self._idle.append(runner)
            self._baton.wait()


class BatonThreads:
    """See `flashdeckd.host.threads.Threads`; one for each life, since its pool dies with it."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._pool = BatonExecutor(baton, "pool", MOST_IN_POOL)
        self._own: dict[str, BatonExecutor] = {}
        """Threads of their own, by name: the newest of each."""

    def lock(self) -> BatonLock:
        """Return a new lock."""
        return BatonLock(self._baton)

    def condition(self) -> BatonCondition:
        """Return a new condition, with a lock that its holder may take again."""
        return BatonCondition(self._baton)

    def event(self) -> BatonEvent:
        """Return a new event."""
        return BatonEvent()

    def executor(self, name: str) -> Executor:
        """Return what runs work in one thread called `name`."""
        made = self._own[name] = BatonExecutor(self._baton, name)
        return made

    def is_idle(self, name: str) -> bool:
        """Tell whether the thread of this name, and all that have none, have nothing to do."""
        return self._pool.is_idle and name in self._own and self._own[name].is_idle

    async def run(self, work: Callable[[], T], /) -> T:
        """Return what `work` returns, called in any other thread; not at all once nobody waits for it any more."""
        loop, here = asyncio.get_running_loop(), contextvars.copy_context()
        answer: asyncio.Future[T] = loop.create_future()

        def tell(set_answer: Callable[[], None]) -> None:
            if not answer.done():
                set_answer()

        def whole() -> None:
            if answer.cancelled():
                return
            try:
                set_answer = partial(answer.set_result, here.run(work))
            except BaseException as error:  # noqa: BLE001 -- raised again where somebody waits for it
                set_answer = partial(answer.set_exception, error)
            self._baton.point(Point.WORK)
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, set_answer)

        self._pool.begin(whole)
        return await answer

    def result(self, future: "Future[T]", /) -> T:
        """Block until another thread has set the result, and return it."""
        me = self._baton.current
        future.add_done_callback(lambda _: self._baton.wake(me))
        while not future.done():
            self._baton.wait()
        return future.result()
