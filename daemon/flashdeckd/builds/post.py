"""Looks after one watched image file: waits until it is whole, reads it once, and hands it on."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.text import clean
from flashdeckd.builds.gate import Fingerprint, Gate
from flashdeckd.builds.haste import Haste
from flashdeckd.builds.lease import Busy, FileSnapshot, Unreadable, Writing, ask_writing, read_settled
from flashdeckd.builds.pattern import newest
from flashdeckd.builds.status_clock import StatusClock
from flashdeckd.builds.watch import RESTART, BuildClock, Settled, Told, Watch
from flashdeckd.builds.writers import Writer, find_writer
from flashdeckd.host import threads

RESCAN = 10.0
"""Seconds after which everything is looked at again without a hint."""
UNPROVED_SETTLE = 1.0
"""Least seconds that a file must be unchanged where nobody can say whether somebody has it open for writing."""
UNPROVED_RETRY = 0.2
"""Least seconds between looks at such a file while /proc shows who writes it: that costs more than a lease."""
KEPT_SAID = 30.0
"""Seconds after which it is said that a file is kept open for writing; hints about it are not heard any more."""
KEPT_ASKED = 60.0
"""Seconds after which it is asked again who does that."""

_log = logging.getLogger("flashdeckd.builds")


class NotWatchedError(Exception):
    """Somebody waits for a look at a place that is not watched any more."""


@dataclass(frozen=True, slots=True)
class _FileLook:
    """One look at a file."""

    found: Fingerprint | Unreadable | None
    writing: Writing = Writing.CLOSED
    writer: Writer | None = None

    @property
    def fingerprint(self) -> Fingerprint | None:
        return self.found if isinstance(self.found, Fingerprint) else None


class Post:
    """Looks after one watch."""

    def __init__(
        self, watch: Watch, told: Told, clock: BuildClock, status_clock: StatusClock, is_deaf: Callable[[str], bool]
    ) -> None:
        """`is_deaf` tells whether no hint comes where a pattern is looked for."""
        self.watch = watch
        self.looked = asyncio.Event()
        self.trouble = ""
        """The reason why the file could not be taken in; "" for none."""
        self._told = told
        self._clock = clock
        self._status_clock = status_clock
        self._is_deaf = is_deaf
        self._gate = Gate(watch.settle)
        self._haste = Haste(watch.settle)
        self._wake = asyncio.Event()
        self._rests = asyncio.Event()
        """Set between two looks: it does not hang in one."""
        self._at_start: Fingerprint | None = None
        self._complaint: Unreadable | None = None
        self._settling = False
        self._unproved_said = False
        self._kept = ""
        self._kept_asked_at = 0.0
        self._asking: list[asyncio.Future[bool]] = []
        self._task: asyncio.Task[None] | None = None
        self._handing_on = False
        self._removed = False
        self._ended = False

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Start to look."""
        self._task = tasks.create_task(self._tend())

    def hint(self) -> None:
        """Look soon: something may have changed."""
        if not self._kept:
            self._wake.set()

    async def look(self) -> bool:
        """See `Builds.look`; raises `NotWatchedError` where this place is not watched any more."""
        if self._removed or self._ended:
            raise self._why_ended()
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asking.append(answer)
        self._wake.set()
        return await answer

    async def rests(self) -> None:
        """Return once it is between two looks, or has ended."""
        await self._rests.wait()

    def keep_to(self, watch: Watch) -> None:
        """Go on with another settle time."""
        if watch != self.watch:
            self.watch = watch
            self._gate.settle = watch.settle
            self._haste = Haste(self.watch.settle)
            self._tell_haste()
            self._wake.set()

    def end(self) -> None:
        """Stop looking for good, once what is being handed on has been: half a step would be a build half known."""
        self._removed = True
        if self._task is None:
            self._leave()
        elif self._handing_on:
            self._wake.set()
        else:
            self._task.cancel()

    async def _tend(self) -> None:
        """Looks, waits and looks again, until cancelled or ended."""
        failed = ""
        try:
            while not self._removed:
                self._wake.clear()
                try:
                    pause = await self._once()
                except Exception as error:  # noqa: BLE001 - what a callback raises must not end the watch
                    reason = reason_of(error)
                    if reason != failed:  # a disk may be full for days
                        known = isinstance(error, FlashdeckError | OSError)  # a fault of ours is worth a traceback
                        _log.error("%s could not be checked: %s", self.watch.pattern, reason, exc_info=not known)
                    self._tell_trouble(f"{self.watch.pattern} could not be taken in ({reason}); tried again soon")
                    failed, pause = reason, RESTART
                else:
                    failed = ""
                    self._tell_trouble("")
                self._rests.set()
                await self._clock.wait(self._wake, pause)
                self._rests.clear()
        finally:
            self._ended = True
            self._rests.set()
            self._leave()

    async def _once(self) -> float:
        """One look. Returns the seconds until the next."""
        asking = tuple(self._asking)  # who asks from here on wants a look that begins later
        seen = await threads.run(_observe, self.watch.pattern, self._gate.passed)
        fingerprint = seen.fingerprint
        if not self.looked.is_set():
            self.looked.set()
            self._at_start = fingerprint
        pause = self._judge(seen)
        if pause == 0 and fingerprint is not None:
            pause = await self._read(fingerprint)
        await self._note_kept(seen)
        self._note_settling(settling=pause is not None)
        if pause is not None:
            return pause
        if fingerprint is None:
            self._complain(seen.found if isinstance(seen.found, Unreadable) else None)
        self._answer(asking, there=fingerprint is not None and fingerprint == self._gate.passed)
        return RESTART if self._is_deaf(self.watch.pattern) else RESCAN

    def _judge(self, seen: _FileLook) -> float | None:
        """Return the seconds until the next look by the settle rule; see `Gate.see`."""
        before, wall, after = self._clock.now(), self._clock.wall(), self._clock.now()
        self._status_clock.read(before, wall, after)
        fingerprint = seen.fingerprint
        rested = least = 0.0
        if fingerprint is not None and fingerprint == self._gate.passed:
            self._haste.rests(after)
        elif fingerprint is not None:
            self._haste.see(fingerprint)
            # A lease is only given on file systems of this machine, which go by this machine's clock.
            if seen.writing is Writing.CLOSED:
                rested = self._status_clock.rested(fingerprint.changed_ns)
            if seen.writing is Writing.UNKNOWN:
                least = UNPROVED_SETTLE
                self._say_unproved(fingerprint)
        busy = seen.writing is Writing.OPEN
        pause = self._gate.see(after, fingerprint, busy=busy, rested=rested, least=least)
        return pause if pause is None or seen.writer is None else max(pause, UNPROVED_RETRY)

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
        digest = await threads.run(_digest, outcome.data)
        # Off the loop: it compares all bytes with those of the last build.
        await threads.run(self._haste.passed, fingerprint, outcome.data, digest, self._clock.now())
        self._tell_haste()
        return None

    async def _hand_on(self, snapshot: FileSnapshot) -> None:
        self._complain(None)
        first = snapshot.fingerprint == self._at_start
        self._handing_on = True
        try:
            await self._told.settled(Settled(self.watch, Path(snapshot.fingerprint.path), snapshot.data, first))
        finally:
            self._handing_on = False

    async def _note_kept(self, seen: _FileLook) -> None:
        """Say it when somebody has had the file open for writing for long, and when that is over."""
        now = self._clock.now()
        if self._gate.kept_open(now) < KEPT_SAID or seen.fingerprint is None:
            self._tell_kept("")
        elif not self._kept or now >= self._kept_asked_at + KEPT_ASKED:
            self._kept_asked_at = now
            writer = seen.writer or await threads.run(find_writer, seen.fingerprint)
            who = writer or "for writing, or mapped, by a program that cannot be seen from here"
            self._tell_kept(f"{clean(Path(seen.fingerprint.path).name)} is kept open {who}")

    def _say_unproved(self, fingerprint: Fingerprint) -> None:
        if not self._unproved_said:
            self._unproved_said = True
            _log.warning(
                "whether %s is open for writing cannot be known here (another user's file, or no leases on its file "
                "system): it counts as written once it was unchanged for %g s",
                clean(fingerprint.path),
                max(self.watch.settle, UNPROVED_SETTLE),
            )

    def _leave(self) -> None:
        """Leave nothing behind that only a later look would take back."""
        self.looked.set()
        for answer in self._asking:
            if not answer.done():
                answer.set_exception(self._why_ended())
        if self._removed:
            self._note_settling(settling=False)
            self._complain(None)
            self._tell_kept("")
            self._tell_trouble("")
            self._haste = Haste(self.watch.settle)
            self._tell_haste()

    def _why_ended(self) -> Exception:
        if self._removed:
            return NotWatchedError()
        return FlashdeckError(
            f"the image of {self.watch.partition} is not watched any more: the daemon is stopping",
            kind=ErrorKind.INTERRUPTED,
            hint="start it again and ask again",
        )

    def _note_settling(self, *, settling: bool) -> None:
        if settling != self._settling:
            self._settling = settling
            self._told.settling(self.watch, settling)

    def _complain(self, complaint: Unreadable | None) -> None:
        if complaint != self._complaint:
            self._told.unreadable(self.watch, complaint)
        self._complaint = complaint

    def _tell_kept(self, text: str) -> None:
        if text != self._kept:
            self._kept = text
            self._told.kept_open(self.watch, text)

    def _tell_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._told.trouble(f"build for {self.watch.partition} of {self.watch.profile}", trouble, "")

    def _tell_haste(self) -> None:
        where = f"{self.watch.partition} of {self.watch.profile}"
        self._told.trouble(f"settle of {where}", *self._haste.in_words(where))

    def _answer(self, asking: Iterable[asyncio.Future[bool]], *, there: bool) -> None:
        for answer in asking:
            self._asking.remove(answer)
            if not answer.done():
                answer.set_result(there)


def reason_of(error: BaseException) -> str:
    """Return the first thing that went wrong, in words."""
    if isinstance(error, BaseExceptionGroup):
        return reason_of(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return str(error) or type(error).__name__


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _observe(pattern: str, passed: Fingerprint | None) -> _FileLook:
    """Return the state of the file, and whether it is being written; a state that has passed is not asked.

    Where the newest match of a glob was removed, the older one behind it is no new build: nothing has changed.
    """
    found = newest(pattern)
    if not isinstance(found, Fingerprint):
        return _FileLook(found)
    if passed is not None and found.path != passed.path and found.modified_ns < passed.modified_ns:
        return _FileLook(passed)
    if found == passed:
        return _FileLook(found)
    writing = ask_writing(found.path)
    writer = find_writer(found) if writing is Writing.UNKNOWN else None
    return _FileLook(found, Writing.OPEN if writer is not None else writing, writer)
