"""The words that a firmware says on a serial port, and when. Pure.

A firmware speaks from its first moment on, before the host has enumerated it. What nobody reads stays in the buffer
of its port, the newest of it, until somebody opens that.
"""

import heapq
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PORT_BUFFER = 4096
"""Bytes that a port keeps for whoever opens it."""
MAX_SAYING = 1024
"""Bytes of one saying."""
SHORTEST_PAUSE = 0.001
"""Seconds between a saying and itself, where it is no flood."""
LINE_END = b"\r\n"
"""The end of a line, as firmware prints it."""


@dataclass(frozen=True, slots=True)
class Saying:
    """Something that a firmware says."""

    data: bytes = b""
    after: float = 0.0
    """Seconds after its start."""
    every: float | None = None
    """Seconds until it is said again, `SHORTEST_PAUSE` or more; 0: as fast as the port takes it; None: said once."""
    image: str = ""
    """In place of `data`: the line is the first text of the image that begins so; "" where the bytes are given."""
    where: bytes = b""
    """Said only where the image has these bytes somewhere."""


class Voice:
    """The voice of one firmware, from its start to its end."""

    def __init__(self, sayings: Sequence[Saying], image: bytes = b"", *, started: float, waits: bool = False) -> None:
        """`started` is a time on any clock; with `waits` all times count from when its port is first opened."""
        self._sayings = tuple(sayings)
        self._words = tuple(
            (each.data or _found(image, each.image)) if each.where in image else b"" for each in self._sayings
        )
        self._due: list[tuple[float, int]] = []
        """Seconds after the start, and which saying: a heap."""
        self._flood = b""
        """Bytes that are said as fast as the port takes it."""
        self._started: float | None = None
        if not waits:
            self._start(started)

    @property
    def is_silent(self) -> bool:
        """Return whether nothing can come."""
        return not any(self._words)

    def opened(self, now: float) -> None:
        """Its port has been opened, and the firmware sees DTR."""
        if self._started is None:
            self._start(now)

    def spoken(self, now: float, room: int) -> bytes:
        """Return all that was said since the last call; a flood fills up to `room` bytes of it.

        A saying that came more often than the buffer of a port could keep is left out as often.
        """
        words = bytearray()
        if self._started is None:
            return b""
        elapsed = now - self._started
        while self._due and self._due[0][0] <= elapsed:
            at, which = heapq.heappop(self._due)
            saying, data = self._sayings[which], self._words[which]
            if saying.every == 0:
                self._flood += data
                continue
            words += data
            if saying.every is not None:
                heapq.heappush(self._due, (_next(at, saying.every, elapsed, data), which))
        if self._flood:
            words += self._flood * max(0, (room - len(words)) // len(self._flood))
        return bytes(words)

    def _start(self, now: float) -> None:
        self._started = now
        self._due = [(each.after, which) for which, each in enumerate(self._sayings) if self._words[which]]
        heapq.heapify(self._due)


class PortBuffer:
    """The bytes that a device has for whoever opens its port: the newest of them."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    @property
    def room(self) -> int:
        """Return how many bytes it takes without losing any."""
        return PORT_BUFFER - len(self._bytes)

    def put(self, data: bytes) -> None:
        """Take bytes; the oldest go where there is no room."""
        self._bytes += data
        del self._bytes[:-PORT_BUFFER]

    def peek(self, most: int) -> bytes:
        """Return the oldest bytes, at most so many."""
        return bytes(self._bytes[:most])

    def drop(self, count: int) -> None:
        """The oldest bytes have been read."""
        del self._bytes[:count]


class PortOutput:
    """The words of a board on their way through one port, whichever firmware has said them."""

    def __init__(self) -> None:
        self._buffer = PortBuffer()
        self._voice: Voice | None = None
        self._dtr = False

    @property
    def is_silent(self) -> bool:
        """Return whether nothing can come before somebody starts to speak."""
        return (self._voice is None or self._voice.is_silent) and self._buffer.room == PORT_BUFFER

    def start(self, voice: Voice, now: float) -> None:
        """Another firmware speaks from now on, unless it waits for DTR; what the one before it said stays."""
        self.end(now)
        self._voice = voice
        if self._dtr:
            voice.opened(now)

    def end(self, now: float) -> None:
        """Nobody speaks any more."""
        self._catch_up(now)
        self._voice = None

    def set_dtr(self, now: float, *, is_raised: bool) -> None:
        """The host has set DTR."""
        self._dtr = is_raised
        if is_raised and self._voice is not None:
            self._voice.opened(now)

    def say(self, data: bytes, now: float) -> None:
        """Say something now, whoever else speaks."""
        self._catch_up(now)
        self._buffer.put(data)

    def send(self, now: float, most: int, take: Callable[[bytes], int]) -> None:
        """Give what was said to `take`, the oldest first, at most so many bytes; it returns how many it has taken."""
        self._catch_up(now)
        while most > 0 and (piece := self._buffer.peek(most)):
            taken = take(piece)
            self._buffer.drop(taken)
            most -= taken
            if taken < len(piece):
                return
            self._catch_up(now)

    def _catch_up(self, now: float) -> None:
        if self._voice is not None:
            self._buffer.put(self._voice.spoken(now, self._buffer.room))


def _next(at: float, every: float, elapsed: float, data: bytes) -> float:
    """Return when something is said again that was said at `at`; what nobody could have kept is passed over."""
    missed = int((elapsed - at) / every) - PORT_BUFFER // len(data) - 1
    return at + every * max(1, missed)


def _found(image: bytes, beginning: str) -> bytes:
    """Return the first text of an image that begins so, as a line; nothing where there is none."""
    found = re.search(re.escape(beginning.encode()) + rb"[ -~]*", image) if beginning else None
    return found[0][: MAX_SAYING - len(LINE_END)] + LINE_END if found else b""
