"""Answers whoever asks for the numbers: one request a connection, few connections at a time, and not many in a second.

HTTP is h11's, which only makes values of bytes; what is here bounds how much of it there is. prometheus_client's own
server has a thread for each connection and waits for ever, and aiohttp would take more memory than the numbers.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import h11

from flashdeckd.host import processes, sockets
from flashdeckd.metrics.metrics_door import Declined, MetricsDoor, Welcomed
from flashdeckd.server.seldom import Seldom

MOST_CONNECTIONS: Final = 8
"""Connections at a time: at one more the oldest is closed, so that whoever asks at once is heard."""
PACE_SECONDS: Final = 0.02
"""Least time between two connections: others wait in the kernel, and a flood of them takes no more time than this."""
ASK_SECONDS: Final = 5.0
"""Seconds in which a request must have come."""
TAKE_SECONDS: Final = 10.0
"""Seconds in which the answer must have been taken; Prometheus waits as long."""
LONGEST_REQUEST: Final = 16 * 1024
"""Bytes of a request up to its empty line."""
REFUSED_SECONDS: Final = 1.0
"""Seconds until connections are accepted again when the system refused to."""

_log = logging.getLogger(__name__)

Page = Callable[[str], tuple[bytes, str]]
"""Returns the numbers in the format that an Accept header wants, and the content type."""


class MetricsServer:
    """Serves one listening socket."""

    def __init__(self, listener: socket.socket, door: MetricsDoor, page: Page) -> None:
        """Takes over `listener`. A Unix socket (a door without a place) is for our user and root alone."""
        self._listener = listener
        self._door = door
        self._page = page
        self.served: dict[asyncio.Task[None], None] = {}
        """Connections, in the order in which they came."""
        self._seldom = Seldom(_log)

    async def run(self) -> None:
        """Answer until cancelled; then all connections are closed."""
        try:
            while True:
                try:
                    await sockets.readable(self._listener)
                    client, _ = self._listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue  # it left again
                except OSError as error:
                    self._seldom.warn("accept", f"metrics: cannot accept connections: {error}")
                    await asyncio.sleep(REFUSED_SECONDS)
                    continue
                self._begin(client)
                await asyncio.sleep(PACE_SECONDS)
        finally:
            self._listener.close()
            for task in tuple(self.served):
                task.cancel()
            await asyncio.gather(*self.served, return_exceptions=True)

    def _begin(self, client: socket.socket) -> None:
        if self._door.at is None and (uid := sockets.peer_of(client).uid) not in (0, processes.own_uid()):
            self._seldom.warn("uid", f"metrics: closed a connection from uid {uid}")
            client.close()
            return
        if len(self.served) >= MOST_CONNECTIONS:
            next(iter(self.served)).cancel()
        task = asyncio.create_task(self._serve(client), name="metrics connection")
        self.served[task] = None
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self.served.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("metrics: a request could not be answered", exc_info=error)

    async def _serve(self, client: socket.socket) -> None:
        client.settimeout(0)  # asyncio wants it non-blocking
        with client, contextlib.suppress(TimeoutError, OSError):  # who leaves, or is too slow, needs no answer
            connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_REQUEST)
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    request = await _asked(connection, client)
                answer = self._door.admits(request.method, request.target, request.headers)
                has_body = request.method != b"HEAD"
            except h11.RemoteProtocolError as error:
                status = HTTPStatus(error.error_status_hint)
                answer, has_body = Declined(status, "this is no request that is understood"), True
            async with asyncio.timeout(TAKE_SECONDS):
                await self._answer(connection, client, answer, has_body=has_body)

    async def _answer(
        self, connection: h11.Connection, client: socket.socket, answer: Welcomed | Declined, *, has_body: bool
    ) -> None:
        if isinstance(answer, Welcomed):
            status = HTTPStatus.OK
            body, kind = self._page(answer.accept)
        else:
            status, body, kind = answer.status, f"{answer.text}\n".encode(), "text/plain; charset=utf-8"
        fields = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),  # a browser is to make nothing else of it
            ("Connection", "close"),
        ]
        if status is HTTPStatus.UNAUTHORIZED:
            fields.append(("WWW-Authenticate", "Bearer"))
        elif status is HTTPStatus.METHOD_NOT_ALLOWED:
            fields.append(("Allow", "GET, HEAD"))
        head = connection.send(h11.Response(status_code=status, reason=status.phrase, headers=fields)) or b""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, head + (body if has_body else b""))
        client.shutdown(socket.SHUT_WR)


async def _asked(connection: h11.Connection, client: socket.socket) -> h11.Request:
    """Return the request once it has come; raises OSError where whoever asked has left, h11's errors for anything else.

    Its body, which it must not have, is not read.
    """
    loop = asyncio.get_running_loop()
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            raise ConnectionError
        connection.receive_data(await loop.sock_recv(client, LONGEST_REQUEST))
