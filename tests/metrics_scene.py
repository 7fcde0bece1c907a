"""A served page of numbers, and whoever asks for it: over a real port of the loopback, or a real Unix socket."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flashdeck.loopback import LoopbackPort
from flashdeckd.host import sockets
from flashdeckd.metrics.metrics_door import MetricsDoor
from flashdeckd.metrics.metrics_server import MetricsServer
from flashdeckd.server.endpoint import claimed

TOKEN: Final = "0123456789abcdef-of-the-test"  # noqa: S105 - of the test's own
PAGE: Final = b"flashdeck_boards 1\n"


@dataclass(frozen=True)
class Answer:
    """An answer of HTTP, taken apart."""

    status: int
    fields: dict[str, str]
    body: bytes


def answer_of(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(first.split(" ")[1]), fields, body)


def request(port: int, *lines: str, method: str = "GET", target: str = "/metrics", token: str | None = TOKEN) -> bytes:
    """A request as Prometheus makes it."""
    shown = () if token is None else (f"Authorization: Bearer {token}",)
    named = () if any(line.startswith("Host:") for line in lines) else (f"Host: 127.0.0.1:{port}",)
    return "\r\n".join((f"{method} {target} HTTP/1.1", *named, *shown, *lines, "", "")).encode("latin-1")


@dataclass
class ServedPage:
    """A page that is served, and who has asked for it."""

    port: int = 0
    path: Path | None = None
    body: bytes = PAGE
    accepted: list[str] = field(default_factory=list[str])
    server: MetricsServer | None = None

    async def until_nobody_is_served(self) -> None:
        assert self.server is not None
        await asyncio.wait(tuple(self.server.served))

    def page(self, accept: str) -> tuple[bytes, str]:
        self.accepted.append(accept)
        return self.body, "text/plain"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.path is not None:
            return await asyncio.open_unix_connection(self.path)
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def said_to(self, data: bytes) -> bytes:
        """All that is answered to these bytes; b"" where the connection is closed without a word."""
        reader, writer = await self.connect()
        try:
            with suppress(ConnectionError):  # what it has not heard to its end, it may answer so
                writer.write(data)
                return await reader.read()
            return b""
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(
        self, *lines: str, method: str = "GET", target: str = "/metrics", token: str | None = TOKEN
    ) -> Answer:
        return answer_of(await self.said_to(request(self.port, *lines, method=method, target=target, token=token)))

    async def is_answered(self) -> bool:
        return (await self.ask()).status == HTTPStatus.OK


@asynccontextmanager
async def served_page(path: Path | None = None, body: bytes = PAGE) -> AsyncGenerator[ServedPage]:
    """Serve for the length of a block: at a free port, or at the path of a socket."""
    it = ServedPage(path=path, body=body)
    if path is None:
        # 0: any that is free. No configuration may say that, for nobody would know where to ask.
        listener = sockets.loopback_listener("127.0.0.1", 0)
        it.port = listener.getsockname()[1]
        server = MetricsServer(listener, MetricsDoor(LoopbackPort("127.0.0.1", it.port), TOKEN), it.page)
        async with _going_on(it, server):
            yield it
        return
    with claimed(path) as endpoint, endpoint.listening() as listener:
        async with _going_on(it, MetricsServer(listener, MetricsDoor(), it.page)):
            yield it


@asynccontextmanager
async def _going_on(it: ServedPage, server: MetricsServer) -> AsyncGenerator[None]:
    it.server = server
    task = asyncio.create_task(server.run())
    try:
        yield
    finally:
        assert not task.done()  # nothing that is sent to it ends it
        task.cancel()
        await asyncio.wait((task,))
