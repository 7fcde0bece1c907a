"""From build directories to settled files: notices, waits until a file is whole, reads it once, and hands it on.

What the bytes are and whether they are new is not known here.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from flashdeckd.builds.lease import Unreadable, install_sigio
from flashdeckd.builds.post import NotWatchedError, Post, reason_of
from flashdeckd.builds.source import BuildSource, WatchfilesSource
from flashdeckd.builds.status_clock import StatusClock
from flashdeckd.builds.watch import RESTART, BuildClock, MachineClock, Settled, Told, Watch
from flashdeckd.host.clock import tick

_WATCH = "watch on builds"
"""The name of the source of hints where it is a trouble."""

_log = logging.getLogger("flashdeckd.builds")


class Builds:
    """Watches image files.

    `settled` is called with each new state of each file, one at a time for each watch; a state is also new when the
    file was only touched or written again with the same bytes. The other callbacks, and what each is for, are those of
    `Told`.
    """

    def __init__(
        self,
        watches: Iterable[Watch],
        settled: Callable[[Settled], Awaitable[None]],
        source: BuildSource | None = None,
        *,
        unreadable: Callable[[Watch, Unreadable | None], object] | None = None,
        settling: Callable[[Watch, bool], object] | None = None,
        kept_open: Callable[[Watch, str], object] | None = None,
        on_trouble: Callable[[str, str, str], object] | None = None,
        clock: BuildClock | None = None,
    ) -> None:
        self._source = source or WatchfilesSource()
        self._clock = clock or MachineClock()
        self._status_clock = StatusClock(tick())
        self._on_trouble = on_trouble or _nobody
        self._troubles: dict[str, tuple[str, str]] = {}
        self._told = Told(
            settled=settled,
            unreadable=unreadable or _nobody,
            settling=settling or _nobody,
            kept_open=kept_open or _nobody,
            trouble=self._note_trouble,
        )
        self._tasks: asyncio.TaskGroup | None = None
        self._listening: asyncio.Task[None] | None = None
        self._posts: dict[tuple[str, str, str], Post] = {watch.place: self._post(watch) for watch in watches}

    @property
    def trouble(self) -> str:
        """The reason why a newer build may not be known, and what happens instead; "" when all is well."""
        watch = self._troubles.get(_WATCH, ("", ""))[0]
        return "; ".join(filter(None, (watch, *(post.trouble for post in self._posts.values()))))

    async def run(self) -> None:
        """Watches until cancelled. Neither a source nor a callback that fails ends it."""
        if not install_sigio():
            _log.warning("not in the main thread: files are read without leases, by the settle time alone")
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for post in self._posts.values():
                    post.begin(self._tasks)
                self._listening = self._tasks.create_task(self._listen())
        finally:
            self._tasks = self._listening = None

    def rewatch(self, watches: Sequence[Watch]) -> None:
        """Look after these from now on.

        What is known of a file stays, also where only its settle time is another. A watch that is not among them ends;
        what lies at the path of a new one is `Settled.first`. In the event loop only.
        """
        before = self._posts
        self._posts = {}
        for watch in watches:
            post = before.pop(watch.place, None)
            if post is None:
                post = self._post(watch)
                if self._tasks is not None:
                    post.begin(self._tasks)
            else:
                post.keep_to(watch)
            self._posts[watch.place] = post
        for post in before.values():
            post.end()
        if self._tasks is not None and self._listening is not None:
            # The new watch begins while the old one still is, and everything is looked at once it is in place.
            ended, self._listening = self._listening, self._tasks.create_task(self._listen())
            ended.cancel()

    async def looked(self) -> None:
        """Returns when everything was looked at once: what is written from then on is no longer `Settled.first`."""
        for post in tuple(self._posts.values()):
            await post.looked.wait()

    async def answers(self) -> None:
        """Return once a look at any of the watches has come to its end: a directory that hangs costs only itself."""
        resting = [asyncio.ensure_future(post.rests()) for post in self._posts.values()]
        if not resting:
            return
        try:
            await asyncio.wait(resting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in resting:
                each.cancel()

    async def look(self, profile: str, partition: str) -> bool:
        """Looks for the image file of a partition at once, without a hint.

        Returns True when the file that is there has settled and has been handed on (now or earlier), and False when
        there is none, or none that can be read. Waits as long as the file is being written, and until `run` runs.
        Raises FlashdeckError (kind `interrupted`) when `run` ends meanwhile.
        """
        while True:
            posts = [
                post
                for post in self._posts.values()
                if (post.watch.profile, post.watch.partition) == (profile, partition)
            ]
            try:
                return any([await post.look() for post in posts])
            except NotWatchedError:  # it is looked for elsewhere from now on
                continue

    async def _listen(self) -> None:
        patterns = tuple(post.watch.pattern for post in self._posts.values())
        while True:
            try:
                async with contextlib.aclosing(self._source.hints(patterns)) as hints:
                    async for _ in hints:
                        self._note_trouble(_WATCH, self._source.trouble, self._source.mend)
                        self._wake()
                reason, hint = "it stopped", ""
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - a panic in watchfiles' Rust part is no Exception
                reason, hint = reason_of(error), self._source.mend
            self._note_trouble(_WATCH, f"it failed ({reason}); files are looked at every {RESTART:g} s instead", hint)
            await self._clock.wait(asyncio.Event(), RESTART)
            self._wake()

    def _post(self, watch: Watch) -> Post:
        return Post(watch, self._told, self._clock, self._status_clock, lambda pattern: pattern in self._source.deaf_to)

    def _wake(self) -> None:
        for post in self._posts.values():
            post.hint()

    def _note_trouble(self, part: str, trouble: str, hint: str) -> None:
        before = self._troubles.pop(part, ("", ""))
        if trouble:
            self._troubles[part] = (trouble, hint)
        if before != (trouble, hint) and (trouble or before[0]):
            self._on_trouble(part, trouble, hint)


def _nobody(*_: object) -> None:
    """Nobody wants to know."""
