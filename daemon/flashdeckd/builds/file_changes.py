"""Tells that files have changed, and have come to rest: those of the configuration, which are read as a whole."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from flashdeckd.builds.gate import BUSY_RETRY, ROUNDING, Fingerprint
from flashdeckd.builds.lease import Unreadable, Writing, ask_writing
from flashdeckd.builds.pattern import newest
from flashdeckd.builds.post import RESCAN
from flashdeckd.builds.source import BuildSource, WatchfilesSource
from flashdeckd.builds.watch import RESTART, BuildClock, MachineClock
from flashdeckd.host import threads

States = Mapping[str, Fingerprint | Unreadable | None]
"""Each file as it is now; None: it is not there."""


def states_of(paths: Sequence[Path]) -> States:
    """Return how files are now. Blocks on the disk."""
    return {str(path): newest(str(path)) for path in paths}


class FileChanges:
    """Watches files, also those that are missing, as image files are watched."""

    def __init__(
        self,
        *,
        source: BuildSource | None = None,
        clock: BuildClock | None = None,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_trouble` is told what keeps the files from being watched, and "" once they are."""
        # A step of half a second: nobody waits for these as for a build, and the daemon is to come to rest.
        self._source = source or WatchfilesSource(quiet_after=0.0)
        self._clock = clock or MachineClock()
        self._on_trouble = on_trouble

    async def settled(self, known: States, settle: float, noticed: Callable[[], None]) -> States:
        """Return how the files of `known` are once they are otherwise, and stay so for `settle` seconds.

        Nobody has any of them open for writing then. `noticed` is called as soon as they are otherwise.
        """
        hint = asyncio.Event()
        listening = asyncio.create_task(self._listen(tuple(known), hint))
        try:
            return await self._rest(known, settle, noticed, hint)
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def _rest(self, known: States, settle: float, noticed: Callable[[], None], hint: asyncio.Event) -> States:
        seen, quiet_since = known, self._clock.now()
        while True:
            hint.clear()
            states, busy = await threads.run(_look, known)
            now = self._clock.now()
            if states != seen or busy:
                seen, quiet_since = states, now
            if states == known and not busy:
                await self._clock.wait(hint, RESTART if self._source.deaf_to else RESCAN)
                continue
            noticed()
            left = quiet_since + settle - now
            if not busy and left <= ROUNDING:
                return states
            await self._clock.wait(asyncio.Event(), BUSY_RETRY if busy else left)

    async def _listen(self, patterns: Sequence[str], hint: asyncio.Event) -> None:
        while True:
            try:
                async with contextlib.aclosing(self._source.hints(patterns)) as hints:
                    async for _ in hints:
                        self._on_trouble(self._source.trouble)
                        hint.set()
                reason = "it stopped"
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - a panic in watchfiles' Rust part is no Exception
                reason = str(error) or type(error).__name__
            self._on_trouble(f"its files cannot be watched ({reason}); they are looked at every {RESTART:g} s instead")
            await self._clock.wait(asyncio.Event(), RESTART)
            hint.set()


def _look(known: States) -> tuple[States, bool]:
    """Return how the files are, and whether somebody writes to one that is otherwise than `known`."""
    states = states_of([Path(path) for path in known])
    changed = [path for path, state in states.items() if state != known[path] and state is not None]
    return states, any(ask_writing(path) is Writing.OPEN for path in changed)
