"""From build directories to settled files: notices, waits until a file is whole, reads it once, and hands it on.

What the bytes are and whether they are new is not known here.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeckd.builds.gate import Fingerprint, Gate
from flashdeckd.builds.lease import Busy, FileSnapshot, Unreadable, being_written, install_sigio, read_settled
from flashdeckd.builds.pattern import newest
from flashdeckd.builds.source import BuildSource, WatchfilesSource
from flashdeckd.host import clock, threads

RESCAN = 10.0
"""Seconds after which everything is looked at again without a hint."""
RESTART = 2.0
"""Seconds after which a source that failed is started again, and everything is looked at."""

_log = logging.getLogger("flashdeckd.builds")


@dataclass(frozen=True, slots=True)
class Watch:
    """One image file to look after."""

    profile: str
    partition: str
    pattern: str
    """Absolute path or glob."""
    settle: float
    """Seconds that it must be unchanged once no writer has it open."""

    @property
    def place(self) -> tuple[str, str, str]:
        """The part that makes it this watch, however long its file has to settle."""
        return (self.profile, self.partition, self.pattern)


@dataclass(frozen=True, slots=True)
class Settled:
    """A file that is whole."""

    watch: Watch
    path: Path
    data: bytes
    first: bool
    """True: it was already there, in this very state, when it was first looked for."""


class BuildClock(Protocol):
    """Time, so that tests can turn it by hand."""

    def now(self) -> float:
        """Seconds from any origin, never backwards."""
        ...

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        """Returns when `wake` is set, or after `seconds`."""
        ...


class MonotonicClock:
    """The real one."""

    def now(self) -> float:
        """See `BuildClock`."""
        return clock.monotonic()

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        """See `BuildClock`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()


class Builds:
    """Watches image files.

    `settled` is called with each new state of each file, one at a time for each watch; a state is also new when the
    file was only touched or written again with the same bytes. Where it raises, the file is handed on again later.
    `unreadable` is called once for each reason why a file that is there cannot be read, and with None once that is
    over, `settling` when a new state
    begins to be waited for and when that is over, and `on_trouble` with each new value of `trouble`.
    """

    def __init__(
        self,
        watches: Iterable[Watch],
        settled: Callable[[Settled], Awaitable[None]],
        source: BuildSource | None = None,
        *,
        unreadable: Callable[[Watch, Unreadable | None], None] | None = None,
        settling: Callable[[Watch, bool], None] | None = None,
        on_trouble: Callable[[str], None] | None = None,
        clock: BuildClock | None = None,
    ) -> None:
        self._source = source or WatchfilesSource()
        self._settled = settled
        self._unreadable = unreadable
        self._settling = settling
        self._clock = clock or MonotonicClock()
        self._on_trouble = on_trouble
        self._troubles: dict[object, str] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._listening: asyncio.Task[None] | None = None
        self._posts: dict[tuple[str, str, str], _Post] = {watch.place: self._post(watch) for watch in watches}

    @property
    def trouble(self) -> str:
        """The part that does not work, and what happens instead; "" when all is well."""
        return "; ".join(self._troubles.values())

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
            except _NotWatchedError:  # it is looked for elsewhere from now on
                continue

    async def _listen(self) -> None:
        patterns = tuple(post.watch.pattern for post in self._posts.values())
        while True:
            try:
                async with contextlib.aclosing(self._source.hints(patterns)) as hints:
                    async for _ in hints:
                        self._note_trouble(self, "")
                        self._wake()
                reason = "it stopped"
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - a panic in watchfiles' Rust part is no Exception
                reason = _reason(error)
            self._note_trouble(
                self,
                f"the watch on build directories failed ({reason}); they are looked at every {RESTART:g} s instead",
            )
            await self._clock.wait(asyncio.Event(), RESTART)
            self._wake()

    def _post(self, watch: Watch) -> "_Post":
        return _Post(
            watch, self._settled, self._unreadable, self._settling, trouble=self._note_trouble, clock=self._clock
        )

    def _wake(self) -> None:
        for post in self._posts.values():
            post.wake.set()

    def _note_trouble(self, who: object, trouble: str) -> None:
        before = self.trouble
        if trouble:
            self._troubles[who] = trouble
        else:
            self._troubles.pop(who, None)
        if self._on_trouble is not None and self.trouble != before:
            self._on_trouble(self.trouble)


class _NotWatchedError(Exception):
    """Somebody waits for a look at a place that is not watched any more."""


