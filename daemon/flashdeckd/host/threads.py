"""Threads: blocking work beside the event loop, and what threads meet at.

A simulation sets `system` to threads of its own: an executor whose thread runs only while it holds the baton, locks
and events that hand the baton on while somebody waits at them, and `run` at a moment that the seed decides.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from functools import partial
from types import TracebackType
from typing import ParamSpec, Protocol, TypeVar

from flashdeckd.host.executor import DetachedExecutor

P = ParamSpec("P")
T = TypeVar("T")

MOST_IN_POOL = 8
"""Threads of the common pool: what more there is to do waits for one of them."""


class Lock(Protocol):
    """Lets one thread at a time through a `with` block."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Condition(Lock, Protocol):
    """A lock whose holder can wait for another one to have changed something."""

    def wait(self, timeout: float | None = None) -> bool:
        """Let go of the lock until notified, or for at most `timeout` seconds; return whether notified."""
        ...

    def notify_all(self) -> None:
        """Wake all that wait."""
        ...


class ThreadEvent(Protocol):
    """Something that happens once, in one thread, and is seen in others."""

    def set(self) -> None:
        """It has happened."""
        ...

    def is_set(self) -> bool:
        """Return whether it has happened."""
        ...


class Threads(Protocol):
    """A maker of threads, and of what they meet at."""

    def lock(self) -> Lock:
        """Return a new lock."""
        ...

    def condition(self) -> Condition:
        """Return a new condition, with a lock that its holder may take again."""
        ...

    def event(self) -> ThreadEvent:
        """Return a new event."""
        ...

    def executor(self, name: str) -> Executor:
        """Return what runs work in one thread called `name`, in the order in which it comes."""
        ...

    async def run(self, work: Callable[[], T], /) -> T:
        """Return what `work` returns, called in any other thread."""
        ...

    def result(self, future: "Future[T]", /) -> T:
        """Block until another thread has set the result, and return it; raise what it has set instead."""
        ...


class _Python:
    """The threads of the operating system, by way of the standard library."""

    lock = staticmethod(threading.Lock)
    condition = staticmethod(threading.Condition)
    event = staticmethod(threading.Event)

    def __init__(self) -> None:
        self._pool = DetachedExecutor("pool", MOST_IN_POOL)

    @staticmethod
    def executor(name: str) -> Executor:
        return DetachedExecutor(name)

    async def run(self, work: Callable[[], T], /) -> T:
        here = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, here.run, work)

    @staticmethod
    def result(future: "Future[T]", /) -> T:
        return future.result()


system: Threads = _Python()


def lock() -> Lock:
    """Return a new lock."""
    return system.lock()


def condition() -> Condition:
    """Return a new condition, with a lock that its holder may take again."""
    return system.condition()


def event() -> ThreadEvent:
    """Return a new event."""
    return system.event()


async def run(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns, called in a thread of a common pool; raise what it raises.

    What has begun is carried through, also when the task that awaits it is cancelled.
    """
    return await system.run(partial(work, *args, **kwargs))


def result_of(work: Coroutine[None, None, T], loop: asyncio.AbstractEventLoop) -> T:
    """Block this thread until the event loop has done `work`, and return its result; raise what it raises."""
    return system.result(asyncio.run_coroutine_threadsafe(work, loop))


class OwnThread:
    """One thread that does what it is given, one piece after the other. The end of the process does not wait for it."""

    def __init__(self, name: str) -> None:
        self._executor = system.executor(name)

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        """Begin `work` when all earlier work is done, also if nobody awaits the result. In the event loop only."""
        return asyncio.get_running_loop().run_in_executor(self._executor, partial(work, *args, **kwargs))

    async def end(self) -> None:
        """Wait for what runs, and end the thread."""
        last = self.run(_nothing)
        self.let_go()
        await last

    def let_go(self) -> None:
        """End the thread after what was begun, without waiting for that."""
        self._executor.shutdown(wait=False)


def _nothing() -> None:
    """Comes after everything else that was begun."""


def is_main() -> bool:
    """Return whether this is the thread in which Python hears signals."""
    return threading.current_thread() is threading.main_thread()


Local = threading.local
"""Values of which each thread has its own. A simulation leaves it as it is, and nothing that uses it is part of one."""
