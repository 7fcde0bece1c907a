"""The other end of `--host`: bytes go through as they come, in both directions, and it ends with either side."""

import os
import queue
import socket
import threading
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from flashdeck_tui.cli import bridge
from flashdeck_tui.cli.bridge import LAST_SECONDS, PIECE, carry

PATIENCE = 60.0


@dataclass
class Bridge:
    """A bridge, and everybody around it."""

    daemon: socket.socket
    source: int
    """What is written here goes to the daemon."""
    sink: int
    """What the daemon says can be read here."""
    thread: threading.Thread


@pytest.fixture
def between() -> Generator[Bridge]:
    ours, daemon = socket.socketpair()
    stdin, source = os.pipe()
    sink, stdout = os.pipe()
    thread = threading.Thread(target=carry, args=(ours,), kwargs={"source": stdin, "sink": stdout}, daemon=True)
    thread.start()
    yield Bridge(daemon, source, sink, thread)
    daemon.close()
    for each in (source, sink):
        with suppress(OSError):
            os.close(each)
    thread.join(PATIENCE)
    ours.close()
    for each in (stdin, stdout):
        with suppress(OSError):
            os.close(each)


def test_both_directions_do_not_wait_for_each_other(between: Bridge) -> None:
    """The daemon answers nothing before it has all; all is more than any buffer holds."""
    data = os.urandom(64 * PIECE)
    writing = threading.Thread(
        target=lambda: [os.write(between.source, data[at : at + PIECE]) for at in range(0, len(data), PIECE)]
    )
    answering = threading.Thread(target=between.daemon.sendall, args=(data,))
    writing.start()
    answering.start()
    up = b""
    while len(up) < len(data):
        up += between.daemon.recv(PIECE)
    down = b""
    while len(down) < len(data):
        down += os.read(between.sink, PIECE)
    writing.join(PATIENCE)
    answering.join(PATIENCE)
    assert (up, down) == (data, data)


def test_answers_that_are_ready_go_out_after_the_end_of_what_was_asked(between: Bridge) -> None:
    os.write(between.source, b"last words\n")
    os.close(between.source)
    assert between.daemon.recv(PIECE) == b"last words\n"
    assert between.daemon.recv(PIECE) == b""
    between.daemon.sendall(b"answer\n")
    assert os.read(between.sink, PIECE) == b"answer\n"
    between.daemon.close()
    between.thread.join(PATIENCE)
    assert not between.thread.is_alive()


def test_it_ends_with_the_daemon(between: Bridge) -> None:
    between.daemon.close()
    between.thread.join(PATIENCE)
    assert not between.thread.is_alive()


def test_it_ends_where_nobody_takes_what_the_daemon_says(between: Bridge) -> None:
    os.close(between.sink)
    between.daemon.sendall(b"event\n")
    between.thread.join(PATIENCE)
    assert not between.thread.is_alive()


def test_no_more_is_read_at_a_time_than_is_kept(tmp_path: Path) -> None:
    up, down, told = list[int](), list[int](), threading.Event()

    class Stream:
        """A socket that ends once it is told of the end."""

        def recv(self, size: int) -> bytes:
            down.append(size)
            told.wait(PATIENCE)
            return b""

        def sendall(self, data: bytes) -> None:
            up.append(len(data))

        def shutdown(self, _: int) -> None:
            told.set()

    (tmp_path / "asked").write_bytes(bytes(2 * PIECE + 1))
    with (tmp_path / "asked").open("rb") as source, open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        carry(cast("socket.socket", Stream()), source=source.fileno(), sink=nowhere.fileno())
    assert (up, down) == ([PIECE, PIECE, 1], [PIECE])


def test_a_daemon_that_hangs_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float | None] = []

    class Ends(queue.SimpleQueue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT002 - as it is declared
            waited.append(timeout)
            if timeout is not None:
                raise queue.Empty
            return super().get(block)

    monkeypatch.setattr(bridge.queue, "SimpleQueue", Ends)
    ours, daemon = socket.socketpair()
    stdin, source = os.pipe()
    os.close(source)
    with ours, daemon, open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        carry(ours, source=stdin, sink=nowhere.fileno())
    os.close(stdin)
    assert waited == [None, LAST_SECONDS]
