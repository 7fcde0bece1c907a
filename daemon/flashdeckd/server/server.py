"""The socket's server: who may connect, and which handler serves which method."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from flashdeck import rpc
from flashdeck.api import (
    HIGHEST_PROTOCOL,
    LOWEST_PROTOCOL,
    METHODS,
    GetStatus,
    Hello,
    Params,
    Subscribe,
    Welcome,
    protocols,
)
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.model import Snapshot
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeckd.host import processes
from flashdeckd.server.connection import Connection
from flashdeckd.server.endpoint import Endpoint, claimed, peer_uid
from flashdeckd.state.hub import Hub

HELLO_TIMEOUT = 10.0
"""Seconds in which the first line must arrive."""
PATIENCE = 30.0
"""Seconds in which a client must take at least one byte of what waits for it, or be cut off."""
MAX_CONNECTIONS = 64
"""Clients at a time. As many again may be told so, and are closed without a word beyond that."""
ACCEPT_RETRY = 1.0
"""Seconds until connections are accepted again when the system refused to, which is when descriptors have run out."""

_log = logging.getLogger(__name__)


Handler = Callable[[Any, Connection], Awaitable[Value]]
"""Serves one method: its parameters and the connection they came from, to its result."""


class Server:
    """Answers `hello`, `subscribe` and `status` from the hub, everything else through `handlers`.

    A handler raises FlashdeckError to answer with an error; it is cancelled when its client leaves.
    """

    def __init__(
        self,
        hub: Hub,
        handlers: Mapping[type[Params[Value]], Handler],
        *,
        hello_timeout: float = HELLO_TIMEOUT,
        patience: float = PATIENCE,
        peer_uid: Callable[[socket.socket], int] = peer_uid,
    ) -> None:
        self._hub = hub
        self._handlers: dict[type[Params[Value]], Handler] = {
            **handlers,
            Hello: self._hello,
            Subscribe: self._subscribe,
            GetStatus: self._status,
        }
        self._hello_timeout = hello_timeout
        self._patience = patience
        self._peer_uid = peer_uid
        self._connections: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self, at: Path | Endpoint) -> AsyncGenerator[None, None]:
        """Serves clients at a socket path, or at one that was claimed before; ends with all connections closed.

        Raises FlashdeckError: of kind `already-running` if another daemon serves that path, of kind `no-permission`
        if its directory is not ours alone.
        """
        with contextlib.ExitStack() as stack:
            endpoint = at if isinstance(at, Endpoint) else stack.enter_context(claimed(at))
            listener = stack.enter_context(endpoint.listening())
            accepting = asyncio.create_task(self._accept(listener), name="accept")
            try:
                yield
            finally:
                accepting.cancel()
                for connection in self._connections:
                    connection.cancel()
                await asyncio.gather(accepting, *self._connections, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        # Not asyncio's own server: it drops a connection unclosed that arrives in the moment it is closed itself.
        while True:
            await _readable(listener)
            try:
                client, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue  # it left again
            except OSError as error:
                _log.error("cannot accept connections: %s", error)
                await asyncio.sleep(ACCEPT_RETRY)
                continue
            if self._may_enter(client):
                task = asyncio.create_task(self._serve(client), name="connection")
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)
                task.add_done_callback(lambda _, client=client: client.close())
            else:
                client.close()

    def _may_enter(self, client: socket.socket) -> bool:
        uid = self._peer_uid(client)
        if uid not in (0, processes.own_uid()):
            _log.warning("closed a connection from uid %d: only uid %d may connect", uid, processes.own_uid())
            return False
        if len(self._connections) >= 2 * MAX_CONNECTIONS:
            _log.warning("closed a connection: %d are open already", 2 * MAX_CONNECTIONS)
            return False
        return True

    async def _serve(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=rpc.MAX_LINE)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, client)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        connection = Connection(reader, writer, self._call, hello_timeout=self._hello_timeout, patience=self._patience)
        await connection.run()

    async def _call(self, request: rpc.Request, connection: Connection) -> Value:
        params = METHODS.get(request.method)
        handler = self._handlers.get(params) if params is not None else None
        if params is None or handler is None:
            raise rpc.no_such_method(request)
        return await handler(rpc.decode_params(request, params), connection)

    async def _hello(self, params: Hello, connection: Connection) -> Welcome:
        daemon = self._hub.daemon
        lowest = params.protocol if params.lowest is None else params.lowest
        protocol = min(params.protocol, HIGHEST_PROTOCOL)
        if protocol < max(lowest, LOWEST_PROTOCOL):
            raise FlashdeckError(
                f"flashdeckd {daemon.version} speaks protocol {protocols(LOWEST_PROTOCOL, HIGHEST_PROTOCOL)}, "
                f"flashdeck {clean(params.release, 60) or '(an older release)'} {protocols(lowest, params.protocol)}",
                hint="install the same version of flashdeck on both sides, and restart the daemon",
                kind=ErrorKind.PROTOCOL_MISMATCH,
            )
        if len(self._connections) > MAX_CONNECTIONS:  # this one is among them
            raise FlashdeckError(
                f"{MAX_CONNECTIONS} clients are connected to flashdeckd already",
                hint="end one of them, and try again",
                kind=ErrorKind.UNREACHABLE,
            )
        connection.client = clean(params.client, 60)
        return Welcome(
            protocol=protocol,
            lowest=LOWEST_PROTOCOL,
            highest=HIGHEST_PROTOCOL,
            daemon=daemon.version,
            host=daemon.host,
            instance=daemon.instance,
            degraded=daemon.degraded,
        )

    async def _subscribe(self, _params: Subscribe, connection: Connection) -> Snapshot:
        return connection.subscribe(self._hub)

    async def _status(self, _params: GetStatus, _connection: Connection) -> Snapshot:
        return self._hub.snapshot()


async def _readable(listener: socket.socket) -> None:
    """Returns when a connection waits; unlike `loop.sock_accept`, being cancelled cannot lose one."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(listener, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(listener)
