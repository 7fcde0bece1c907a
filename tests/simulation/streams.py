"""Unix sockets of the simulated world: what daemon and clients say to each other is in memory, and can stall or be cut.

`Network` is the machine's side: who listens where. A connection has two `End`s, each read by a transport of asyncio's
kind in the loop of its own side. How much arrives at once is the seed's.
"""

import asyncio
import errno
import os
import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flashdeck import rpc
from flashdeck.errors import ConnectionFailedError
from flashdeckd.host import processes
from simulation.baton import Baton, Life

CAPACITY = 64 * 1024
"""Bytes on their way from one side to the other; who writes more has to wait."""
_UCRED = struct.Struct("3i")
PID = 4711
"""The process of every client."""
Wake = Callable[[], object]


class End:
    """One side of a connection."""

    def __init__(self, network: "Network", life: Life | None) -> None:
        self.life = life
        self.arrived = bytearray()
        """Bytes that came and were not read."""
        self.is_stalled = False
        """True: this side is not given what arrives, nor told that there is room for more."""
        self.is_closed = False
        self.is_cut = False
        self.peer: End
        self.changed: Wake = _nothing
        """Called when there may be something to read, or room to write."""
        self._network = network

    @property
    def room(self) -> int:
        """Bytes that may be written now."""
        return max(0, CAPACITY - len(self.peer.arrived))

    @property
    def is_over(self) -> bool:
        """True if nobody is on the other side any more."""
        return self.peer.is_closed or self.is_cut

    def send(self, data: bytes | bytearray) -> int:
        """Write as much as there is room for; return how much that was."""
        sent = min(self.room, len(data))
        if sent:
            self.peer.arrived += data[:sent]
            self.peer.changed()
        return sent

    def take(self) -> bytes:
        """Read a piece of what has arrived."""
        size = self._network.piece(len(self.arrived))
        data = bytes(self.arrived[:size])
        del self.arrived[:size]
        if data:
            self.peer.changed()
        return data

    def stall(self, *, is_stalled: bool) -> None:
        """Stop to read, or go on."""
        self.is_stalled = is_stalled
        self.changed()

    def close(self) -> None:
        """Close this side: the other one reads what was sent, and then the end."""
        if not self.is_closed:
            self.is_closed = True
            self.peer.changed()

    def cut(self) -> None:
        """Cut the connection: what is on its way is lost, and both sides are told."""
        for end in (self, self.peer):
            end.is_cut = True
            end.arrived.clear()
            end.changed()


