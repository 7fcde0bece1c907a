"""The place before the web server: it hears the first request of each connection, and most it never answers.

A connection carries one request: a browser would send those of other pages on the same one. To whoever may not come in
not a byte is said: to them nobody is here.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from flashdeck_tui.browser.door import END_OF_HEAD, LONGEST_HEAD, Admitted, Door
from flashdeck_tui.browser.peer import is_ours

HEAD_SECONDS: Final = 10.0
"""Seconds in which a request must have come."""
MOST_WAITING: Final = 32
"""Connections at a time whose request has not come: at one more the oldest is closed, so that others are heard."""
_NOT_OURS: Final = "it is of another user of this machine, or of no process of it: only your own browser may"


class Entrances:
    """Makes an entrance for each connection, and has those that still wait."""

    def __init__(
        self,
        door: Door,
        inside: Callable[[], asyncio.Protocol],
        tell: Callable[[str], object],
        *,
        patience: float = HEAD_SECONDS,
        is_ours: Callable[[asyncio.BaseTransport], bool] = is_ours,
    ) -> None:
        """`inside` makes what serves those who come in. `tell` is told, once each, why somebody with the token is not.

        `patience` and `is_ours` are for tests.
        """
        self.door = door
        self.inside = inside
        self.patience = patience
        self.is_ours = is_ours
        self.waiting: dict[Entrance, None] = {}
        """In the order in which they came."""
        self._tell = tell
        self._told: set[str] = set()

    def __call__(self) -> "Entrance":
        """Return an entrance for one more connection."""
        return Entrance(self)

    def tell(self, reason: str) -> None:
        """Tell why somebody was turned away who had the token; others may be anybody, and as often as they like."""
        if reason and reason not in self._told and len(self._told) < MOST_WAITING:
            self._told.add(reason)
            self._tell(f"a browser was turned away: {reason}")


class Entrance(asyncio.Protocol):
    """One connection, up to the end of its first request."""

    def __init__(self, all_of_them: Entrances) -> None:
        self._all = all_of_them
        self._heard = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Waits for the request."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a stream's protocol gets
        self._transport = transport
        waiting = self._all.waiting
        if len(waiting) >= MOST_WAITING:
            next(iter(waiting)).close()
        waiting[self] = None
        self._timer = asyncio.get_running_loop().call_later(self._all.patience, self.close)

    def data_received(self, data: bytes) -> None:
        """Looks at the request once it is whole."""
        self._heard += data
        end = self._heard.find(END_OF_HEAD)
        size = end + len(END_OF_HEAD) if end >= 0 else len(self._heard)
        if size > LONGEST_HEAD:
            self.close()
        elif end >= 0:
            self._decide(bytes(self._heard[:size]), bytes(self._heard[size:]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        del exc
        self._leave()

    def close(self) -> None:
        """Ends the connection without a word."""
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def _decide(self, head: bytes, rest: bytes) -> None:
        transport = self._transport
        verdict = self._all.door.admits(head)
        if transport is None or not isinstance(verdict, Admitted):
            self._all.tell("" if isinstance(verdict, Admitted) else verdict.reason)
            self.close()
        elif not self._all.is_ours(transport):
            self._all.tell(_NOT_OURS)
            self.close()
        else:
            self._leave()
            inside = self._all.inside()
            transport.set_protocol(inside)
            inside.connection_made(transport)
            inside.data_received(verdict.head + rest)

    def _leave(self) -> None:
        self._all.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
