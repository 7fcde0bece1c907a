"""Troubles of the daemon in words. Pure."""

from typing import Final

from flashdeck.model import DaemonState, Trouble
from flashdeck.text import format_age

_MINUTE: Final = 60


def trouble_lines(daemon: DaemonState, now: float) -> list[str]:
    """Return each part of the daemon that does not work: what was seen, what to do, and for how long it lasts.

    Changes once a minute at the most, so that a quiet screen stays quiet. A release that does not say since when says
    all the rest.
    """
    return [_told(trouble, now) for trouble in daemon.troubles] or list(daemon.degraded)


def _told(trouble: Trouble, now: float) -> str:
    lasts = now - trouble.since
    return f"{trouble.line} (for {format_age(lasts)})" if lasts >= _MINUTE else trouble.line
