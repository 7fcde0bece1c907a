"""The composition root of `flashdeckd follow`: the daemon's own way from a file that is being written to a build.

It runs beside a client, for a file of the client's machine. No daemon and no board has to do with it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from flashdeck.api import CHUNK
from flashdeck.followed_file import TAKEN, BuildBegins, BuildPiece, FileNote, FollowLine
from flashdeck.text import MAX_PATH, clean
from flashdeckd.builds.builds import Builds, Settled, Watch
from flashdeckd.builds.lease import Unreadable
from flashdeckd.builds.source import BuildSource
from flashdeckd.host import clock, files, threads

Tell = Callable[[FollowLine], object]


async def follow(
    pattern: str, settle: float, tell: Tell, answers: AsyncIterator[bytes], source: BuildSource | None = None
) -> None:
    """Tell of each new build at `pattern`, a path or a glob, once it is whole; return at the end of `answers`.

    The next one is looked for once the last is answered with `TAKEN`. `settle` in seconds.
    `source` is that of `Builds`.
    """
    taken = asyncio.Event()

    async def settled(build: Settled) -> None:
        taken.clear()
        await threads.run(_tell_build, build, tell)
        await taken.wait()

    builds = Builds(
        [Watch(profile="", partition=clean(pattern, MAX_PATH), pattern=pattern, settle=settle)],
        settled,
        source,
        unreadable=lambda _watch, file: _tell_unreadable(file, tell),
        kept_open=lambda _watch, who: tell(FileNote(text=who, hint="it is taken once it is closed")) if who else None,
        on_trouble=lambda _part, trouble, hint: tell(FileNote(text=trouble, hint=hint)) if trouble else None,
    )
    watching = asyncio.create_task(builds.run())
    try:
        async for answer in answers:
            if answer == TAKEN:
                taken.set()
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def _tell_build(build: Settled, tell: Tell) -> None:
    path = clean(str(build.path), MAX_PATH)
    tell(BuildBegins(path=path, size=len(build.data), first=build.first, age=_age(build.path)))
    for start in range(0, len(build.data), CHUNK):
        tell(BuildPiece(data=build.data[start : start + CHUNK]))


def _age(path: Path) -> float:
    """Return the seconds since a file was changed; 0 where it is gone: the next one has come."""
    try:
        return max(0.0, clock.now() - files.status(path).st_ctime)
    except OSError:
        return 0.0


def _tell_unreadable(file: Unreadable | None, tell: Tell) -> None:
    if file is not None:
        tell(FileNote(text=f"{clean(str(file.path), MAX_PATH)} cannot be read: {file.reason}"))
