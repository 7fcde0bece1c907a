"""A client that speaks the wire byte by byte, and a daemon of made-up boards to speak it to."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

from flashdeck.job_state import Phase, Running
from flashdeck.model import BoardHold, BoardState, DaemonState, JobState, Origin, Presence
from flashdeckd.state.hub import Hub

HELLO = {"jsonrpc": "2.0", "id": 0, "method": "hello", "params": {"protocol": 2, "client": "peer"}}


def make_hub() -> Hub:
    return Hub(DaemonState(version="9.8.7", pid=42, instance="instance", host="host", started_at=1.0))


def board(name: str, on_hold: str = "") -> BoardState:
    hold = BoardHold(reason=on_hold) if on_hold else None
    return BoardState(name=name, profile="product", presence=Presence.DFU, hold=hold)


def job(number: int, done: int = 0) -> JobState:
    return JobState(
        id=number,
        board="left",
        partition="app1",
        sha256="0" * 64,
        size=1000,
        origin=Origin.BUILD,
        status=Running(phase=Phase.WRITE, done=done, total=1000, since=1.0, answered_at=1.0),
        created_at=1.0,
    )


def is_there(path: Path) -> bool:
    """Blocks, for a moment: tests may."""
    return path.exists()


@contextlib.contextmanager
def short_directory() -> Generator[Path, None, None]:
    """pytest's own temporary directories are too deep for a socket's 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as name:
        yield Path(name)


class Peer:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *messages: object) -> None:
        """Sends each message as a line: bytes as they are, anything else as JSON."""
        for message in messages:
            line = message if isinstance(message, bytes) else json.dumps(message).encode()
            self.writer.write(line + b"\n")

    def call(self, number: int, method: str, **params: object) -> None:
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    async def receive(self) -> dict[str, Any]:
        line = await self.reader.readline()
        assert line.endswith(b"\n"), f"the connection ended after {line!r}"
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    async def error(self) -> dict[str, Any]:
        """The next message's error, which must have all that is promised of one."""
        error: dict[str, Any] = (await self.receive())["error"]
        assert error.keys() == {"code", "message", "data"}
        assert error["data"].keys() <= {"kind", "hint"}
        return error

    async def at_end(self) -> bool:
        """Whether the other side closes without another byte."""
        return await self.rest() == 0

    async def rest(self) -> int:
        """Reads until the other side closes; how many bytes came."""
        total = 0
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(2**16):
                total += len(data)
        return total

    def stop_reading(self) -> None:
        """Becomes a client that is stuck."""
        assert isinstance(self.writer.transport, asyncio.ReadTransport)
        self.writer.transport.pause_reading()

    def go_on_reading(self) -> None:
        assert isinstance(self.writer.transport, asyncio.ReadTransport)
        self.writer.transport.resume_reading()


@contextlib.asynccontextmanager
async def peer(path: Path, *, hello: bool = True) -> AsyncGenerator[Peer, None]:
    reader, writer = await asyncio.open_unix_connection(path, limit=2**21)
    made = Peer(reader, writer)
    try:
        if hello:
            made.send(HELLO)
            assert (await made.receive())["id"] == 0
        yield made
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
