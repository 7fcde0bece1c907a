"""The daemon's real socket server with canned answers behind it, on a thread of its own."""

import asyncio
import hashlib
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Queued
from flashdeck.model import BoardState, DaemonState, JobState, Origin, PartitionState, Presence
from flashdeck.value import Value
from flashdeckd.server.connection import Connection
from flashdeckd.server.server import Server
from flashdeckd.state.hub import Hub

NOW = time.time()
SHA = hashlib.sha256(b"an image").hexdigest()

Answer = Value | FlashdeckError | Callable[[Any], Value | Awaitable[Value]]


_TURNS = 20
"""Turns of the loop in which all that waits to be sent is sent, and clients which hung up are let go."""

_JOB = JobState(
    id=1,
    board="left",
    partition="app1",
    sha256=SHA,
    size=1000,
    version="1.2.3",
    origin=Origin.HAND,
    status=Queued(),
    created_at=NOW,
)
_BOARD = BoardState(
    name="left",
    profile="product",
    presence=Presence.DFU,
    port="1-4.2",
    serial="336E36833233",
    partitions=(
        PartitionState(name="bootloader", address=0x08000000, size=0x20000, protected=True),
        PartitionState(name="app1", address=0x08020000, size=0x60000),
        PartitionState(name="partition2", address=0x08080000, size=0x60000),
    ),
)


def job(number: int = 1, board: str = "left", **fields: Any) -> JobState:
    """A queued job of app1, unless `fields` say otherwise."""
    return replace(_JOB, id=number, board=board, **fields)


def board(name: str = "left", **fields: Any) -> BoardState:
    """A board in DFU mode with the three partitions of the product, unless `fields` say otherwise."""
    return replace(_BOARD, name=name, **fields)


class CannedDaemon:
    """Answers each method with what `answers` holds for the type of its parameters, and remembers all `calls`."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.hub = Hub(
            DaemonState(version="0.1.0", pid=4711, instance="i", host="bench", started_at=NOW - 7200, virtual=True)
        )
        self.answers: dict[type[api.Params[Any]], Answer] = {}
        self.calls: list[api.Params[Any]] = []
        self.uploaded = bytearray()
        self.silent: set[type[api.Params[Any]]] = set()
        """Methods that are never answered."""
        self._asked = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def called(self, kind: type[api.Params[Any]]) -> list[Any]:
        return [call for call in self.calls if isinstance(call, kind)]

    def asked(self, kind: type[api.Params[Any]]) -> bool:
        """Waits until a call of this kind has arrived."""
        with self._asked:
            return self._asked.wait_for(lambda: bool(self.called(kind)), 60)

    def on_loop(self, action: Callable[[], object]) -> None:
        """Runs `action` in the daemon's loop and waits for it: the hub belongs to that thread."""
        done: Future[None] = Future()

        def run() -> None:
            try:
                action()
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that asked
                done.set_exception(error)
            else:
                done.set_result(None)

        self._loop.call_soon_threadsafe(run)
        done.result(30)

    def later(self, *actions: Callable[[], object]) -> None:
        """From within the loop: runs `actions` in order once what runs now, a reply included, is done."""

        async def one_after_the_other() -> None:
            for action in actions:
                await asyncio.sleep(0)
                action()

        self._tasks.append(self._loop.create_task(one_after_the_other()))

    async def send(self) -> None:
        """Waits, in the loop, until clients were sent what was published: it then comes before a reply."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def close(self) -> None:
        """After its thread has ended."""
        self._loop.close()

    def stop(self) -> None:
        """Ends the daemon, from any thread."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def run(self, ready: threading.Event) -> None:
        self._loop.run_until_complete(self._serve(ready))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    async def _serve(self, ready: threading.Event) -> None:
        built_in = (api.Hello, api.Subscribe, api.GetStatus)
        handlers = {kind: self._answer for kind in api.METHODS.values() if kind not in built_in}
        async with Server(self.hub, handlers).listening(self.socket):
            ready.set()
            await self._stop.wait()
            await self.send()

    async def _answer(self, params: Any, _connection: Connection) -> Value:
        with self._asked:
            self.calls.append(params)
            self._asked.notify_all()
        if type(params) in self.silent:
            await asyncio.Event().wait()
        answer = self.answers.get(cast("type[api.Params[Any]]", type(params)))
        if isinstance(answer, FlashdeckError):
            raise answer
        if isinstance(answer, Value):
            return answer
        if answer is not None:
            answered = answer(params)
            return answered if isinstance(answered, Value) else await answered
        return self._upload(params)

    def _upload(self, params: api.Params[Any]) -> Value:
        match params:
            case api.BeginUpload():
                self.uploaded.clear()
                return api.UploadHandle(upload=1)
            case api.UploadChunk():
                self.uploaded += params.data
                return api.Empty()
            case api.CommitUpload():
                digest = hashlib.sha256(self.uploaded).hexdigest()
                return api.UploadDone(sha256=digest, size=len(self.uploaded), version="")
            case _:
                raise FlashdeckError(f"no answer is prepared for {params}", kind=ErrorKind.OTHER)


@contextmanager
def canned_daemon() -> Generator[CannedDaemon]:
    """A running daemon; its socket is in a short directory, as Unix sockets need it."""
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        daemon = CannedDaemon(Path(directory, "d", "s"))
        ready = threading.Event()
        thread = threading.Thread(target=daemon.run, args=(ready,), name="canned daemon")
        thread.start()
        try:
            assert ready.wait(30), "the daemon did not start"
            yield daemon
        finally:
            daemon.stop()
            thread.join(30)
            daemon.close()
