"""A disk that is full for a while, and one that is slow or fails a single write."""

import asyncio
import errno
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from simulation import commits
from simulation.actors.moments import Moment
from simulation.disk import Deed, Failure, Step

if TYPE_CHECKING:
    from simulation.world import World


class FullDisks:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("disk")
        self._pause = world.mood.pause("disk", (12.0, 1000.0, 1000.0))
        self._failing = 0
        self._commits = 0
        """Commits of the journal until one fails."""
        self._lost = 0.0
        """The share of the journal's commits that fail on a disk that is full."""
        self._spared_until = 0.0
        """The time until which it is not filled at a moment: what it was kept from is to be caught up on."""
        self._takes_turns = False
        """True: one of them succeeds behind each that has failed."""
        self._failed = False
        world.disk_faults.append(self._fail)
        commits.fail_where(self._commit_fails, world.moments.recording)
        moments: Mapping[str, tuple[Moment, Callable[[str], None]]] = {
            "full at a beginning": (Moment.RUNS, self._fill_now),
            "full at an end": (Moment.WHOLE, self._fill_and_end),
            "full as a build comes": (Moment.TAKES_IN, self._fill_now),
            "full as it is read again": (Moment.READS_AGAIN, self._lose_commits),
        }
        if kinds := [kind for kind in moments if world.mood.favours(kind)]:
            world.moments.when(*moments[self._seed.choice(kinds)])

    async def trouble(self) -> None:
        """Full, and back; or a single failure."""
        while True:
            await self._world.pause(self._seed, self._pause)
            if self._seed.random() < 0.4:
                if self._seed.random() < 0.5:
                    self._failing = self._seed.choice((1, 5, 20))
                else:
                    self._commits = self._seed.choice((1, 2, 5, 10))
                continue
            self._fill(self._seed.choice((0.0, 0.3, 0.5, 1.0)), self._seed.choice((0, 100, 5000, 20_000)))
            await asyncio.sleep(self._seed.choice((0.5, 5.0, 20.0)))
            self._make_room()

    def calm(self) -> None:
        """There is room, and nothing fails."""
        self._world.disk.room = None
        self._failing = self._commits = 0
        self._lost = 0.0

    def _fill(self, lost: float, room: int | None, *, takes_turns: bool = False) -> None:
        self._lost, self._takes_turns = lost, takes_turns
        self._world.disk.room = room
        self._world.witness.seen.disk_failed_at = self._world.baton.now
        self._world.tell("disk", "full")

    def _make_room(self) -> None:
        self._world.disk.room = None
        self._lost = 0.0
        self._world.witness.seen.disk_failed_at = self._world.baton.now
        self._world.tell("disk", "room")

    def _fill_now(self, _: str) -> None:
        """It is full from this moment on, and not for long."""
        self._fill_at_its_moment(ends=False)

    def _fill_and_end(self, _: str) -> None:
        """The same, and the daemon ends on it, soon behind it, or once it could have caught up."""
        self._fill_at_its_moment(ends=True)

    def _fill_at_its_moment(self, *, ends: bool) -> None:
        """Fill it; or nearly: then what a commit that fails gives back is room for the next one."""
        now = self._world.baton.now
        if now < self._spared_until:
            return
        self._spared_until = now + self._seed.choice((3.0, 12.0, 12.0))
        takes_turns = self._seed.random() < 0.3
        room = None if takes_turns else self._seed.choice((0, 0, None))
        self._fill(self._seed.choice((0.5, 1.0, 1.0)), room, takes_turns=takes_turns)
        self._make_room_soon(ends=ends)

    def _lose_commits(self, _: str) -> None:
        """The journal alone finds no room, and the daemon may end behind that."""
        self._fill(1.0, None)
        self._make_room_soon(ends=True)

    def _make_room_soon(self, *, ends: bool) -> None:
        later = self._make_room_later(ends=ends)
        self._world.loop.call_soon_threadsafe(lambda: self._world.spawn(later))

    async def _make_room_later(self, *, ends: bool) -> None:
        await asyncio.sleep(self._seed.choice((0.1, 0.5, 2.0, 5.0)))
        after = self._seed.choice((-1.0, -1.0, None, 0.0, 0.3, 2.0, 7.0, 8.0)) if ends else None
        if self._world.is_calm:
            return
        if after == -1.0:
            self._world.kill("on a full disk")
        self._make_room()
        if after is not None and after >= 0:
            await asyncio.sleep(after)
            if not self._world.is_calm:
                self._world.kill("behind a full disk")

    def _fail(self, step: Step) -> Failure | None:
        if self._failing and step.deed is not Deed.READ:
            self._failing -= 1
            if not self._failing:
                self._world.tell("disk", f"fails at {step.deed.value}")
                return Failure(errno.EIO)
        return None

    def _commit_fails(self) -> bool:
        """Tell whether the next commit of the journal fails."""
        fails = self._lost > 0 and self._seed.random() < self._lost
        if self._lost and self._takes_turns:
            fails = self._failed = not self._failed
        if self._commits:
            self._commits -= 1
            fails |= not self._commits
        if fails:
            self._world.witness.seen.disk_failed_at = self._world.baton.now
            self._world.tell("disk", "fails a commit")
        return fails
