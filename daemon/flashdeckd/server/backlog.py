"""Events that one slow client has not been sent yet: bounded, and never in the way of anybody else."""

from collections import OrderedDict, deque

import msgspec

from flashdeck.model import Event, LogLevel, LogLine

LINES_KEPT = 1000
"""Log lines that wait for one client; beyond that the oldest are dropped, and counted."""
THINGS_KEPT = 4096
"""Boards, jobs and other things whose newest state waits for one client; beyond that it is cut off."""


class Backlog:
    """The events that one subscriber has not got yet, numbered as they are handed out.

    What is handed out is in the order in which it happened, with two kinds of omissions: of several states of one
    thing only the newest is kept, at its own place; and of too many log lines the oldest are dropped, for which a line
    stands in that says how many. Numbers are given when an event leaves, so an omission is no gap: the numbers count
    what this client gets, from its snapshot's `seq` on. Only where the hub has left a number out, because something is
    not there any more, this leaves one out, too: the client then takes everything anew.
    """

    def __init__(self, seq: int) -> None:
        self._seq = seq
        self._heard = seq
        """The number that the last event had at the hub."""
        self._waiting: OrderedDict[tuple[object, ...], Event] = OrderedDict()
        self._lines: deque[tuple[object, ...]] = deque()
        self._dropped = 0
        self._last_dropped: LogLine | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> bool:
        """Takes one more event; False when more things wait than are kept, so the client has to be cut off."""
        if event.map is None:  # maps have no number at the hub
            if event.seq != self._heard + 1:
                self._seq += 1
            self._heard = event.seq
        key = _key(event)
        if event.log is not None:
            if len(self._lines) == LINES_KEPT:
                self._last_dropped = self._waiting.pop(self._lines.popleft()).log
                self._dropped += 1
            self._lines.append(key)
        self._waiting[key] = event
        self._waiting.move_to_end(key)
        return len(self._waiting) - len(self._lines) <= THINGS_KEPT

    def take(self) -> Event | None:
        """The next event to send, or None."""
        if not self._waiting:
            return None
        key, event = next(iter(self._waiting.items()))
        if event.log is not None and self._last_dropped is not None:
            event = Event(seq=0, log=self._gap_notice(self._last_dropped))
        else:
            del self._waiting[key]
            if event.log is not None:
                self._lines.popleft()
        self._seq += 1
        return msgspec.structs.replace(event, seq=self._seq)

    def _gap_notice(self, last: LogLine) -> LogLine:
        text = f"{self._dropped} log lines dropped: this client reads too slowly"
        self._dropped = 0
        self._last_dropped = None
        return LogLine(id=last.id, time=last.time, level=LogLevel.WARNING, text=text)


def _key(event: Event) -> tuple[object, ...]:
    """Return the thing that the event is about; a later event about the same thing replaces it."""
    names = (
        ("log", event.log and event.log.id),
        ("job", event.job and event.job.id),
        ("board", event.board and event.board.name),
        ("map", event.map and event.map.board),
        ("artifact", event.artifact and (event.artifact.profile, event.artifact.partition)),
        ("slot", event.slot and event.slot.name),
        ("lot", event.lot and event.lot.name),
    )
    only_one = ("devices",) if event.devices is not None else ("daemon",)
    return next((key for key in names if key[1] is not None), only_one)
