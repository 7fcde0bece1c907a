"""Carries bytes between a socket and two descriptors, as they come, in both directions at once."""

import os
import queue
import socket
import threading
from collections.abc import Callable
from typing import Final

PIECE: Final = 65536
"""Bytes that are carried at a time; more are never kept here."""
LAST_SECONDS: Final = 10.0
"""Seconds that the socket's side has to end once the other side has: answers that are ready still go out."""


def carry(stream: socket.socket, *, source: int, sink: int) -> None:
    """Carry all that comes from `source` into a socket, and all that comes from it to `sink`.

    Returns once the socket has ended, or nobody takes what it says; of the end of `source` the socket is told, and has
    `LAST_SECONDS` then. A thread may still wait for `source` after that. What blocks in one direction never stops the
    other.
    """
    ended: queue.SimpleQueue[bool] = queue.SimpleQueue()
    _carry_on(lambda: os.read(source, PIECE), stream.sendall, lambda: _hang_up(stream, ended))
    _carry_on(lambda: stream.recv(PIECE), lambda data: _write(sink, data), lambda: ended.put(True))
    if not ended.get():
        try:
            ended.get(timeout=LAST_SECONDS)
        except queue.Empty:
            pass  # it does not answer any more, and nobody waits for it


def _carry_on(read: Callable[[], bytes], write: Callable[[bytes], object], end: Callable[[], object]) -> None:
    def run() -> None:
        try:
            while data := read():
                write(data)
        except OSError:
            pass  # either side is gone: for both that is the end
        finally:
            end()

    threading.Thread(target=run, daemon=True).start()


def _hang_up(stream: socket.socket, ended: "queue.SimpleQueue[bool]") -> None:
    try:
        stream.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the daemon was quicker
    ended.put(False)


def _write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]
