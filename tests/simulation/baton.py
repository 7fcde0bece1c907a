"""Of all threads of a seed only the one that has the baton runs, and the seed decides who gets it next.

A thread gives it on where it waits, and may give it on at each `point`. Time is virtual: it jumps to the next moment at
which anybody wants to go on once all of them wait. A thread of a life that was killed never gets it again, so that
nothing of it goes on: not even a `finally`.

The threads are greenlets, stacks of one thread of the kernel's: since one runs at a time, nobody could tell, and to
change between two of them costs a quarter. What asyncio keeps for each thread is kept for each of them here.
"""

import asyncio
import random
import sys
from collections import deque
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Any

from greenlet import getcurrent, greenlet

TICK = 1e-6
"""Seconds that pass at each point: whoever looks at the clock again and again sees it go on."""
MOST_TICKS = 2_000_000
"""Points in a row without anybody waiting for a time, which is a world that turns on the spot."""


class Point(Enum):
    """A place at which others may go on first, and at which a life may end."""

    AWAIT = "await"
    """Between two rounds of an event loop."""
    TRANSFER = "transfer"
    """Before a control transfer."""
    DISK = "disk"
    """Before something changes on the disk, or after."""
    WORK = "work"
    """A thread begins what it was given, or has done it."""


class StandstillError(Exception):
    """Everybody waits for somebody else, and nobody for a time."""


class Life:
    """One life of the daemon, from its start to its end; what is not part of one is the world's."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_over = False
        self.runners: list[Runner] = []
        """All threads that were made for it."""


class Runner:
    """A thread, as the baton knows it."""

    __slots__ = ("_hooks", "_loop", "blocked_on", "is_dead", "is_waiting", "life", "name", "stack", "was_woken")

    def __init__(self, name: str, life: Life | None) -> None:
        self.name = name
        self.life = life
        self.is_dead = life is not None and life.is_over
        """True if its life was killed."""
        if life is not None:
            life.runners.append(self)
        self.stack: greenlet
        """Given by the baton, before it is anybody's turn."""
        self.is_waiting = False
        self.was_woken = False
        self.blocked_on: BatonLock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hooks: tuple[Any, Any] = (None, None)

    def give_way(self, other: "Runner") -> None:
        """Stop here, and let another one go on; return once somebody gives way to this one."""
        loop = asyncio._get_running_loop()
        if loop is not self._loop:  # it has begun or ended since; as long as it runs, its hooks are the same
            self._loop, self._hooks = loop, sys.get_asyncgen_hooks()
        if other._loop is not loop:
            asyncio._set_running_loop(other._loop)
        if other._loop is not None:  # asynchronous generators are only begun where a loop runs
            sys.set_asyncgen_hooks(*other._hooks)
        other.stack.switch()


