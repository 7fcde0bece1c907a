"""The client's side of the socket: calls with typed answers, and the daemon's events in order.

async with await Client.connect(path, client="flashdeck") as client:
    boards = await client.call(GetBoards())

This is the layer of single calls. `flashdeck.connect` and `flashdeck.connect_async` are for programs that flash boards.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from flashdeck import __version__, after_fork, rpc
from flashdeck.api import (
    CHUNK,
    HIGHEST_PROTOCOL,
    LOWEST_PROTOCOL,
    NAMES,
    BeginUpload,
    CommitUpload,
    Hello,
    Params,
    PlacedImages,
    PlaceUpload,
    Subscribe,
    UploadChunk,
    UploadDone,
    Welcome,
    protocols,
)
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError, RemoteError
from flashdeck.model import Event, Snapshot
from flashdeck.stream import SocketStream, Stream, broken
from flashdeck.text import clean
from flashdeck.value import Value

EVENTS_KEPT = 10_000
"""Events kept for an iterator that falls behind; at one more the subscription ends."""

R = TypeVar("R", bound=Value)
_AT_THE_DOOR = frozenset(
    {ErrorKind.UNREACHABLE, ErrorKind.NO_PERMISSION, ErrorKind.CONFIG_INVALID, ErrorKind.PROTOCOL_MISMATCH}
)
"""Kinds of an error that is the answer to no call: whoever stands before the daemon lets nobody in."""


E = TypeVar("E", bound=Snapshot | Event)


class _Arriving(Generic[E]):
    """Changes as they arrive, in order, until some are missing."""

    def __init__(self, seq: int) -> None:
        self._seq = seq
        self._changes: deque[E] = deque()
        self._arrived = asyncio.Event()
        self._ended = False
        self._lost: ConnectionFailedError | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        while not self._changes:
            if self._lost is not None:
                raise self._lost
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._changes.popleft()

    def _take(self, change: E) -> None:
        """Take the next change from the wire; an event out of order ends the iteration."""
        if self._ended:
            return
        is_next = isinstance(change, Snapshot) or change.seq == self._seq + 1
        self._ended = not is_next or len(self._changes) >= EVENTS_KEPT
        if not self._ended:
            self._seq = change.seq
            self._changes.append(change)
        self._arrived.set()

    def end(self, lost: ConnectionFailedError | None = None) -> None:
        """Nothing more will be delivered; `lost` is raised after the events that did arrive."""
        self._ended = True
        self._lost = lost
        self._arrived.set()


class Subscription(_Arriving[Event]):
    """A snapshot and, by iterating, every later event, each numbered one above the one before.

    The iteration ends where events are missing: the daemon's numbers had a gap, this side fell more than `EVENTS_KEPT`
    behind, or the same client has subscribed, or begun to follow, once more. Subscribe again then (or use
    `Client.follow`). A lost connection raises ConnectionFailedError instead.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot.seq)
        self.snapshot = snapshot

    def deliver(self, event: Event) -> None:
        """Takes the next event from the wire."""
        self._take(event)


class _Followed(_Arriving[Snapshot | Event]):
    """A snapshot and all that follows, for one that goes on where its client subscribes once more.

    It takes the snapshot that comes then: the daemon's numbers go on from there for everybody.
    """

    def __init__(self, *, maps: bool = False) -> None:
        super().__init__(0)
        self.maps = maps
        """True if it wants flash maps."""

    def deliver(self, change: Snapshot | Event) -> None:
        """Takes the next change from the wire."""
        self._take(change)


class _Pending:
    """A call that waits for its answer. `settle` runs when it arrives, before the next line is looked at."""

    def __init__(self, method: str, settle: Callable[[rpc.Reply], Value]) -> None:
        self.method = method
        self.settle = settle
        self.future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()


