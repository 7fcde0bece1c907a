"""Hints that a build directory may have changed: the seam between the file system and `builds`.

A source only hints: the files themselves are always looked at afterwards. A hint too many costs one look, a hint too
few the time until the next regular look.
"""

import asyncio
import contextlib
import logging
import stat
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple, Protocol

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from flashdeckd.builds import inotify
from flashdeckd.builds.filesystem import is_remote
from flashdeckd.builds.pattern import names, places
from flashdeckd.builds.watch import RESTART
from flashdeckd.builds.watch_pace import QUIET_AFTER, WatchPace
from flashdeckd.host import clock, files, threads

DEBOUNCE_MS = 60
"""Milliseconds after which what changed is told, though there are still more changes."""
SURVEY_MS = 10_000
"""Milliseconds after which the directories are looked for again, though nothing changed."""
POLL_MS = 300
"""Milliseconds between looks where the kernel cannot know."""
VANISHED_PAUSE = 0.05
"""Seconds until the watch is set up again, where a directory went meanwhile."""
VANISHED_TIMES = 20
"""Times that this is done before the watch counts as failed."""
MAX_DIRECTORIES = 512
"""Directories that are watched at once; a `**` over a large tree would use up the user's inotify watches."""

_log = logging.getLogger("flashdeckd.builds")


class BuildSource(Protocol):
    """Hints that something may have changed."""

    @property
    def trouble(self) -> str:
        """The part of it that does not work, as of the last hint or error; "" for none."""
        ...

    @property
    def mend(self) -> str:
        """The thing to do about that."""
        ...

    @property
    def deaf_to(self) -> AbstractSet[str]:
        """The patterns about which not everything can be heard: they have to be looked after without hints."""
        ...

    def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
        """Yields when the watch is in place, and then whenever something about `patterns` may have changed.

        Does not end by itself. Raises when it cannot watch; the caller then starts it again.
        """
        ...


class HandDrivenSource:
    """Hints when told to, for tests and for a caller that knows by other means."""

    trouble = mend = ""
    deaf_to: AbstractSet[str] = frozenset()

    def __init__(self) -> None:
        self._hints = asyncio.Queue[None]()

    async def hint(self) -> None:
        """Says that something may have changed; returns when that was heard."""
        self._hints.put_nowait(None)
        await self._hints.join()

    async def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
        """See `BuildSource`; `patterns` do not matter here."""
        del patterns
        yield
        while True:
            await self._hints.get()
            yield
            self._hints.task_done()


