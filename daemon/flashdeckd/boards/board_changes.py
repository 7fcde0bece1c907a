"""The boards that have changed: each is told once when all has that changes with it."""

import asyncio
from collections.abc import Callable, Mapping

from flashdeck.job_state import Running
from flashdeck.model import Event
from flashdeckd.jobs.lane import Lane


class BoardChanges:
    """The boards of which something has changed since their state was told. Runs in the event loop's thread only."""

    def __init__(self, lanes: Mapping[str, Lane], tell: Callable[[str], object]) -> None:
        self._lanes = lanes
        self._tell = tell
        self._untold: dict[str, None] = {}

    def note(self, name: str) -> None:
        """Something changed of what a board's state is made of."""
        if not self._untold:
            asyncio.get_running_loop().call_soon(self.tell_all)
        self._untold[name] = None

    def note_profile(self, profile: str) -> None:
        """Something changed of what the states of all boards of a profile are made of."""
        for name, lane in self._lanes.items():
            if lane.board.profile.name == profile:
                self.note(name)

    def hear(self, event: Event) -> None:
        """Note what an event changes: a board's state depends on its jobs and on the newest builds, too."""
        if event.job is not None and event.job.board in self._lanes and not isinstance(event.job.status, Running):
            self.note(event.job.board)  # what is running was heard of when it was queued
        if event.artifact is not None:
            self.note_profile(event.artifact.profile)

    def tell_all(self) -> None:
        """Tell now what would be told next."""
        names, self._untold = self._untold, {}
        for name in names:
            if name in self._lanes:
                self._tell(name)