class _Post:
    """Looks after one watch."""

    def __init__(
        self,
        watch: Watch,
        settled: Callable[[Settled], Awaitable[None]],
        unreadable: Callable[[Watch, Unreadable | None], None] | None,
        settling: Callable[[Watch, bool], None] | None,
        *,
        trouble: Callable[[object, str], None],
        clock: BuildClock,
    ) -> None:
        self.watch = watch
        self.wake = asyncio.Event()
        self._settled = settled
        self._unreadable = unreadable
        self._tell_settling = settling
        self._settling = False
        self._trouble = trouble
        self._clock = clock
        self._gate = Gate(watch.settle)
        self.looked = asyncio.Event()
        self._at_start: Fingerprint | None = None
        self._complaint: Unreadable | None = None
        self._asking: list[asyncio.Future[bool]] = []
        self._task: asyncio.Task[None] | None = None
        self._handing_on = False
        self._removed = False
        self._ended = False

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Start to look."""
        self._task = tasks.create_task(self.tend())

    def keep_to(self, watch: Watch) -> None:
        """Go on with another settle time."""
        if watch != self.watch:
            self.watch = watch
            self._gate.settle = watch.settle
            self.wake.set()

    def end(self) -> None:
        """Stop looking for good, once what is being handed on has been: half a step would be a build half known."""
        self._removed = True
        if self._task is None:
            self._leave()
        elif self._handing_on:
            self.wake.set()
        else:
            self._task.cancel()

    async def look(self) -> bool:
        """See `Builds.look`; raises `_NotWatchedError` where this place is not watched any more."""
        if self._removed or self._ended:
            raise self._why_ended()
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asking.append(answer)
        self.wake.set()
        return await answer

    async def tend(self) -> None:
        """Looks, waits and looks again, until cancelled or ended."""
        failed = ""
        try:
            while not self._removed:
                self.wake.clear()
                try:
                    pause = await self._once()
                except Exception as error:  # noqa: BLE001 - what a callback raises must not end the watch
                    reason = _reason(error)
                    if reason != failed:  # a disk may be full for days
                        known = isinstance(error, FlashdeckError | OSError)  # a fault of ours is worth a traceback
                        _log.error("%s could not be checked: %s", self.watch.pattern, reason, exc_info=not known)
                    self._trouble(self, f"{self.watch.pattern} could not be taken in ({reason}); tried again soon")
                    failed, pause = reason, RESTART
                else:
                    failed = ""
                    self._trouble(self, "")
                await self._clock.wait(self.wake, pause)
        finally:
            self._ended = True
            self._leave()

    def _leave(self) -> None:
        """Leave nothing behind that only a later look would take back."""
        self.looked.set()
        for answer in self._asking:
            if not answer.done():
                answer.set_exception(self._why_ended())
        if self._removed:
            self._note_settling(settling=False)
            self._complain(None)
            self._trouble(self, "")

    def _why_ended(self) -> Exception:
        return _NotWatchedError() if self._removed else _ended(self.watch)

    async def _once(self) -> float:
        """One look. Returns the seconds until the next."""
        asking = tuple(self._asking)  # who asks from here on wants a look that begins later
        found, busy = await threads.run(_observe, self.watch.pattern, self._gate.passed)
        fingerprint = found if isinstance(found, Fingerprint) else None
        if not self.looked.is_set():
            self.looked.set()
            self._at_start = fingerprint
        pause = self._gate.see(self._clock.now(), fingerprint, busy=busy)
        if pause == 0 and fingerprint is not None:
            pause = await self._read(fingerprint)
        self._note_settling(settling=pause is not None)
        if pause is not None:
            return pause
        if fingerprint is None:
            self._complain(found if isinstance(found, Unreadable) else None)
        self._answer(asking, there=fingerprint is not None and fingerprint == self._gate.passed)
        return RESCAN

    async def _read(self, fingerprint: Fingerprint) -> float | None:
        outcome = await threads.run(read_settled, fingerprint.path)
        if isinstance(outcome, Busy):
            return self._gate.see(self._clock.now(), fingerprint, busy=True)
        if isinstance(outcome, Unreadable):
            self._complain(outcome)  # it stays to be read: the reason may go without a trace on the file
            return None
        if outcome is None or outcome.fingerprint != fingerprint:
            return 0.0  # gone, or the next one: look again
        await self._hand_on(outcome)
        self._gate.passed = fingerprint
        return None

    async def _hand_on(self, snapshot: FileSnapshot) -> None:
        self._complain(None)
        first = snapshot.fingerprint == self._at_start
        self._handing_on = True
        try:
            await self._settled(Settled(self.watch, Path(snapshot.fingerprint.path), snapshot.data, first))
        finally:
            self._handing_on = False

    def _note_settling(self, *, settling: bool) -> None:
        if settling != self._settling:
            self._settling = settling
            if self._tell_settling is not None:
                self._tell_settling(self.watch, settling)

    def _complain(self, complaint: Unreadable | None) -> None:
        if complaint != self._complaint and self._unreadable is not None:
            self._unreadable(self.watch, complaint)
        self._complaint = complaint

    def _answer(self, asking: Iterable[asyncio.Future[bool]], *, there: bool) -> None:
        for answer in asking:
            self._asking.remove(answer)
            if not answer.done():
                answer.set_result(there)


def _observe(pattern: str, passed: Fingerprint | None) -> tuple[Fingerprint | Unreadable | None, bool]:
    """Return the state of the file, and whether it is being written; a state that has passed is not asked.

    Where the newest match of a glob was removed, the older one behind it is no new build: nothing has changed.
    """
    found = newest(pattern)
    if not isinstance(found, Fingerprint):
        return found, False
    if passed is not None and found.path != passed.path and found.modified_ns < passed.modified_ns:
        return passed, False
    return found, found != passed and being_written(found.path)


def _ended(watch: Watch) -> FlashdeckError:
    return FlashdeckError(
        f"the image of {watch.partition} is not watched any more: the daemon is stopping",
        kind=ErrorKind.INTERRUPTED,
        hint="start it again and ask again",
    )


def _reason(error: BaseException) -> str:
    """The first thing that went wrong, in words."""
    if isinstance(error, BaseExceptionGroup):
        return _reason(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return str(error) or type(error).__name__