class SimSocket(socket.socket):
    """As much of a Unix stream socket as the daemon uses."""

    def __init__(self, network: "Network", life: Life | None, end: End | None = None) -> None:
        # The base is not initialized: there is no socket of the system's.
        self._closed = False
        self.end = end
        self.life = life
        self.backlog: deque[SimSocket] = deque()
        self._network = network
        self._number = network.new_descriptor(self)
        self._watch: Wake | None = None
        self._address: object = None

    def bind(self, address: Any, /) -> None:
        """Take a name in the kernel, or make a file at a path."""
        if address in self._network.listening or (not address.startswith("\0") and os.path.lexists(address)):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        if not address.startswith("\0"):
            os.mknod(address, 0o140755)
        self._network.listening[address] = self
        self._address = address

    def listen(self, backlog: int = 0, /) -> None:
        """Let clients in."""
        if not str(self._address).startswith("\0"):
            self._network.listens()

    def accept(self) -> Any:
        """Return who has come first, and no address; raises BlockingIOError where nobody has."""
        if not self.backlog:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return self.backlog.popleft(), ""

    def connect(self, address: Any, /) -> None:
        """Ask who has a name."""
        if address not in self._network.listening:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> Any:
        """Return who is on the other side."""
        return _UCRED.pack(PID, processes.own_uid(), processes.own_uid())

    def settimeout(self, value: float | None, /) -> None:
        """It never blocks."""

    def setblocking(self, flag: bool, /) -> None:
        """It never blocks."""

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Write to the other side."""
        return 0 if self.end is None else self.end.send(data)

    def fileno(self) -> int:
        """Return the number that its descriptor would have."""
        return self._number

    def close(self) -> None:
        """Let go of its name, or close the connection."""
        self._network.forget(self, self._number)
        if self._network.listening.get(str(self._address)) is self:
            del self._network.listening[str(self._address)]
        for waiting in self.backlog:
            waiting.close()
        if self.end is not None:
            self.end.close()

    def watch(self, wake: Wake | None) -> None:
        """Call `wake` whenever somebody waits to be accepted."""
        self._watch = wake
        if wake is not None and self.backlog:
            wake()

    def arrive(self, client: "SimSocket") -> None:
        """Somebody connects."""
        self.backlog.append(client)
        if self._watch is not None:
            self._watch()


class PipeTransport(asyncio.Transport):
    """Reads and writes one end for a protocol of asyncio's, in its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, end: End) -> None:
        super().__init__({"socket": None})
        self._loop = loop
        self._protocol = protocol
        self._end = end
        self._buffer = bytearray()
        self._high = CAPACITY
        self._low = CAPACITY // 4
        self._is_paused = False
        self._is_full = False
        self._is_closing = False
        self._is_lost = False
        self._is_asked = False
        protocol.connection_made(self)
        end.changed = self._ask
        self._ask()

    def write(self, data: Any) -> None:
        """Send soon."""
        if not self._is_closing:
            self._buffer += data
            self._push()

    def close(self) -> None:
        """Close once all is sent."""
        self._is_closing = True
        self._ask()

    def abort(self) -> None:
        """Close at once."""
        self._buffer.clear()
        self.close()

    def is_closing(self) -> bool:
        """Return whether it was closed."""
        return self._is_closing

    def get_write_buffer_size(self) -> int:
        """Return how much waits to be sent."""
        return len(self._buffer)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set from when on a writer has to wait."""
        self._high = CAPACITY if high is None else high
        self._low = self._high // 4 if low is None else low
        self._tell_room()

    def pause_reading(self) -> None:
        """Leave what arrives where it is."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Read again."""
        self._is_paused = False
        self._ask()

    def is_reading(self) -> bool:
        """Return whether it reads."""
        return not self._is_paused and not self._is_closing

    def set_protocol(self, protocol: Any) -> None:
        """Take another protocol."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """Return the protocol."""
        return self._protocol

    def _ask(self) -> None:
        """Look soon, in the loop."""
        if not self._is_asked and not self._is_lost:
            self._is_asked = True
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._is_asked = False
        if self._is_lost:
            return
        end = self._end
        self._push()
        if self._is_closing and (not self._buffer or end.is_over):
            self._lose(None)
        elif end.is_cut:
            self._lose(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
        elif end.is_stalled or self._is_paused or self._is_closing:
            return
        elif end.arrived:
            self._protocol.data_received(end.take())
            self._ask()
        elif end.peer.is_closed:
            if self._protocol.eof_received():
                self._is_paused = True  # the protocol goes on writing
            else:
                self.close()

    def _push(self) -> None:
        if self._buffer:
            if self._end.is_over:
                self._buffer.clear()
                if not self._is_closing:
                    self._end.is_cut = True  # as the kernel says EPIPE
                    self._ask()
            elif not self._end.peer.is_stalled or self._end.room:
                del self._buffer[: self._end.send(self._buffer)]
        self._tell_room()

    def _tell_room(self) -> None:
        if len(self._buffer) > self._high and not self._is_full:
            self._is_full = True
            self._protocol.pause_writing()
        elif len(self._buffer) <= self._low and self._is_full:
            self._is_full = False
            self._protocol.resume_writing()

    def _lose(self, error: Exception | None) -> None:
        self._is_lost = self._is_closing = True
        self._end.close()
        self._protocol.connection_lost(error)


@dataclass(frozen=True, slots=True)
class SimStream:
    """A client's way to the daemon (`flashdeck.stream.Stream`)."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    end: End
    """The client's own side, which can be stalled and cut."""
    where: str = "the simulated socket"
    patience: float = 10.0

    async def why(self, seen: ConnectionFailedError, *, line: bytes, greeted: bool) -> ConnectionFailedError:
        """Return how it looks."""
        del line, greeted
        return seen

    async def closed(self) -> None:
        """Nothing is left to wait for."""


class Network:
    """Who listens where, and which descriptors the daemon has open."""

    def __init__(self, baton: Baton, seed: random.Random) -> None:
        self.listening: dict[str, SimSocket] = {}
        self.listens: Wake = _nothing
        """Called when a daemon begins to listen."""
        self._baton = baton
        self._seed = seed
        self._open: dict[int, SimSocket] = {}

    def stream(self) -> SimSocket:
        """Return a new socket (`flashdeckd.host.sockets.Sockets`)."""
        return SimSocket(self, self._baton.current.life)

    async def connect(self, path: str) -> SimStream:
        """Connect a client to whoever listens at `path`; raises ConnectionFailedError."""
        listener = self.listening.get(path)
        if listener is None:
            raise ConnectionFailedError("no flashdeckd listens there")
        ours, theirs = End(self, None), End(self, listener.life)
        ours.peer, theirs.peer = theirs, ours
        reader = asyncio.StreamReader(limit=rpc.MAX_LINE)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        transport = PipeTransport(loop, protocol, ours)
        listener.arrive(SimSocket(self, listener.life, theirs))
        return SimStream(reader, asyncio.StreamWriter(transport, protocol, reader, loop), ours)

    def end(self, life: Life) -> None:
        """The kernel closes all sockets of a process that has ended."""
        for opened in [each for each in self._open.values() if each.life is life]:
            opened.close()

    def piece(self, size: int) -> int:
        """Return how many of so many bytes arrive at once: mostly all of them."""
        return self._seed.randint(1, size) if size > 1 and self._seed.random() < 0.2 else size

    def new_descriptor(self, opened: SimSocket) -> int:
        """Return the lowest number that is free, as the kernel does."""
        number = 10
        while number in self._open:
            number += 1
        self._open[number] = opened
        return number

    def forget(self, opened: SimSocket, number: int) -> None:
        """A descriptor was closed."""
        if self._open.get(number) is opened:
            del self._open[number]


def _nothing() -> None:
    """Nobody reads this side yet."""
