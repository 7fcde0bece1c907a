"""Health of the daemon: each part that does not work as it should, since when, and what to do about it."""

from collections.abc import Collection

from msgspec.structs import replace

from flashdeck.model import LogLevel, Trouble
from flashdeck.text import clean, counted
from flashdeckd.host import clock
from flashdeckd.state.hub import LONGEST_LINE, Hub

MAX_TROUBLES = 32
"""Troubles in the daemon's state: what is more is counted in one line, for a state has to fit into a line of the
protocol."""
LONGEST_PART = 100
"""Characters kept of the name of a part."""


class Health:
    """Troubles by part. Each is said once in the log, and stays in the daemon's state as long as it lasts.

    Runs in the event loop's thread only.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._troubles: dict[str, Trouble] = {}

    def report(self, part: str, trouble: str, *, hint: str = "", boards: Collection[str] = ()) -> None:
        """Set what keeps a part from working, and what to do; "" when nothing does.

        A part is named as a person knows it: "builds", "device 1-4.2". `boards` are those that it costs. What is wrong
        may change its words and is still the same trouble: it keeps the time since which it lasts.
        """
        if not trouble:
            if self._troubles.pop(part, None) is not None:
                self._hub.log(f"{part}: works again")
                self._publish()
            return
        before = self._troubles.get(part)
        now = Trouble(
            part=clean(part, LONGEST_PART),
            text=clean(trouble, LONGEST_LINE),
            hint=clean(hint, LONGEST_LINE),
            since=before.since if before is not None else clock.now(),
            boards=tuple(sorted(boards)),
        )
        if now == before:
            return
        self._troubles[part] = now
        self._hub.log(now.line, level=LogLevel.WARNING)
        self._publish()

    def _publish(self) -> None:
        told = tuple(self._troubles.values())
        if len(told) > MAX_TROUBLES:
            rest = told[MAX_TROUBLES - 1 :]
            more = Trouble(
                part="more",
                text=f"{counted(len(rest), 'trouble')} more: see the log",
                since=min(trouble.since for trouble in rest),
            )
            told = (*told[: MAX_TROUBLES - 1], more)
        degraded = tuple(trouble.line for trouble in told)
        self._hub.publish_daemon(replace(self._hub.daemon, troubles=told, degraded=degraded))
