"""The connection to the daemon, as a small state machine: connecting, connected, disconnected, and round again.

It feeds the store and needs no terminal. The daemon need not be there: the link says how to start it and keeps trying.
Closing the link never stops the daemon.
"""

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from flashdeck.api import LOG_PAGE, GetLogs, GetMaps, Params, UploadDone
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, FlashdeckError
from flashdeck.inside_lease import act_for_lease
from flashdeck.model import Snapshot
from flashdeck.paths import socket_path
from flashdeck.stream import START_HINT
from flashdeck.value import Value
from flashdeck_tui.pauses import FIRST_PAUSE, LONGEST_PAUSE
from flashdeck_tui.store import Store

CLIENT = "flashdeck-tui"

READ_ONLY = "This screen is read-only: it can look, and change nothing."
"""The reason why something that changes a host cannot be done, where its link is read-only."""

R = TypeVar("R", bound=Value)
Connect = Callable[[], Awaitable[Client]]


class LinkStatus(StrEnum):
    """The states of the connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class LinkState:
    """The connection now."""

    status: LinkStatus
    reason: str = ""
    """The reason why it is not connected; of a connection, what it cannot give."""
    hint: str = ""
    """The next thing for a person to do about it."""
    read_only: bool = False
    """True if nothing can be changed through it, now and whenever it is connected again: the daemon refuses it."""
    user: str = ""
    """The name under which the daemon knows us, where several people use the bench; "" elsewhere."""


class Link:
    """Keeps one connection to the daemon at `socket` and `store` up to date through it.

    `run` is to be one task for as long as the link is wanted. `connect` is another way to it, as to another machine,
    and `read_only` tells if it asks for a connection that is. `pause` is for tests.
    """

    def __init__(
        self,
        socket: Path,
        store: Store,
        *,
        connect: Connect | None = None,
        read_only: bool = False,
        longest_pause: float = LONGEST_PAUSE,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.socket = socket
        """The one that is connected, or was last."""
        self.state = LinkState(LinkStatus.CONNECTING, read_only=read_only)
        self._store = store
        self._connect: Connect = connect or (lambda: _connected(socket))
        self._longest_pause = longest_pause
        self._pause = pause
        self._client: Client | None = None

    @property
    def connected(self) -> bool:
        """True if calls can be made and the store is up to date."""
        return self.state.status is LinkStatus.CONNECTED

    async def run(self) -> None:
        """Connects, feeds the store, and begins again with growing pauses, until cancelled."""
        pause = FIRST_PAUSE
        while True:
            try:
                client = await self._connect()
                async with client:
                    pause = FIRST_PAUSE
                    if client.welcome.read_only and not self.state.read_only:  # whoever is in between wants it so
                        self.state = replace(self.state, read_only=True)
                    if client.where.startswith("/"):
                        self.socket = Path(client.where)
                    await self._follow(client)
            except ConnectionFailedError as error:
                self._become(LinkState(LinkStatus.DISCONNECTED, error.message, self._hint(error)))
            except FlashdeckError as error:  # the daemon answered, but not so that it can be followed
                self._become(LinkState(LinkStatus.DISCONNECTED, error.message, error.hint))
            finally:
                self._client = None
            await self._pause(pause)
            pause = min(2 * pause, self._longest_pause)

    async def call(self, params: Params[R]) -> R:
        """Calls a method of the daemon; a reply means done.

        Raises RemoteError, and ConnectionFailedError when there is no connection or it is lost.
        """
        return await self._connected_client().call(params)

    async def upload(self, name: str, data: bytes, *, partition: str, boards: tuple[str, ...]) -> UploadDone:
        """Sends the bytes of an image file and where it is for; raises what `call` does."""
        return await self._connected_client().upload(name, data, partition=partition, boards=boards)

    async def _follow(self, client: Client) -> None:
        async with aclosing(client.follow(maps=True)) as changes:
            async for change in changes:
                self._store.take(change)
                if isinstance(change, Snapshot):
                    state = await self._beside(client, change)
                    self._client = client
                    self._become(state)

    async def _beside(self, client: Client, snapshot: Snapshot) -> LinkState:
        """Take what no snapshot has. A daemon that does not give it can be followed all the same: that is said."""
        try:
            page = await client.call(GetLogs(after=self._store.last_line, limit=LOG_PAGE))
            self._store.take_log(page.lines)
            await self._maps_left_out(client, snapshot)
        except ConnectionFailedError:
            raise
        except FlashdeckError as error:
            return LinkState(LinkStatus.CONNECTED, error.message, error.hint, user=client.welcome.user)
        return LinkState(LinkStatus.CONNECTED, user=client.welcome.user)

    async def _maps_left_out(self, client: Client, snapshot: Snapshot) -> None:
        """Take the flash maps for which a snapshot had no room; an older daemon, which has none, is not asked."""
        told = {each.board for each in snapshot.maps}
        left = tuple(board.name for board in snapshot.boards if board.name not in told) if told else ()
        while left:
            page = await client.call(GetMaps(boards=left))
            self._store.take_maps(page.maps)
            left = page.left if page.maps else ()

    def _connected_client(self) -> Client:
        if self._client is None:
            raise ConnectionFailedError(self.state.reason or "not connected to flashdeckd", hint=self.state.hint)
        return self._client

    def _become(self, state: LinkState) -> None:
        state = replace(state, read_only=self.state.read_only)
        if state != self.state:
            self.state = state
            self._store.revision += 1

    def _hint(self, error: ConnectionFailedError) -> str:
        if error.hint != START_HINT:
            return error.hint
        daemon = self._store.daemon
        if daemon is not None and daemon.virtual:  # a plain flashdeckd in its place would open real boards
            return f"start it: {start_command(self.socket, '--virtual FILE')} (a demo: q, and start it anew)"
        return f"start it: {start_command(self.socket)}"


async def _connected(socket: Path) -> Client:
    return await acting(await Client.connect(socket, client=CLIENT))


async def acting(client: Client) -> Client:
    """Let a client act for the lease that this process was started in, where there is one, and return it."""
    try:
        await act_for_lease(client)  # one that has ended is no reason to show nothing
    except BaseException:
        await client.close()
        raise
    return client


def start_command(socket: Path, options: str = "") -> str:
    """The command that starts a daemon, with `options`, which listens on `socket`."""
    try:
        usual = socket == socket_path()
    except FlashdeckError:
        usual = False
    words = ("flashdeckd", options, "" if usual else f"--socket {shlex.quote(str(socket))}")
    return " ".join(filter(None, words))
