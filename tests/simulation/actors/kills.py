"""Ends of the daemon: at any point of any of its threads, soon after something has happened, by power, in order."""

from typing import TYPE_CHECKING, Final

from simulation.actors.moments import Moment
from simulation.baton import Point

if TYPE_CHECKING:
    from simulation.world import World

BEHIND: Final = (
    *("event job", "event artifact", "event board", "flash", "call", "answer", "build", "configure", "reload", "mode"),
    "start",
)
"""Lines of the story, by their beginnings, behind which something is about to be recorded."""


class Kills:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("kills")
        self._pause = world.mood.pause("kills", world.night.lives)
        self._left = 0
        self._at = Point.AWAIT
        self._by_power = False
        self._behind = ""
        """The beginning of a line of the story behind which the daemon ends soon; "": of none."""
        world.hearers.append(self._hear)
        moments = {
            "killed with a canary": Moment.CANARY,
            "killed at a beginning": Moment.BEGINS,
            "killed in an own file": Moment.OWN_FILE,
        }
        for kind, moment in moments.items():
            if world.mood.favours(kind):
                world.moments.when(moment, self._end_soon)

    async def trouble(self) -> None:
        """Let the daemon live for a while, and choose the point at which it dies."""
        while True:
            await self._world.pause(self._seed, self._pause)
            self._at = self._seed.choice(list(Point))
            self._by_power = self._seed.random() < 0.25
            match self._seed.choices(("in order", "at a time", "at a point", "behind"), (15, 15, 35, 35))[0]:
                case "in order":
                    self._world.stop()
                case "at a time":
                    self._end("at a time")
                case "at a point":
                    self._count_down(self._seed.choice((1, 3, 10, 30, 100, 300)))
                case _:
                    self._behind = self._seed.choice(BEHIND)

    def calm(self) -> None:
        """Let it live."""
        self._count_down(0)
        self._behind = ""

    def _end_soon(self, _: str) -> None:
        """End at this very point, or at one of the next of some kind."""
        self._at = self._seed.choice((Point.DISK, *Point))
        self._by_power = self._seed.random() < 0.25
        points = self._seed.choice((0, 1, 1, 2, 4))
        if points:
            self._count_down(points)
        else:
            self._end("at its moment")

    def _count_down(self, points: int) -> None:
        """From now on look at so many points; at the last of them it dies."""
        self._left = points
        self._world.watch(self._watch, is_on=points > 0)

    def _hear(self, kind: str, text: str) -> None:
        if self._behind and f"{kind} {text}".startswith(self._behind):
            self._behind = ""
            self._count_down(self._seed.choice((1, 1, 2, 4, 8, 16)))

    def _watch(self, at: Point) -> None:
        if at is not self._at:
            return
        self._left -= 1
        if not self._left:
            self._count_down(0)
            self._end(f"at {at.value}")

    def _end(self, why: str) -> None:
        if self._by_power:
            self._world.cut_power(self._seed)
        else:
            self._world.kill(why)
