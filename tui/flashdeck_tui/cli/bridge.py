"""Carries bytes between a socket and two descriptors, as they come, in both directions at once."""

import contextlib
import os
import queue
import socket
import threading
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

PIECE: Final = 65536
"""Bytes that are carried at a time; more are never kept here."""
LAST_SECONDS: Final = 10.0
"""Seconds that the socket's side has to end once the other side has: answers that are ready still go out."""


class _Direction(Enum):
    UP = auto()
    """Into the socket."""
    DOWN = auto()
    """Out of it."""


def carry(stream: socket.socket, *, source: int, sink: int) -> None:
    """Carry all that comes from `source` into a socket, and all that comes from it to `sink`.

    Returns once the socket has ended, or nobody takes what it says; of the end of `source` the socket is told, and has
    `LAST_SECONDS` then. A thread may still wait for `source` after that. What blocks in one direction never stops the
    other.
    """
    ended: queue.SimpleQueue[_Direction] = queue.SimpleQueue()

    def hang_up() -> None:
        with contextlib.suppress(OSError):  # the daemon may have been quicker
            stream.shutdown(socket.SHUT_WR)
        ended.put(_Direction.UP)

    _carry_on(lambda: os.read(source, PIECE), stream.sendall, hang_up)
    _carry_on(lambda: stream.recv(PIECE), lambda data: _write(sink, data), lambda: ended.put(_Direction.DOWN))
    if ended.get() is _Direction.UP:
        with contextlib.suppress(queue.Empty):  # a daemon that hangs is not waited for: nobody would hear of it
            ended.get(timeout=LAST_SECONDS)


def _carry_on(read: Callable[[], bytes], write: Callable[[bytes], object], end: Callable[[], object]) -> None:
    def run() -> None:
        with contextlib.suppress(OSError):  # either side is gone, which is the end for both
            while data := read():
                write(data)
        end()

    threading.Thread(target=run, daemon=True).start()


def _write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]
