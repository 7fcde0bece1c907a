"""An event loop in a thread of its own, for programs that have none."""

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

from flashdeck.errors import ConnectionFailedError, FlashdeckError

T = TypeVar("T")
N = TypeVar("N")


class _NoMoreNews:
    """Stands behind the last of the news."""


_NO_MORE: Final = _NoMoreNews()


class News(Generic[N]):
    """The news from the loop's thread while a call runs; they are heard in the thread that called."""

    def __init__(self, hear: Callable[[N], object] | None) -> None:
        self.queue: SimpleQueue[N | _NoMoreNews] = SimpleQueue()
        self.hear = hear

    @property
    def tell(self) -> Callable[[N], object] | None:
        """The function that the loop's thread calls; None where nobody hears it."""
        return None if self.hear is None else self.queue.put


class LoopThread:
    """Runs coroutines for other threads. It ends with `close`, with the last reference to it, and with the process.

    The thread is a daemon: it keeps no process alive.
    """

    def __init__(self, name: str) -> None:
        self._pid = os.getpid()
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=_run, args=(started,), name=name, daemon=True)
        self._thread.start()
        self._loop, stop = started.result()
        self._stop = weakref.finalize(self, _ask_to_stop, self._pid, self._loop, stop)

    @property
    def is_usable(self) -> bool:
        """True in the process that it belongs to, until it is closed."""
        return self._pid == os.getpid() and self._stop.alive

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` returns. An exception in the calling thread, as KeyboardInterrupt, cancels it."""
        nothing: News[object] = News(None)
        return self.run_heard(work, nothing)

    def run_heard(self, work: Coroutine[Any, Any, T], news: News[N]) -> T:
        """The same, while `news` is heard; an exception that hearing it raises cancels the work as well."""
        try:
            self._require_usable()
        except FlashdeckError:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.add_done_callback(lambda _: news.queue.put(_NO_MORE))
        try:
            while not isinstance(item := news.queue.get(), _NoMoreNews):
                if news.hear is not None:
                    news.hear(item)
            return future.result()
        finally:
            future.cancel()  # does nothing once it is done

    def iterate(self, changes: AsyncGenerator[T, None]) -> "Iteration[T]":
        """Return an iterator over what an asynchronous generator yields."""
        return Iteration(self, changes)

    def close(self) -> None:
        """Cancel what still runs, and return once the thread has ended. A second call does nothing."""
        self._stop()
        if self._pid == os.getpid():
            self._thread.join()

    def _require_usable(self) -> None:
        if self._pid != os.getpid():
            raise ConnectionFailedError(
                f"this connection belongs to process {self._pid}, and this is {os.getpid()}",
                hint="a process that was forked connects anew",
            )
        if not self._stop.alive:
            raise ConnectionFailedError("the connection was closed")


class Iteration(Generic[T]):
    """An iterator over what a coroutine of a LoopThread yields; `close` it where you leave it early."""

    def __init__(self, thread: LoopThread, changes: AsyncGenerator[T, None]) -> None:
        self._thread = thread
        self._changes = changes

    def __iter__(self) -> "Iteration[T]":
        return self

    def __next__(self) -> T:
        try:
            return self._thread.run(_next(self._changes))
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> "Iteration[T]":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the iteration."""
        self._thread.run(_closed(self._changes))


async def _next(changes: AsyncGenerator[T, None]) -> T:
    return await anext(changes)


async def _closed(changes: AsyncGenerator[T, None]) -> None:
    await changes.aclose()


def _run(started: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
    async def serve() -> None:
        stop = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()

    asyncio.run(serve())


def _ask_to_stop(pid: int, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if pid == os.getpid() and not loop.is_closed():  # a forked child has no such thread
        loop.call_soon_threadsafe(stop.set)
