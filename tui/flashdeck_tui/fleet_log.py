"""The newest log lines of all hosts as one log, by time: what the panel of the main screen shows. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Final

from flashdeck.model import LogLine
from flashdeck_tui.fleet import Fleet

PANEL_LINES = 500
"""Lines kept for the panel; the full log has all that there are."""
ORDER_SLACK = 1.0
"""Seconds that a line may be older than the last one of another host, and still stands behind it: hosts' clocks differ,
and putting one line before others costs as much as showing all of them anew."""
_TIME: Final = attrgetter("line.time")


@dataclass(frozen=True, slots=True)
class HostLine:
    """A line and the name of its host; "" where there is only one."""

    host: str
    line: LogLine


class FleetLog:
    """Takes what is new of each host, once for all who read."""

    def __init__(self) -> None:
        self._lines: deque[HostLine] = deque(maxlen=PANEL_LINES)
        self._taken: dict[str, int] = {}
        self.count = 0
        """Lines ever taken."""
        self.epoch = 0
        """Changes when the lines have another order than before."""

    def take(self, fleet: Fleet) -> None:
        """Take the lines that the hosts got since the last time."""
        several = len(fleet.hosts) > 1
        came: list[HostLine] = []
        for host in fleet:
            new = host.store.log_since(self._taken.get(host.name, 0))
            self._taken[host.name] = host.store.log_count
            self.count += len(new)
            came += [HostLine(host.name if several else "", line) for line in new[-PANEL_LINES:]]
        if not came:
            return
        if several:
            came.sort(key=_TIME)
        if several and self._lines and came[0].line.time < self._lines[-1].line.time - ORDER_SLACK:
            self.epoch += 1
            ordered = merge(*([HostLine(host.name, line) for line in host.store.log] for host in fleet), key=_TIME)
            self._lines = deque(ordered, maxlen=PANEL_LINES)
        else:
            self._lines.extend(came)

    def since(self, count: int) -> Sequence[HostLine]:
        """Return the lines after the first `count` ever taken, as far as they are still kept."""
        new = min(self.count - count, len(self._lines))
        return list(islice(self._lines, len(self._lines) - new, None)) if new > 0 else []