class Baton:
    """The baton and the clock. Made in the thread that has it first, which is the world's."""

    def __init__(self, seed: random.Random, share: float = 1.0) -> None:
        """`share` is how often others may go on first at a point, from 0 to 1."""
        self.now = 0.0
        """The virtual time, in seconds."""
        self.points = 0
        """The number of points that were passed."""
        self.share = share
        self.watch: Callable[[Point], None] = _nothing
        """Called at each point; it may end lives."""
        self.home = self.current = Runner("world", None)
        self.home.stack = getcurrent()
        self._random = seed.random
        self._ready: list[Runner] = []
        self._timed: dict[Runner, float] = {}
        self._soonest = _NEVER
        """No later than the first of `_timed`."""
        self._stuck = False
        self._waited_at = 0

    def point(self, at: Point) -> None:
        """Let others go on first, perhaps."""
        me = self.current
        self.points += 1
        self.now += TICK
        self.watch(at)
        if me.is_dead:
            self._leave()
        if self.now >= self._soonest:
            self._collect()
        if self._ready and self._random() < self.share:
            self._ready.append(me)
            self._hand_on(me)

    def wait(self, until: float | None = None) -> bool:
        """Wait to be woken, or for a time; return whether it was woken."""
        me = self.current
        if me.is_dead:
            self._leave()
        self._waited_at = self.points
        if until is not None:
            if not self._ready and until <= self._soonest:
                self.now = max(self.now, until)
                return False
            self._timed[me] = until
            self._soonest = min(self._soonest, until)
        me.is_waiting = True
        self._hand_on(me)
        return me.was_woken

    def passes(self, until: float) -> bool:
        """Let time pass, and return True, where nobody else would have done anything meanwhile."""
        me = self.current
        if self._ready or self._blocked or until > self._soonest or me.is_dead:
            return False
        self._waited_at = self.points
        self.now = max(self.now, until)
        return True

    def wake(self, runner: Runner) -> None:
        """Let one that waits go on soon."""
        if runner.is_waiting and not runner.is_dead:
            self._timed.pop(runner, None)
            self._make_ready(runner, woken=True)

    def begin(self, runner: Runner, run: Callable[[], None]) -> None:
        """Start a thread, which runs once it gets the baton."""

        def whole() -> None:
            run()
            self._leave()

        runner.stack = greenlet(whole, self.home.stack)  # which hears of what nobody has caught
        _stacks.append(runner.stack)
        self._make_ready(runner, woken=True)

    def kill(self, life: Life) -> None:
        """End a life at once. Where the caller is of it, it ends at the point that called."""
        life.is_over = True
        for runner in life.runners:
            runner.is_dead = True
        self._ready = [runner for runner in self._ready if runner.life is not life]
        blocked = [runner for runner in self._blocked if not runner.is_dead]
        for runner in [runner for runner in self._timed if runner.life is life]:
            del self._timed[runner]
        for runner in blocked:
            if runner.blocked_on is not None and runner.blocked_on.is_free:
                self.wake(runner)
        self._blocked = blocked

    _blocked: list[Runner] = []  # noqa: RUF012 - replaced, never changed
    """Those that wait for a lock."""

    def block(self, lock: "BatonLock") -> None:
        """Wait until a lock may be free."""
        me = self.current
        me.blocked_on = lock
        self._blocked = [*self._blocked, me]
        self.wait()
        me.blocked_on = None
        self._blocked = [runner for runner in self._blocked if runner is not me]

    def unblock(self, lock: "BatonLock") -> None:
        """Wake all that wait for a lock."""
        for runner in self._blocked:
            if runner.blocked_on is lock:
                self.wake(runner)

    def _make_ready(self, runner: Runner, *, woken: bool) -> None:
        runner.is_waiting = False
        runner.was_woken = woken
        self._ready.append(runner)

    def _collect(self) -> None:
        """Make all ready whose time has come."""
        due = [runner for runner, at in self._timed.items() if at <= self.now]
        for runner in due:
            del self._timed[runner]
            self._make_ready(runner, woken=False)
        self._soonest = min(self._timed.values(), default=_NEVER)

    def _choose(self) -> Runner:
        if not self._ready:
            if not self._timed:
                self._stuck = True
                self._make_ready(self.home, woken=False)
            else:
                self.now = max(self.now, min(self._timed.values()))
                self._collect()
        ready = self._ready
        chosen = ready.pop()
        if ready:  # the last one takes the place of the chosen one
            at = int(self._random() * (len(ready) + 1))
            if at < len(ready):
                ready[at], chosen = chosen, ready[at]
        self.current = chosen
        return chosen

    def _hand_on(self, me: Runner) -> None:
        chosen = self._choose()
        if chosen is not me:
            me.give_way(chosen)
        if self._stuck and me is self.home:
            self._stuck = False
            raise StandstillError("everybody waits, and nobody for a time")

    def _leave(self) -> None:
        """Give the baton on for good: this thread stands still until the process ends."""
        me = self.current
        me.give_way(self._choose())


_NEVER = float("inf")
_stacks: list[greenlet] = []
"""All that were begun: one that nobody knows any more would be unwound, and a `finally` in it would run."""


def _nothing(_point: Point) -> None:
    """Nobody watches."""


class BatonLock:
    """A lock whose waiters give the baton on. One that was held by a life that was killed is free."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._owner: Runner | None = None
        self._depth = 0

    @property
    def is_free(self) -> bool:
        """True if nobody who lives holds it."""
        return self._owner is None or self._owner.is_dead

    def __enter__(self) -> None:
        if self._owner is None:  # as nearly always
            self._owner, self._depth = self._baton.current, 1
        else:
            self.take(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
            if self._baton._blocked:  # pyright: ignore[reportPrivateUsage] -- the baton's other half
                self._baton.unblock(self)

    def take(self, depth: int) -> None:
        """Take it, so many times at once."""
        me = self._baton.current
        if self._owner is me:
            self._depth += depth
            return
        while self._owner is not None and not self._owner.is_dead:
            self._baton.block(self)
        self._owner, self._depth = me, depth

    def let_go(self) -> int:
        """Let go of it wholly; return how often it was held."""
        depth, self._depth = self._depth, 1
        self.__exit__(None, None, None)
        return depth


class BatonCondition(BatonLock):
    """A lock whose holder can wait for another one to have changed something."""

    def __init__(self, baton: Baton) -> None:
        super().__init__(baton)
        self._waiters: deque[Runner] = deque()

    def wait(self, timeout: float | None = None) -> bool:
        """Let go of it until notified, or for at most `timeout` seconds; return whether notified."""
        baton = self._baton
        if timeout is not None and baton.passes(baton.now + timeout):
            return False
        me = baton.current
        depth = self.let_go()
        self._waiters.append(me)
        notified = baton.wait(None if timeout is None else baton.now + timeout)
        if me in self._waiters:
            self._waiters.remove(me)
        self.take(depth)
        return notified

    def notify_all(self) -> None:
        """Wake all that wait."""
        waiters, self._waiters = self._waiters, deque()
        for runner in waiters:
            self._baton.wake(runner)


class BatonEvent:
    """Something that happens once, in one thread, and is seen in others."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """It has happened."""
        self._is_set = True

    def is_set(self) -> bool:
        """Return whether it has happened."""
        return self._is_set
