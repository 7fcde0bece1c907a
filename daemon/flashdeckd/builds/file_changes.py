"""Tells that files have changed, and have come to rest: those of the configuration, which are read as a whole.

Nobody waits for these as for a build: they are looked at now and then, and the kernel does not watch them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from flashdeckd.builds.gate import BUSY_RETRY, ROUNDING, Fingerprint
from flashdeckd.builds.lease import Unreadable, Writing, ask_writing
from flashdeckd.builds.pattern import newest
from flashdeckd.builds.watch import BuildClock, MachineClock
from flashdeckd.host import threads
from flashdeckd.host.quiet_looks import QuietLooks

States = Mapping[str, Fingerprint | Unreadable | None]
"""Each file as it is now; None: it is not there."""


def states_of(paths: Sequence[Path]) -> States:
    """Return how files are now. Blocks on the disk."""
    return {str(path): newest(str(path)) for path in paths}


class FileChanges:
    """Looks at files, also those that are missing, until they have changed."""

    def __init__(self, looks: QuietLooks, *, clock: BuildClock | None = None) -> None:
        self._looks = looks
        self._clock = clock or MachineClock()

    async def settled(self, known: States, settle: float, noticed: Callable[[], None]) -> States:
        """Return how the files of `known` are once they are otherwise, and stay so for `settle` seconds.

        Nobody has any of them open for writing then. `noticed` is called as soon as they are otherwise.
        """
        while True:
            states, busy = await self._looks.next(partial(_look, known))
            if states != known or busy:
                rested = await self._rested(known, states, settle, noticed)
                if rested is not None:
                    return rested

    async def _rested(self, known: States, seen: States, settle: float, noticed: Callable[[], None]) -> States | None:
        """Return how files are once they stay as they are; None where they are as they were known again."""
        quiet_since = self._clock.now()
        pause = settle
        while True:
            noticed()
            await self._clock.wait(asyncio.Event(), pause)
            states, busy = await threads.run(_look, known)
            if states == known and not busy:
                return None
            now = self._clock.now()
            if states != seen or busy:
                seen, quiet_since = states, now
            left = quiet_since + settle - now
            if not busy and left <= ROUNDING:
                return states
            pause = BUSY_RETRY if busy else left


def _look(known: States) -> tuple[States, bool]:
    """Return how the files are, and whether somebody writes to one that is otherwise than `known`."""
    states = states_of([Path(path) for path in known])
    changed = [path for path, state in states.items() if state != known[path] and state is not None]
    return states, any(ask_writing(path) is Writing.OPEN for path in changed)
