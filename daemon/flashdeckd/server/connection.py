"""One client of the socket: reads its calls, serves them concurrently, sends answers and events at its pace."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from flashdeck import rpc
from flashdeck.api import HIGHEST_PROTOCOL
from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.model import Event, Snapshot
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeckd.host import clock
from flashdeckd.jobs.taken_boards import TakenBoards
from flashdeckd.server.backlog import Backlog
from flashdeckd.server.members import Visitor
from flashdeckd.state.hub import Hub

HELLO_LINE = 4096
"""Bytes of the first line at the most."""

_log = logging.getLogger(__name__)


class Connection:
    """One client: reads its calls, serves them concurrently, sends answers before events.

    `client` is the name that it gave in `hello`.
    """

    is_greeted = False
    """True once its `hello` was answered."""
    is_guest = False
    """True while there is no room for it as a client: it may ask, and stop things, and no more."""
    is_read_only = False
    """True once it asked to be: nothing can be changed through it any more."""
    was_silent = False
    """True if it was closed because it said no hello."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        call: Callable[[rpc.Request, "Connection"], Awaitable[Value]],
        *,
        hello_timeout: float,
        patience: float,
        descriptor: int = 0,
        visitor: Visitor,
    ) -> None:
        self.client = ""
        self.visitor = visitor
        self.lab_user = ""
        """The user of a lab for whom it speaks; "" for none."""
        self.lease: TakenBoards | None = None
        """The lease that it has, or acts for."""
        self.is_taking = False
        """True while it waits for boards that it wants to take."""
        self.own_lease: TakenBoards | None = None
        """The lease that it has taken itself; None while it has none."""
        self.descriptor = descriptor
        """The number of its socket among the daemon's open files."""
        self._last_call = clock.monotonic()
        self._owns = False
        self._reader = reader
        self._writer = writer
        self._call = call
        self._hello_timeout = hello_timeout
        self._patience = patience
        self._calls: set[asyncio.Task[bool]] = set()
        self._replies: deque[bytes] = deque()
        self._reply_bytes = 0
        self._room = asyncio.Event()
        self._wake = asyncio.Event()
        self._no_more_calls = False
        self._backlog: Backlog | None = None
        self._unlisten: Callable[[], None] | None = None
        self._closing = contextlib.ExitStack()
        # With no buffer of its own beyond the line being sent, what waits stays where it can still be coalesced.
        writer.transport.set_write_buffer_limits(high=0)

    def on_close(self, callback: Callable[[], object]) -> None:
        """Calls `callback` once when this connection is over, last registered first."""
        self._owns = True
        self._closing.callback(callback)

    def subscribe(self, hub: Hub, *, maps: bool = False) -> Snapshot:
        """Everything at this instant; all later events follow the answer that the caller sends without a pause.

        With `maps` flash maps are part of both.
        """
        self._unsubscribe()
        snapshot = hub.snapshot(maps=maps)
        backlog = self._backlog = Backlog(snapshot.seq)

        def take(event: Event) -> None:
            if backlog.add(event):
                self._wake.set()
            else:
                self._cut_off("more events wait for it than are kept")

        self._unlisten = hub.listen(take, maps=maps)
        return snapshot

    @property
    def idle_seconds(self) -> float:
        """The time for which nothing is done for it, and nothing depends on it; 0 while something does."""
        is_idle = not self._calls and self._backlog is None and not self._owns
        return clock.monotonic() - self._last_call if is_idle else 0.0

    def turn_away(self, error: FlashdeckError) -> None:
        """End the connection once its client was told why."""
        self._refuse(error)
        self._no_more_calls = True
        self._wake.set()

    async def run(self) -> None:
        """Serves the client until it leaves or is cut off; nothing is left behind."""
        sender = asyncio.create_task(self._send())
        receiver = asyncio.create_task(self._receive())
        try:
            await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_COMPLETED)
            await self._cancel(*self._calls)
            # A client that closed only its sending side still gets the answers that are ready.
            self._no_more_calls = True
            self._wake.set()
            await asyncio.wait((sender,))
        finally:
            # First all that needs no waiting: the waiting may be cancelled.
            self._unsubscribe()
            tasks = (sender, receiver, *self._calls)
            for task in tasks:
                task.cancel()
            self._writer.transport.abort()
            self._closing.close()
            await self._cancel(*tasks)
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    async def _receive(self) -> None:
        if not await self._greeted():
            return
        while line := await self._next_line():
            self._begin(line)
            # One client's flood of calls must neither starve the others nor fill the memory with answers.
            await asyncio.sleep(0)
            while self._reply_bytes > rpc.MAX_LINE:
                self._room.clear()
                await self._room.wait()

    async def _greeted(self) -> bool:
        try:
            async with asyncio.timeout(self._hello_timeout):
                line = await self._next_line()
        except TimeoutError:
            self.was_silent = True
            return False
        if not line:
            return False
        try:
            if len(line) > HELLO_LINE:
                raise RequestError(f"the first line has {len(line)} bytes; hello takes at most {HELLO_LINE}")
            request = rpc.decode_request(line)
            if request.method != "hello" or request.is_notification:
                raise rpc.RpcError(
                    f"the first call must be 'hello', not '{clean(request.method, 60)}'",
                    code=rpc.Code.INVALID_REQUEST,
                    request_id=request.answer_to,
                    hint=f'say {{"protocol": {HIGHEST_PROTOCOL}, "client": "your name"}} first',
                )
        except FlashdeckError as error:
            self._refuse(error)
            return False
        self.is_greeted = await self._serve(request)
        return self.is_greeted

    async def _next_line(self) -> bytes:
        """The next whole line; b"" at the end. An overlong one is skipped and refused."""
        skipped = 0
        while True:
            try:
                line = await self._reader.readuntil()
            except asyncio.LimitOverrunError as error:
                skipped += len(await self._reader.readexactly(error.consumed))
            except (asyncio.IncompleteReadError, ConnectionError):
                return b""
            else:
                if not skipped:
                    return line
                self._refuse(
                    rpc.RpcError(
                        f"a line has {skipped + len(line) - 1} bytes; the protocol carries {rpc.MAX_LINE}",
                        code=rpc.Code.INVALID_REQUEST,
                        hint="send larger things in pieces",
                    )
                )
                skipped = 0

    def _begin(self, line: bytes) -> None:
        try:
            request = rpc.decode_request(line)
        except rpc.RpcError as error:
            self._refuse(error)
            return
        if request.is_notification:
            return  # there is none that a client could send us, and it may not be answered
        if len(self._calls) >= rpc.MAX_CALLS:
            self._refuse(
                RequestError(
                    f"{rpc.MAX_CALLS} calls of this connection are in flight already", hint="wait for answers"
                ),
                request.answer_to,
            )
            return
        task = asyncio.create_task(self._serve(request), name=f"{request.method[:60]} for {self.client}")
        self._calls.add(task)
        task.add_done_callback(self._end_call)

    def _end_call(self, task: asyncio.Task[bool]) -> None:
        self._calls.discard(task)
        self._last_call = clock.monotonic()

    async def _serve(self, request: rpc.Request) -> bool:
        """Answers one call; returns whether it succeeded."""
        try:
            # No other code runs between the end of the handler and the queueing of its answer: `subscribe` needs that.
            self._queue(rpc.encode_response(request.answer_to, await self._call(request, self)))
        except FlashdeckError as error:
            self._refuse(error, request.answer_to)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # What the handler waited for was cancelled, not the call: the client must not wait for ever.
            ended = FlashdeckError(f"'{request.method}' was interrupted by the daemon", kind=ErrorKind.INTERRUPTED)
            self._refuse(ended, request.answer_to)
        except Exception as error:  # noqa: BLE001 - a fault of ours must cost this one call, not the daemon
            _log.exception("failed at %r", request.method)
            failed = rpc.RpcError(
                f"flashdeckd failed at '{request.method}': {type(error).__name__}: {error}",
                code=rpc.Code.INTERNAL_ERROR,
                hint="this is a fault in flashdeckd; its log has the details",
            )
            self._refuse(failed, request.answer_to)
        else:
            return True
        return False

    def _refuse(self, error: FlashdeckError, request_id: rpc.RequestId = None) -> None:
        if request_id is None and isinstance(error, rpc.RpcError):
            request_id = error.request_id
        self._queue(rpc.encode_error(request_id, error))

    def _queue(self, line: bytes) -> None:
        self._replies.append(line)
        self._reply_bytes += len(line)
        self._wake.set()

    async def _send(self) -> None:
        with contextlib.suppress(ConnectionError):
            while (line := await self._next_out()) is not None:
                self._writer.write(line)
                if not await drained(self._writer, self._patience):
                    self._cut_off(f"it took nothing for {self._patience:g} seconds")
                    return

    async def _next_out(self) -> bytes | None:
        """The next line to send, answers first; None when all is said."""
        while True:
            if self._replies:
                line = self._replies.popleft()
                self._reply_bytes -= len(line)
                self._room.set()
                return line
            if self._no_more_calls:
                return None
            event = self._backlog.take() if self._backlog is not None else None
            if event is not None:
                return rpc.encode_notification(rpc.EVENT, event)
            self._wake.clear()
            await self._wake.wait()

    def _cut_off(self, why: str) -> None:
        _log.warning("cut off client %r: %s", self.client, why)
        self._unsubscribe()
        self._writer.transport.abort()

    def _unsubscribe(self) -> None:
        if self._unlisten is not None:
            self._unlisten()
        self._unlisten = None
        self._backlog = None

    @staticmethod
    async def _cancel(*tasks: asyncio.Task[Any]) -> None:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                _log.error("a connection failed", exc_info=ended)


async def drained(writer: asyncio.StreamWriter, patience: float) -> bool:
    """Waits until the other side took all that was written; False once it takes not a byte for `patience` seconds."""
    while True:
        before = writer.transport.get_write_buffer_size()
        try:
            async with asyncio.timeout(patience):
                await writer.drain()
                return True
        except TimeoutError:
            if writer.transport.get_write_buffer_size() >= before:
                return False
