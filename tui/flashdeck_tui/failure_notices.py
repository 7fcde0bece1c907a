"""The terminal is told of jobs that fail while nobody looks: once for each, and not too often. Pure, but for TMUX."""

import os
from typing import Final

from flashdeck.config_screen import Notify
from flashdeck.job_state import Failed
from flashdeck.model import JobState
from flashdeck.text import clean, counted
from flashdeck_tui.fleet import Fleet

NOTICE_PAUSE: Final = 5.0
"""Seconds between two notices: what fails in between is told in one."""
LONGEST_NOTICE: Final = 120
"""Characters of a notice."""
BELL: Final = "\x07"

_Key = tuple[str, int, float]
"""A failed job: its host, its number, and when it ended."""


class FailureNotices:
    """Finds what failed since it looked last. What had failed when a daemon was first seen is old."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[_Key]] = {}
        self._untold: dict[_Key, JobState] = {}
        self._told_at = -NOTICE_PAUSE

    def look(self, fleet: Fleet, now: float) -> str:
        """Return what there is to tell now, in a line; "" for nothing. `now` is in seconds."""
        for host in fleet:
            if host.store.daemon is None:
                continue
            failed = {
                (host.name, job.id, job.finished_at or 0.0): fleet.shown_job(host, job)
                for job in host.store.jobs.values()
                if isinstance(job.status, Failed)
            }
            known = self._known.get(host.name)
            if known is not None:
                self._untold |= {key: job for key, job in failed.items() if key not in known}
            self._known[host.name] = frozenset(failed)
        if not self._untold or 0 <= now - self._told_at < NOTICE_PAUSE:
            return ""
        self._told_at = now
        told, self._untold = _told(list(self._untold.values())), {}
        return told


def _told(jobs: list[JobState]) -> str:
    if len(jobs) == 1:
        (job,) = jobs
        return clean(f"{job.board} {job.partition}: {job.text}", LONGEST_NOTICE)
    boards = ", ".join(dict.fromkeys(job.board for job in jobs))
    return clean(f"{counted(len(jobs), 'job')} FAILED: {boards}", LONGEST_NOTICE)


def sequence(text: str, notify: Notify) -> str:
    """Return what a terminal is sent for it, in the way that the settings name."""
    match notify:
        case Notify.BELL:
            return BELL
        case Notify.OSC9:
            notice = f"\x1b]9;flashdeck: {clean(text, LONGEST_NOTICE)}\x07"
            # tmux keeps to itself what it does not know, but for what is wrapped.
            return "\x1bPtmux;{}\x1b\\".format(notice.replace("\x1b", "\x1b\x1b")) if os.environ.get("TMUX") else notice
        case Notify.OFF:
            return ""