class WatchfilesSource:
    """Hints from the kernel by way of watchfiles, or from polling where the kernel cannot know (network)."""

    def __init__(
        self,
        *,
        polling: bool | None = None,
        quiet_after: float = QUIET_AFTER,
        now: Callable[[], float] = clock.monotonic,
    ) -> None:
        """`polling` forces one way; None decides by the file systems of the watched directories."""
        self.trouble = ""
        self.mend = ""
        self.deaf_to: AbstractSet[str] = frozenset()
        self._polling = polling
        self._said: tuple[int, bool] | None = None
        self._now = now
        self._pace = WatchPace(now(), quiet_after)

    async def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
        """See `BuildSource`."""
        vanished = 0
        while True:
            watched = await threads.run(survey, patterns)
            # Not one of the common pool's threads: it waits as long as nothing happens.
            thread, stop = threads.OwnThread("builds-watch"), threads.event()
            try:
                notify = await self._set_up(thread, patterns, watched)
                vanished = 0
                matters = await threads.run(hint_filter, patterns, watched)
                # Whatever came between the survey and the watch is found by another survey and by the look that this
                # first hint causes.
                right = await threads.run(survey, patterns) == watched
                surveyed_at = self._now()
                yield
                while right:
                    # watchfiles waits until nothing was added for a step, which says nothing about a file being
                    # complete; that is the gate's affair. The kernel's watch lives on between two calls, with what it
                    # has seen: so each may have another step, and no change is lost.
                    step = self._pace.step_ms(self._now())
                    outcome = await thread.run(notify.watch, DEBOUNCE_MS, step, SURVEY_MS, stop)
                    changed = [] if isinstance(outcome, str) else [path for _, path in outcome if matters(path)]
                    if changed:
                        self._pace.heard(self._now())
                    elif outcome != "timeout" and self._now() < surveyed_at + SURVEY_MS / 1000:
                        continue
                    elif self.trouble:
                        break  # perhaps there is room for all of them by now
                    # A directory that was removed and made again is watched no longer and gives no sign of that, and it
                    # may have got the same inode: so its name among the changes counts as well as the survey.
                    is_made_anew = any(path in watched and watched[path].is_directory for path in changed)
                    right = not is_made_anew and await threads.run(survey, patterns) == watched
                    surveyed_at = self._now()
                    if changed and right:
                        yield
            except (FileNotFoundError, PermissionError):
                # A directory went, or was closed to us, between the survey and the watch.
                vanished += 1
                if vanished > VANISHED_TIMES:
                    raise
                await asyncio.sleep(VANISHED_PAUSE)
            finally:
                stop.set()
                await thread.end()

    async def _set_up(self, thread: threads.OwnThread, patterns: Sequence[str], watched: "Survey") -> RustNotify:
        """Return the watch, and note how much of it the kernel has room for."""
        polling = self._polling if self._polling is not None else await threads.run(_any_remote, watched)
        self._say(len(watched), polling=polling)
        try:
            notify, missing = await thread.run(_watch, watched, polling)
        except WatchfilesRustInternalError:
            self.mend = await threads.run(inotify.mend, inotify.Limit.INSTANCES)
            raise
        self.trouble = self.mend = ""
        self.deaf_to = frozenset()
        if missing:
            # One that went meanwhile is no lack of room; the next survey notices it.
            now = await threads.run(survey, patterns)
            missing = {path for path in missing if now.get(path) == watched[path]}
        if missing:
            self.deaf_to = await threads.run(_deaf_to, patterns, missing)
            self.mend = await threads.run(inotify.mend, inotify.Limit.WATCHES)
            self.trouble = (
                f"the kernel watches only {len(watched) - len(missing)} of {len(watched)} places; builds in the others "
                f"are looked for every {RESTART:g} s"
            )
        return notify

    def _say(self, count: int, *, polling: bool) -> None:
        if self._said != (count, polling):
            self._said = (count, polling)
            _log.info("watching %d directories by %s", count, "polling" if polling else "notification")
            if count == MAX_DIRECTORIES:
                _log.warning("more directories than that are not watched; files in them are looked at now and then")


class WatchedPlace(NamedTuple):
    """A directory or a file that is watched."""

    device: int
    inode: int
    is_directory: bool


Survey = Mapping[str, WatchedPlace]
"""The places to watch, by their paths."""


def survey(patterns: Iterable[str]) -> Survey:
    """Return the places to watch for patterns."""
    found: dict[str, WatchedPlace] = {}
    for pattern in patterns:
        for path in places(pattern):
            if path in found or not _may_be_watched(path):
                continue
            if len(found) == MAX_DIRECTORIES:
                return found
            with contextlib.suppress(OSError):  # gone again
                status = files.status(path)
                found[path] = WatchedPlace(status.st_dev, status.st_ino, stat.S_ISDIR(status.st_mode))
    return found


def _may_be_watched(path: str) -> bool:
    return files.is_readable_directory(path) if files.is_directory(path) else files.is_readable(path)


def _watch(watched: Survey, polling: bool) -> tuple[RustNotify, set[str]]:
    """Return a watch, and the places for which the kernel had no room in it. Blocks."""
    before = inotify.instances()
    # Directories are watched without what is below them: an ancestor may be a home directory or hold a toolchain.
    notify = RustNotify([*watched], False, polling, POLL_MS, False, True)  # noqa: FBT003 - as it is declared
    inodes = None if polling else inotify.watched_since(before, inotify.instances())
    return notify, set() if inodes is None else {path for path, place in watched.items() if place.inode not in inodes}


def _deaf_to(patterns: Iterable[str], missing: AbstractSet[str]) -> frozenset[str]:
    return frozenset(pattern for pattern in patterns if not missing.isdisjoint(places(pattern)))


def _any_remote(watched: Iterable[str]) -> bool:
    return any(is_remote(path) for path in watched)


def hint_filter(patterns: Iterable[str], watched: Survey) -> Callable[[str], bool]:
    """Lets a change through that may matter. It is told by its name alone: quick, and never a false no."""
    all_names = frozenset[str]().union(*map(names, patterns))
    globs = tuple(name for name in all_names if files.is_pattern(name))
    if "**" in globs:
        return lambda _path: True

    def matters(path: str) -> bool:
        name = Path(path).name
        return path in watched or name in all_names or any(fnmatchcase(name, pattern) for pattern in globs)

    return matters
