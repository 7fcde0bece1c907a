"""A bench whose boards live in another process than the daemon, as real ones do: they outlive it, in whatever state.

The test serves them (`served`); as a program this file is the real daemon on such a bench, with the options of
flashdeckd. The socket `bench` beside the bench file joins the two. The disk of the directory `state` beside it is full
while there is a file `full`.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from multiprocessing import connection as pipes
from pathlib import Path
from typing import Any, cast

import usb.core

from flashdeckd import __main__
from flashdeckd.host import files
from flashdeckd.state import journal_schema
from flashdeckd.virtual import virtual_bench
from flashdeckd.virtual.backend import VirtualBackend
from flashdeckd.virtual.bench_file import read_specs
from flashdeckd.virtual.board import Attachment, VirtualBoard, gone
from flashdeckd.virtual.control import Setup
from flashdeckd.virtual.hotplug import VirtualHotplug
from flashdeckd.virtual.identity import Identity
from flashdeckd.virtual.serial_ports import VirtualSerialPorts
from flashdeckd.virtual.spec import BoardSpec
from flashdeckd.virtual.virtual_bench import VirtualBench
from full_disk import FullDisk

LOOK_SECONDS = 0.02
"""How often the daemon's side asks what is on the bus; udev would tell."""
LOCKED_SECONDS = 0.2
"""The time for which the daemon waits for somebody who has locked its journal."""
Seen = tuple[int, Identity, bool, float]


@contextmanager
def served(bench: VirtualBench, socket: Path) -> Generator[None]:
    """Answers for the boards of `bench`, to any number of daemons one after the other."""
    over = threading.Event()
    with pipes.Listener(str(socket), "AF_UNIX") as listener:
        accepting = threading.Thread(target=_accept, args=(listener, bench, over), daemon=True)
        accepting.start()
        try:
            yield
        finally:
            # A thread that is left in `accept` may go on with the next listener that has this one's descriptor.
            over.set()
            pipes.Client(str(socket), "AF_UNIX").close()
            accepting.join()


def _accept(listener: pipes.Listener, bench: VirtualBench, over: threading.Event) -> None:
    while True:
        pipe = listener.accept()
        if over.is_set():
            pipe.close()
            return
        threading.Thread(target=_answer, args=(pipe, bench), daemon=True).start()


def _answer(pipe: "pipes.Connection[Any, Any]", bench: VirtualBench) -> None:
    with suppress(EOFError, OSError):  # the daemon is dead
        while True:
            name, call, address, arguments = pipe.recv()
            try:
                pipe.send((_do(bench.boards[name], call, address, arguments), None))
            except usb.core.USBError as error:
                pipe.send((None, (error.strerror, error.backend_error_code, error.errno)))


def _do(board: VirtualBoard, call: str, address: int, arguments: tuple[Any, ...]) -> object:
    found = board.connection()
    if call == "connection":
        return found and (found.address, found.identity, found.is_dfu, found.visible_from)
    if call == "changes_at":
        return board.changes_at()
    if found is None or found.address != address:
        raise gone()
    return getattr(board, call)(found, *arguments)


class DistantBoard:
    """The daemon's end of one board: as much of a VirtualBoard as backend and hotplug need."""

    def __init__(self, spec: BoardSpec, socket: Path) -> None:
        self.spec = spec
        self._socket = socket
        self._thread = threading.local()
        self._last: Attachment | None = None

    def connection(self) -> Attachment | None:
        seen = cast("Seen | None", self._call("connection"))
        if seen is None:
            return None
        if self._last is None or self._last.address != seen[0]:
            self._last = Attachment(cast("VirtualBoard", self), *seen)
        return self._last

    def changes_at(self) -> float | None:
        return self._call("changes_at")

    def check(self, connection: Attachment) -> None:
        self._call("check", connection)

    def reset(self, connection: Attachment) -> None:
        self._call("reset", connection)

    def transfer(self, connection: Attachment, setup: Setup, data: bytes, timeout: float | None) -> bytes:
        return self._call("transfer", connection, setup, data, timeout)

    def _call(self, name: str, connection: Attachment | None = None, *arguments: object) -> Any:
        if not hasattr(self._thread, "pipe"):
            self._thread.pipe = pipes.Client(str(self._socket), "AF_UNIX")
        self._thread.pipe.send((self.spec.name, name, 0 if connection is None else connection.address, arguments))
        answer, error = self._thread.pipe.recv()
        if error is not None:
            raise usb.core.USBTimeoutError(*error) if error[0] == "Operation timed out" else usb.core.USBError(*error)
        return answer


def distant_bench(path: Path) -> VirtualBench:
    """The bench of that file, every board of it in the process that serves it."""
    files.system = cast("files.FileSystem", FullDisk(path.parent / "state", path.parent / "full"))
    specs = read_specs(path)
    bench = VirtualBench(())
    boards = tuple(cast("VirtualBoard", DistantBoard(spec, path.parent / "bench")) for spec in specs)
    bench.ports = VirtualSerialPorts(boards)
    bench.hotplug, bench.backend = VirtualHotplug(boards, bench.ports), VirtualBackend(boards)
    threading.Thread(target=_look, args=(bench.hotplug.changed,), daemon=True).start()
    return bench


def _look(changed: Callable[[], None]) -> None:
    pause = threading.Event()
    while not pause.wait(LOOK_SECONDS):
        changed()


if __name__ == "__main__":
    journal_schema.BUSY_SECONDS = LOCKED_SECONDS
    virtual_bench.load_bench = distant_bench
    __main__.main()