class Client:
    """A connection to one daemon. Make it with `connect`; `welcome` is the daemon's answer to `hello`."""

    welcome: Welcome

    def __init__(self, stream: Stream) -> None:
        """Takes an open stream. `greet` is to be next."""
        self._stream = stream
        self._reader = stream.reader
        self._writer = stream.writer
        self._where = stream.where
        self._next_id = 1
        self._pending: dict[int, _Pending] = {}
        self._places = asyncio.Semaphore(rpc.MAX_CALLS)
        self._subscription: Subscription | None = None
        self._followed: set[_Followed] = set()
        self._lost: ConnectionFailedError | None = None
        self._is_greeted = False
        self._receiving = asyncio.create_task(self._receive(), name=f"flashdeck client of {stream.where}")
        after_fork.leave_to_parent(stream.writer)

    @classmethod
    async def connect(cls, path: Path, *, client: str, read_only: bool = False, lab_user: str = "") -> "Client":
        """Connects to the daemon at `path` and says hello as `client`.

        With `read_only` the daemon refuses whatever would change something through this connection. Raises
        ConnectionFailedError of kind `unreachable`, `no-permission` or `protocol-mismatch`.
        """
        stream = await SocketStream.open(path, limit=rpc.MAX_LINE)
        return await cls.over(stream, client=client, read_only=read_only, lab_user=lab_user)

    @classmethod
    async def over(cls, stream: Stream, *, client: str, read_only: bool = False, lab_user: str = "") -> "Client":
        """Says hello as `client` over an open stream, and takes it over; raises what `connect` does."""
        made = cls(stream)
        try:
            await made.greet(client, read_only=read_only, lab_user=lab_user)
        except BaseException:
            await made.close()
            raise
        return made

    async def greet(self, client: str, *, read_only: bool = False, lab_user: str = "") -> None:
        """Says hello as `client`: the first call on every connection. Raises ConnectionFailedError.

        Also where the daemon cannot make it read-only though that is wanted: one of an older release.
        """
        hello = Hello(
            protocol=HIGHEST_PROTOCOL,
            lowest=LOWEST_PROTOCOL,
            client=client,
            release=__version__,
            read_only=read_only,
            lab_user=lab_user,
        )
        try:
            async with asyncio.timeout(self._stream.patience):
                # A daemon that turns somebody away says why, and closes at once: what is there is read before anything
                # is written, since the failure of that would hide it. A turn of the loop for the bytes, one for who
                # reads.
                for _ in range(3):
                    await asyncio.sleep(0)
                self.welcome = await self.call(hello)
        except TimeoutError as error:
            raise ConnectionFailedError(
                f"the daemon at {self._where} did not answer within {self._stream.patience:.0f} seconds",
                hint="is it stopped (Ctrl-Z) or something else than flashdeckd?",
            ) from error
        except ConnectionFailedError:
            raise
        except FlashdeckError as error:
            raise ConnectionFailedError(_with_our_release(error), hint=error.hint, kind=error.kind) from error
        if not LOWEST_PROTOCOL <= self.welcome.protocol <= HIGHEST_PROTOCOL:
            raise ConnectionFailedError(
                f"flashdeckd {clean(self.welcome.daemon, 60)} at {self._where} speaks protocol "
                f"{self.welcome.protocol}, flashdeck {__version__} {protocols(LOWEST_PROTOCOL, HIGHEST_PROTOCOL)}",
                hint="install the same version of flashdeck on both sides, and restart the daemon",
                kind=ErrorKind.PROTOCOL_MISMATCH,
            )
        if read_only and not self.welcome.read_only:
            raise ConnectionFailedError(
                f"flashdeckd {clean(self.welcome.daemon, 60)} at {self._where} cannot make a connection read-only",
                hint="update flashdeckd there, and restart it",
                kind=ErrorKind.PROTOCOL_MISMATCH,
            )
        self._is_greeted = True

    @property
    def where(self) -> str:
        """The daemon's socket, as errors name it."""
        return self._where

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; calls and iterations that still wait get a ConnectionFailedError."""
        self._lose(ConnectionFailedError("the connection was closed"))
        self._receiving.cancel()
        await asyncio.wait((self._receiving,))
        await self._stream.closed()

    async def call(self, params: Params[R]) -> R:
        """Calls the method that `params` belongs to and returns its result; any number may be in flight.

        A reply means done. There is no time limit: cancel the call, or give it one where the method takes it. Raises
        RemoteError with the daemon's kind, message and hint, and ConnectionFailedError when the connection is lost.
        """
        result = rpc.result_type(type(params))

        def settle(reply: rpc.Reply) -> R:
            return rpc.decode_value(reply.result, result)

        return await self._call(params, settle)

    async def subscribe(self) -> Subscription:
        """Everything at one instant, and by iterating over the subscription every later event.

        A client has one subscription: a second one ends the first, and gives all that follow a new snapshot.
        """
        snapshot = await self._subscribe()
        if self._subscription is None or self._subscription.snapshot is not snapshot:
            overtaken = Subscription(snapshot)
            overtaken.end(self._lost)
            return overtaken
        return self._subscription

    async def follow(self, *, maps: bool = False) -> AsyncGenerator[Snapshot | Event, None]:
        """A snapshot, then the events after it; after a gap a new snapshot, and so on until the connection is lost.

        With `maps` flash maps are part of both, where the daemon has any. Any number may follow at once; each gets a
        new snapshot whenever another one begins, and maps if one of them wants any.
        """
        while True:
            followed = _Followed(maps=maps)
            try:
                await self._subscribe(followed)
                async for change in followed:
                    yield change
            finally:
                self._followed.discard(followed)

    async def _subscribe(self, followed: _Followed | None = None) -> Snapshot:
        """Return a snapshot, which `followed` and all others that follow get as well; without one it is subscribed."""

        def settle(reply: rpc.Reply) -> Snapshot:
            # Here and not in the caller, who only wakes up after the first events were read.
            snapshot = rpc.decode_value(reply.result, Snapshot)
            if self._subscription is not None:
                self._subscription.end()
            self._subscription = Subscription(snapshot) if followed is None else None
            if followed is not None:
                self._followed.add(followed)
            for each in self._followed:
                each.deliver(snapshot)
            return snapshot

        following = self._followed if followed is None else {*self._followed, followed}
        return await self._call(Subscribe(maps=any(each.maps for each in following)), settle)

    async def upload(self, name: str, data: bytes, *, partition: str = "", boards: tuple[str, ...] = ()) -> UploadDone:
        """Sends a file's bytes in chunks. Returns what `flash` and `wait` need to know of the image in it.

        Only with the `partition` that it is for it may be anything but a raw binary; see `BeginUpload`. Its name may be
        one that is no UTF-8.
        """
        upload = await self._send(
            BeginUpload(name=clean(name), size=len(data), partition=partition, boards=boards), data
        )
        return await self.call(CommitUpload(upload=upload))

    async def place(self, name: str, data: bytes, *, boards: tuple[str, ...] = ()) -> PlacedImages:
        """Sends a file's bytes in chunks, and returns the partitions that it belongs to; see `PlaceUpload`."""
        upload = await self._send(BeginUpload(name=clean(name), size=len(data)), data)
        return await self.call(PlaceUpload(upload=upload, boards=boards))

    async def _send(self, announced: BeginUpload, data: bytes) -> int:
        handle = await self.call(announced)
        for start in range(0, len(data), CHUNK):
            await self.call(UploadChunk(upload=handle.upload, data=data[start : start + CHUNK]))
        return handle.upload

    async def _call(self, params: Params[Any], settle: Callable[[rpc.Reply], R]) -> R:
        await self._places.acquire()
        try:
            if self._lost is not None:
                raise self._lost
            number = self._next_id
            line = rpc.encode_request(number, params)
        except FlashdeckError:
            self._places.release()
            raise
        self._next_id += 1
        # An abandoned call keeps its place until its answer came: the daemon is still busy with it.
        pending = self._pending[number] = _Pending(NAMES[type(params)], settle)
        self._writer.write(line)
        try:
            with contextlib.suppress(OSError):  # a lost connection is reported through the future, with its reason
                await self._writer.drain()
            answer: Any = await pending.future
        finally:
            pending.future.cancel()
        return answer

    async def _receive(self) -> None:
        lost = ConnectionFailedError("this client stopped reading")
        try:
            lost, line = await self._read()
            lost = await self._stream.why(lost, line=line, greeted=self._is_greeted)
        finally:
            self._lose(lost)  # whatever ended it: nobody is left waiting

    async def _read(self) -> tuple[ConnectionFailedError, bytes]:
        """Take lines to the end of the connection; return how that looks from this side, and the last line."""
        line = b""
        try:
            while line := await self._reader.readline():
                if not line.endswith(b"\n"):
                    break
                self._take(rpc.decode_incoming(line))
        except rpc.MalformedError as error:
            return ConnectionFailedError(error.message, hint=error.hint, kind=error.kind), line
        except ConnectionFailedError as error:
            return error, line
        except ValueError:
            too_long = ConnectionFailedError(
                f"the daemon at {self._where} sent a line longer than {rpc.MAX_LINE} bytes",
                hint="is it something else than flashdeckd?",
                kind=ErrorKind.PROTOCOL_MISMATCH,
            )
            return too_long, line
        except OSError as error:
            return broken(self._where, error), line
        closed = ConnectionFailedError(
            f"the daemon at {self._where} closed the connection",
            hint="it ended, or this client read too slowly; see the daemon's log",
        )
        return closed, line

    def _take(self, incoming: rpc.Reply | rpc.Notification) -> None:
        if isinstance(incoming, rpc.Notification):
            if incoming.method == rpc.EVENT:
                self._deliver(rpc.decode_value(incoming.params, Event))
            return
        if not isinstance(incoming.id, int):
            if incoming.error is not None and incoming.error.kind in _AT_THE_DOOR:
                error = incoming.error
                raise ConnectionFailedError(error.message, hint=error.hint, kind=error.kind)
            if incoming.error is not None:
                raise rpc.MalformedError(f"the daemon could not read a call: {incoming.error.message}")
            return
        pending = self._pending.pop(incoming.id, None)
        if pending is None:
            return
        self._places.release()
        if pending.future.done():
            return
        if incoming.error is not None:
            pending.future.set_exception(self._refusal(pending.method, incoming, incoming.error))
            return
        try:
            pending.future.set_result(pending.settle(incoming))
        except rpc.MalformedError as error:
            pending.future.set_exception(error)

    def _deliver(self, event: Event) -> None:
        if self._subscription is not None:
            self._subscription.deliver(event)
        for each in self._followed:
            each.deliver(event)

    def _refusal(self, method: str, reply: rpc.Reply, error: RemoteError) -> FlashdeckError:
        if not reply.is_unknown_method or rpc.is_for_emulated_boards(method):
            return error
        return FlashdeckError(
            f"flashdeckd {clean(self.welcome.daemon, 60)} at {self._where} has no method '{method}', which flashdeck "
            f"{__version__} asks it for",
            hint="update flashdeckd, and restart it; all else works as before",
            kind=ErrorKind.PROTOCOL_MISMATCH,
        )

    def _lose(self, lost: ConnectionFailedError) -> None:
        if self._lost is not None:
            return
        self._lost = lost
        for pending in self._pending.values():
            self._places.release()
            if not pending.future.done():
                pending.future.set_exception(self._lost)
        self._pending.clear()
        for each in (self._subscription, *self._followed):
            if each is not None:
                each.end(self._lost)
        self._writer.close()


def _with_our_release(refusal: FlashdeckError) -> str:
    """Return a daemon's message; where it does not like our protocol, with our release: older ones do not know it."""
    own = f"flashdeck {__version__}"
    if refusal.kind is not ErrorKind.PROTOCOL_MISMATCH or own in refusal.message:
        return refusal.message
    return f"{refusal.message} ({own})"
