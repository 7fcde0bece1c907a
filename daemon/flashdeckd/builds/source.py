"""Hints that a build directory may have changed: the seam between the file system and `builds`.

A source only hints: the files themselves are always looked at afterwards. A hint too many costs one look, a hint too
few the time until the next regular look.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

import watchfiles

from flashdeckd.builds.filesystem import is_remote
from flashdeckd.builds.pattern import directories, names
from flashdeckd.host import files, threads

STEP_MS = 20
"""Milliseconds without another change until what changed is told ..."""
DEBOUNCE_MS = 60
"""... and with others at the most."""
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

    def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
        """Yields when the watch is in place, and then whenever something about `patterns` may have changed.

        Does not end by itself. Raises when it cannot watch; the caller then starts it again.
        """
        ...


class HandDrivenSource:
    """Hints when told to, for tests and for a caller that knows by other means."""

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

    def __init__(self, *, polling: bool | None = None) -> None:
        """`polling` forces one way; None decides by the file systems of the watched directories."""
        self._polling = polling

    async def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
        """See `BuildSource`."""
        told: tuple[int, bool] | None = None
        vanished = 0
        while True:
            watched = await threads.run(survey, patterns)
            polling = self._polling if self._polling is not None else await threads.run(_any_remote, watched)
            if told != (len(watched), polling):
                told = (len(watched), polling)
                _log.info("watching %d directories by %s", len(watched), "polling" if polling else "notification")
                if len(watched) == MAX_DIRECTORIES:
                    _log.warning("more directories than that are not watched; files in them are looked at now and then")
            # Directories are watched without what is below them: an ancestor may be a home directory or hold a
            # toolchain. watchfiles waits until no new path turned up for a step, which says nothing about a file
            # being complete; that is the gate's affair, so short times do.
            stream = watchfiles.awatch(  # pyright: ignore[reportUnknownMemberType] - trio's types are not here
                *watched,
                recursive=False,
                watch_filter=await threads.run(hint_filter, patterns, watched),
                force_polling=polling or None,
                poll_delay_ms=POLL_MS,
                step=STEP_MS,
                debounce=DEBOUNCE_MS,
                rust_timeout=SURVEY_MS,
                yield_on_timeout=True,
                ignore_permission_denied=True,
            )
            coming = asyncio.ensure_future(_next(stream))
            try:
                # The task sets up the watch before it first waits. Whatever came between the survey and the watch is
                # found by another survey and by the look that this first hint causes.
                await asyncio.sleep(0)
                if not coming.done():  # else it failed, and says so below
                    vanished = 0
                    right = await self._still_right((), patterns, watched)
                    yield
                    if not right:
                        continue
                while await self._still_right(await coming, patterns, watched):
                    coming = asyncio.ensure_future(_next(stream))
                    yield
            except FileNotFoundError:
                # A directory went between the survey and the watch.
                vanished += 1
                if vanished > VANISHED_TIMES:
                    raise
                await asyncio.sleep(VANISHED_PAUSE)
            finally:
                coming.cancel()
                await asyncio.wait([coming])
                await stream.aclose()

    @staticmethod
    async def _still_right(changes: Iterable[tuple[object, str]], patterns: Sequence[str], watched: "Survey") -> bool:
        """Return whether the watch still covers what it should after these changes.

        A directory that was removed and made again is watched no longer and gives no sign of that, and it may have got
        the same inode: so its name among the changes counts as well as the survey.
        """
        if any(path in watched for _change, path in changes):
            return False
        return await threads.run(survey, patterns) == watched


Survey = Mapping[str, tuple[int, int]]
"""Each directory to watch, with its device and inode."""


async def _next(stream: AsyncGenerator[set[watchfiles.main.FileChange], None]) -> set[watchfiles.main.FileChange]:
    return await anext(stream)


def survey(patterns: Iterable[str]) -> Survey:
    """Return the directories to watch for patterns."""
    found: dict[str, tuple[int, int]] = {}
    for pattern in patterns:
        for path in directories(pattern):
            if path in found or not files.is_readable_directory(path):
                continue
            if len(found) == MAX_DIRECTORIES:
                return found
            with contextlib.suppress(OSError):  # gone again
                status = files.status(path)
                found[path] = (status.st_dev, status.st_ino)
    return found


def _any_remote(watched: Iterable[str]) -> bool:
    return any(is_remote(path) for path in watched)


def hint_filter(patterns: Iterable[str], watched: Survey) -> Callable[[object, str], bool]:
    """Lets a change through that may matter. It is told by its name alone: quick, and never a false no."""
    all_names = frozenset[str]().union(*map(names, patterns))
    globs = tuple(name for name in all_names if files.is_pattern(name))
    if "**" in globs:
        return lambda _change, _path: True

    def matters(_change: object, path: str) -> bool:
        name = Path(path).name
        return path in watched or name in all_names or any(fnmatchcase(name, pattern) for pattern in globs)

    return matters
