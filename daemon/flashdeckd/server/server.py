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
    FOR_OWNER,
    HIGHEST_PROTOCOL,
    LOWEST_PROTOCOL,
    METHODS,
    Cancel,
    Disarm,
    GetBoards,
    GetHistory,
    GetJobs,
    GetLogs,
    GetMaps,
    GetStatus,
    GetVersions,
    Hello,
    Hold,
    Params,
    Subscribe,
    Welcome,
    changes,
    protocols,
)
from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.lab_user import is_lab_user
from flashdeck.model import Snapshot
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeckd.host import processes, sockets
from flashdeckd.server.connection import Connection
from flashdeckd.server.deeds import deed_text
from flashdeckd.server.endpoint import Endpoint, claimed, peer_uid
from flashdeckd.server.members import Members, Visitor
from flashdeckd.server.seldom import Seldom
from flashdeckd.state.hub import Hub

HELLO_TIMEOUT = 10.0
"""Seconds in which the first line must arrive."""
PATIENCE = 30.0
"""Seconds in which a client must take at least one byte of what waits for it, or be cut off."""
MAX_CONNECTIONS = 64
"""Clients at a time."""
RESERVED_CONNECTIONS = 4
"""Guests: clients beyond these, who may only do what `FOR_GUESTS` says. They are for a person's own commands."""
GUEST_SECONDS = 1.0
"""Seconds without a call after which a guest makes room for another one."""
FOR_GUESTS = frozenset[type[Params[Any]]](
    (GetStatus, GetBoards, GetMaps, GetJobs, GetHistory, GetLogs, GetVersions, Hold, Disarm, Cancel)
)
"""The methods that only ask, or stop something: they are answered at once, and leave nothing behind."""
MAX_SILENT = 64
"""Connections at a time that have said no hello: at one more the oldest is closed, so that whoever speaks is heard."""
IDLE_SECONDS = 60.0
"""Seconds after which a client that wants nothing makes room for one that comes."""
SPARE_DESCRIPTORS = 16
"""Open files that clients leave to the daemon, beside one for each board."""
DOOR_DESCRIPTORS = 4
"""Open files, the last of those for clients, that only guests get."""
LEAST_CONNECTIONS = 4
"""Clients that are served however few files may be open."""
FREE_AGAIN = 4
"""Clients that have to leave until it counts as over that there was no room."""
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
        members: Members | None = None,
        on_trouble: Callable[[str, str], None] = lambda _trouble, _hint: None,
    ) -> None:
        """`on_trouble` is told that clients are turned away, and what to do about it; "" once that is over."""
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
        self._members = members or Members()
        self._looked_up: set[asyncio.Task[None]] = set()
        """Those who wait until it is known who they are: the others do not wait for that."""
        self._on_trouble = on_trouble
        self._seldom = Seldom(_log)
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        """In the order in which they came."""
        self._accepting: asyncio.Task[None] | None = None
        self._listener: socket.socket | None = None
        self._full_with = 0
        """The number of clients with which there was no room; 0 while there is."""

    @contextlib.asynccontextmanager
    async def listening(self, at: Path | Endpoint) -> AsyncGenerator[None, None]:
        """Serves clients at a socket path, or at one that was claimed before; ends with all connections closed.

        Raises FlashdeckError: of kind `already-running` if another daemon serves that path, of kind `no-permission`
        if its directory is not ours alone.
        """
        with contextlib.ExitStack() as stack:
            endpoint = at if isinstance(at, Endpoint) else stack.enter_context(claimed(at))
            await self.listen_on(endpoint.listener())
            stack.callback(endpoint.close)
            try:
                yield
            finally:
                await self.listen_on(None)
                for task in self._looked_up:
                    task.cancel()
                tasks = tuple(self._connections.values())
                for connection in tasks:
                    connection.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def listen_on(self, listener: socket.socket | None) -> None:
        """Accept clients at this socket from now on, and at no other one; who is connected stays."""
        accepting, former = self._accepting, self._listener
        self._listener = listener
        self._accepting = None if listener is None else asyncio.create_task(self._accept(listener), name="accept")
        if accepting is not None and former is not None:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            former.close()

    async def _accept(self, listener: socket.socket) -> None:
        # Not asyncio's own server: it drops a connection unclosed that arrives in the moment it is closed itself.
        spare = sockets.stream()
        try:
            while True:
                await sockets.readable(listener)
                try:
                    client, _ = listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue  # it left again
                except OSError as error:
                    spare.close()
                    if not self._told_that_there_is_no_room(listener, error):
                        await asyncio.sleep(ACCEPT_RETRY)
                    with contextlib.suppress(OSError):
                        spare = sockets.stream()
                    continue
                await self._admit(client)
        finally:
            spare.close()

    async def _admit(self, client: socket.socket) -> None:
        try:
            await self._let_in(client)
        except BaseException:  # cancelled, most likely
            client.close()
            raise

    async def _let_in(self, client: socket.socket) -> None:
        uid = self._peer_uid(client)
        try:
            visitor = self._members.at_once(uid)
        except FlashdeckError as error:
            self._refuse(client, error)
            return
        if visitor is not None:
            await self._seat(client, visitor)
            return
        task = asyncio.create_task(self._let_in_known(client, uid), name=f"who is uid {uid}")
        self._looked_up.add(task)
        task.add_done_callback(self._looked_up.discard)
        task.add_done_callback(lambda ended: client.close() if ended.cancelled() or ended.exception() else None)

    async def _let_in_known(self, client: socket.socket, uid: int) -> None:
        try:
            visitor = await self._members.looked_up(uid)
        except FlashdeckError as error:
            self._refuse(client, error)
        else:
            await self._seat(client, visitor)

    def _refuse(self, client: socket.socket, error: FlashdeckError) -> None:
        self._seldom.warn("uid", f"closed a connection: {error.message}")
        self._turn_away(client, error)

    async def _seat(self, client: socket.socket, visitor: Visitor) -> None:
        descriptor = client.fileno()
        silent = [connection for connection in self._connections if not connection.is_greeted]
        # The lowest number that is free: a gap that was just left says nothing of those above it.
        is_crowded = max(descriptor, *(each.descriptor for each in silent), 0) >= self._most_descriptors
        if len(silent) >= MAX_SILENT or (is_crowded and silent):
            self._seldom.warn("silent", "closed a connection that had said no hello yet: others wait")
            await self._end_early(silent[0], "closed: no hello came, and others wait", "say hello at once")
        elif is_crowded and len(self._connections) >= LEAST_CONNECTIONS and not await self._ended_anybody():
            self._turn_away(client, self._no_room())
            return
        reader = asyncio.StreamReader(limit=rpc.MAX_LINE)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, client)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        connection = Connection(
            reader,
            writer,
            self._call,
            hello_timeout=self._hello_timeout,
            patience=self._patience,
            descriptor=descriptor,
            visitor=visitor,
        )
        task = asyncio.create_task(connection.run(), name="connection")
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._end(connection, client))

    def _end(self, connection: Connection, client: socket.socket) -> None:
        del self._connections[connection]
        client.close()
        if connection.was_silent:
            self._seldom.warn("silent", f"closed a connection: no hello within {self._hello_timeout:g} seconds")
        if self._full_with and self._clients <= max(0, self._full_with - FREE_AGAIN):
            self._full_with = 0
            self._on_trouble("", "")

    @property
    def _clients(self) -> int:
        return sum(connection.is_greeted and not connection.is_guest for connection in self._connections)

    @property
    def _most_descriptors(self) -> int:
        """The number from which on open files are not for clients."""
        return processes.descriptor_limit() - SPARE_DESCRIPTORS - len(self._hub.boards)

    def _no_room(self) -> FlashdeckError:
        """Return why no more clients are served, and report it."""
        hint = (
            f"end one of them, or wait: a client that wants nothing for {IDLE_SECONDS:.0f} s makes room. Meanwhile "
            "`flashdeck status`, `hold` and `cancel` are answered"
        )
        reason = f"{MAX_CONNECTIONS} clients are connected to flashdeckd already"
        if self._clients < MAX_CONNECTIONS:
            reason = f"flashdeckd may have {processes.descriptor_limit()} files open, and has no more for clients"
            hint += "; or start flashdeckd with a higher limit (ulimit -n, LimitNOFILE=)"
        self._full_with = max(1, self._clients)
        self._on_trouble(f"more are turned away: {reason}", hint)
        return _unreachable(reason, hint)

    def _told_that_there_is_no_room(self, listener: socket.socket, error: OSError) -> bool:
        """Tell the client that waits, for which one file was closed; return whether that was possible."""
        try:
            client, _ = listener.accept()
        except OSError:
            self._seldom.warn("accept", f"cannot accept connections: {error}")
            return False
        self._turn_away(client, self._no_room())
        return True

    @staticmethod
    def _turn_away(client: socket.socket, error: FlashdeckError) -> None:
        with client, contextlib.suppress(OSError):
            client.settimeout(0)
            client.send(rpc.encode_error(None, error))

    async def _call(self, request: rpc.Request, connection: Connection) -> Value:
        params = METHODS.get(request.method)
        handler = self._handlers.get(params) if params is not None else None
        if params is None or handler is None:
            raise rpc.no_such_method(request)
        if connection.is_read_only and changes(params):
            raise FlashdeckError(
                f"this connection is read-only: '{request.method}' is refused",
                hint="connect without --read-only; where an ssh key or a page allows no more, ask its owner",
                kind=ErrorKind.NO_PERMISSION,
            )
        if params in FOR_OWNER and not connection.visitor.is_owner:
            raise FlashdeckError(
                f"'{request.method}' is for the user that flashdeckd runs as: it decides what may be started there",
                hint="ask that user, or root; the configuration is read again by itself when its files change",
                kind=ErrorKind.NO_PERMISSION,
            )
        if connection.is_guest and params not in FOR_GUESTS:
            if not await self._has_room(connection):
                raise self._no_room()
            connection.is_guest = False
        asked = rpc.decode_params(request, params)
        if connection.visitor.name and (told := deed_text(connection.visitor.name, asked)):
            self._hub.log(told)
        return await handler(asked, connection)

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
        if params.lab_user and not is_lab_user(params.lab_user):
            raise RequestError(f"{clean(params.lab_user, 60)!r} is no user of a lab", hint='write it as "host/user"')
        # Before anything is waited for, and never back: whoever speaks first on a connection, as a bridge does for the
        # client behind it, can narrow it for all that comes later.
        connection.is_read_only |= params.read_only
        if not connection.is_greeted:
            await self._find_room(connection)
        connection.client, connection.lab_user = clean(params.client, 60), params.lab_user
        return Welcome(
            protocol=protocol,
            lowest=LOWEST_PROTOCOL,
            highest=HIGHEST_PROTOCOL,
            daemon=daemon.version,
            host=daemon.host,
            instance=daemon.instance,
            read_only=connection.is_read_only,
            degraded=daemon.degraded,
            user=connection.visitor.name,
        )

    async def _find_room(self, connection: Connection) -> None:
        """Return once there is room for one more client, or guest; raises FlashdeckError where there is none."""
        if await self._has_room(connection):
            return
        error = self._no_room()
        guests = sum(each.is_guest for each in self._connections)
        if guests >= RESERVED_CONNECTIONS and not await self._ended_idle(guests=True):
            raise error
        connection.is_guest = True

    async def _has_room(self, connection: Connection) -> bool:
        """Return whether this one can be a client like all others; one that wants nothing makes room for it."""
        is_crowded = connection.descriptor >= self._most_descriptors - DOOR_DESCRIPTORS
        most = LEAST_CONNECTIONS if is_crowded else MAX_CONNECTIONS
        return self._clients < most or await self._ended_idle(guests=False)

    async def _ended_anybody(self) -> bool:
        return await self._ended_idle(guests=True) or await self._ended_idle(guests=False)

    async def _ended_idle(self, *, guests: bool) -> bool:
        """Let the client, or guest, make room that has wanted nothing for longest; return whether there is one."""
        found = [each for each in self._connections if each.is_greeted and each.is_guest is guests]
        idlest = max(found, key=lambda each: each.idle_seconds, default=None)
        if idlest is None or idlest.idle_seconds < (GUEST_SECONDS if guests else IDLE_SECONDS):
            return False
        await self._end_early(idlest, "closed: it wanted nothing, and others wait", "connect again")
        return True

    async def _end_early(self, connection: Connection, reason: str, hint: str) -> None:
        """Tell a client why its connection ends, and return once it has: another one is to have its place."""
        connection.turn_away(_unreachable(reason, hint))
        await asyncio.wait((self._connections[connection],), timeout=ACCEPT_RETRY)

    async def _subscribe(self, params: Subscribe, connection: Connection) -> Snapshot:
        return connection.subscribe(self._hub, maps=params.maps)

    async def _status(self, _params: GetStatus, _connection: Connection) -> Snapshot:
        return self._hub.snapshot()


def _unreachable(message: str, hint: str) -> FlashdeckError:
    return FlashdeckError(message, hint=hint, kind=ErrorKind.UNREACHABLE)
