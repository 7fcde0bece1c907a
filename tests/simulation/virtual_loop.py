"""asyncio's own event loop with its selector and its clock replaced: it waits in virtual time, for the baton.

Each life of the daemon has a loop of its own, in a thread of its own, and the world has one for all that is not the
daemon. seedloop, simloom and simloop do the same in one thread, and need Python 3.12.

Futures and tasks are hashed by the order in which they were made: asyncio keeps them in sets, and whoever walks through
one meets them in the same order in each run.
"""

import asyncio
import selectors
import socket
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from simulation.baton import Baton, Point, Runner
from simulation.streams import PipeTransport, SimSocket


class VirtualSelector(selectors.BaseSelector):
    """Waits for nothing but the time, and for whoever wakes its loop."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let others run for `timeout` seconds of virtual time; nothing is ever ready but the loop's own work."""
        if timeout is not None and timeout <= 0:
            self._baton.point(Point.AWAIT)
        else:
            self._baton.wait(None if timeout is None else self._baton.now + timeout)
            self._baton.point(Point.AWAIT)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Refused: real descriptors are not part of the world."""
        raise ValueError(f"{fileobj!r} is no descriptor of the simulated world")

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Refused, too."""
        raise KeyError(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Nothing is registered."""
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, run by the thread of `runner`."""

    def __init__(self, baton: Baton, runner: Runner) -> None:
        self._baton = baton
        self.runner = runner
        self._numbers = count(1)
        super().__init__(VirtualSelector(baton))
        self.set_task_factory(self._task)

    def time(self) -> float:
        """Return the virtual time."""
        return self._baton.now

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future that knows its place among all others."""
        future = _NumberedFuture(loop=self)
        future.number = next(self._numbers)
        return future

    def _task(self, loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> "asyncio.Task[Any]":
        number = next(self._numbers)
        _NumberedTask.following = number
        return _NumberedTask(coro, loop=loop, name=kwargs.pop("name", f"task-{number}"), **kwargs)

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        """Call `callback` whenever a listening socket has somebody to accept."""
        if not isinstance(fd, SimSocket):
            raise TypeError(f"{fd!r} is no socket of the simulated world")
        fd.watch(lambda: self.call_soon_threadsafe(callback, *args))

    def remove_reader(self, fd: Any) -> bool:
        """Do not look at a socket any more."""
        if isinstance(fd, SimSocket):
            fd.watch(None)
        return True

    async def connect_accepted_socket(  # pyright: ignore[reportIncompatibleMethodOverride] -- no options are used
        self, protocol_factory: Callable[[], Any], sock: socket.socket, **_: Any
    ) -> tuple[Any, Any]:
        """Return transport and protocol of a connection that was accepted."""
        if not isinstance(sock, SimSocket) or sock.end is None:
            raise TypeError(f"{sock!r} is no accepted socket")
        protocol = protocol_factory()
        return PipeTransport(self, protocol, sock.end), protocol

    def _make_self_pipe(self) -> None:
        """None is needed: who wakes this loop wakes its thread."""

    def _close_self_pipe(self) -> None:
        """There is none."""

    def _write_to_self(self) -> None:
        self._baton.wake(self.runner)


class _NumberedFuture(asyncio.Future[Any]):
    number = 0

    def __hash__(self) -> int:
        return self.number


class _NumberedTask(asyncio.Task[Any]):
    following = 0
    """The number of the task that is made next: asyncio hashes it while it is being made."""
    number = 0

    def __hash__(self) -> int:
        if not self.number:
            self.number = _NumberedTask.following
        return self.number
