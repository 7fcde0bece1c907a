"""Threads for work that may block for ever: the process can end while they are stuck.

Those of `concurrent.futures` are waited for at the end of the process, whatever they do.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Work = Callable[[], None]
_at_work: set[str] = set()
"""The threads that do something at this moment, by their names."""
_rested = threading.Condition()
"""Taken while that changes, and notified of it."""


class DetachedExecutor(Executor):
    """Does what it is given in up to `most` threads, which are begun as they are needed."""

    def __init__(self, name: str, most: int = 1) -> None:
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._begun = 0
        self._is_shut = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Begin `fn` when a thread is free for it. Raises RuntimeError after `shutdown`."""
        future = Future[T]()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 -- raised again where somebody asks for the result
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if self._is_shut:
                raise RuntimeError("cannot begin new work after shutdown")
            self._waiting.put(work)
            if not self._idle.acquire(blocking=False) and self._begun < self._most:
                self._begun += 1
                name = f"{self._name}_{self._begun}"
                threading.Thread(target=_run, args=(self._waiting, self._idle), name=name, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT002 -- the base's
        """End each thread after what was begun, without waiting for that."""
        with self._lock:
            if not self._is_shut:
                self._is_shut = True
                for _ in range(self._begun):
                    self._waiting.put(None)

    def __del__(self) -> None:
        self.shutdown()


def at_work(seconds: float) -> tuple[str, ...]:
    """Return the names of the threads that still do something after so many seconds; none as soon as all have ended.

    Blocks. To be asked at the end of the process, which waits for none of them by itself.
    """
    with _rested:
        _rested.wait_for(lambda: not _at_work, seconds)
        return tuple(sorted(_at_work))


def _run(waiting: "queue.SimpleQueue[_Work | None]", idle: threading.Semaphore) -> None:
    name = f"{threading.current_thread().name} ({threading.get_ident()})"
    while (work := waiting.get()) is not None:
        with _rested:
            _at_work.add(name)
        try:
            work()
        finally:
            with _rested:
                _at_work.discard(name)
                _rested.notify_all()
        del work  # its result is its future's: nothing is kept alive by a thread that waits
        idle.release()
