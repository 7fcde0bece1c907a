"""The mood of a seed: some kinds of trouble come often in it, and others not at all, so that rare ones meet.

Where every kind may come at any time, three rare ones hardly ever meet in one seed. So each seed has a theme, which
makes some kinds frequent and some people busy, and leaves out others by chance. Some seeds have no theme: in them
everything comes as often as it comes.

A fixed part of the seeds is `AIMED`: what happens in them happens at the moment that matters (`actors.moments`), and to
whom it matters. They have themes of their own, and all other seeds know nothing of those: a theme that is added there
leaves every other seed as it was, to the byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

FAVOUR: Final = 12.0
"""The times that a kind comes more often where a theme is about it."""
LEFT_OUT: Final = 0.4
"""The share of the other kinds that a seed with a theme leaves out."""


@dataclass(frozen=True, slots=True)
class Theme:
    """A mood that seeds may have."""

    favours: frozenset[str] = frozenset()
    """Kinds that come often, of whatever actor, by the names that the story has for them."""
    busy: frozenset[str] = frozenset()
    """Actors, by the names of their generators, who pause as shortly as they ever do."""
    quiet: frozenset[str] = frozenset()
    """Actors who pause as long as they ever do."""
    talks: bool = False
    """True if most of what happens is what people ask for, and not what boards do."""
    boards: int = 1
    """The least number of boards."""
    is_mixed: bool = False
    """True if boards are mostly known by their port, and those of one kind have several bootloaders."""


EVERYTHING: Final = "everything"
THEMES: Final[Mapping[str, Theme]] = {
    EVERYTHING: Theme(),
    "cables": Theme(
        favours=frozenset({"flicker", "move", "swap", "gone as work begins", "unplug between transfers"}),
        busy=frozenset({"boards", "writers"}),
    ),
    "strangers": Theme(
        talks=True,
        boards=2,
        is_mixed=True,
        favours=frozenset({"swap", "twin", "move", "another release", "adopt", "flash", "flash a file"}),
        busy=frozenset({"boards", "clients"}),
    ),
    "bad flash": Theme(
        favours=frozenset({"damage", "power cut in the flash", "disturb"}), busy=frozenset({"boards", "writers"})
    ),
    "hands": Theme(
        talks=True,
        favours=frozenset({"rollback", "flash", "flash a file", "retry", "erase", "earlier", "in pieces"}),
        busy=frozenset({"clients", "writers"}),
        quiet=frozenset({"boards", "kills", "configurations"}),
    ),
    "holds": Theme(
        talks=True,
        favours=frozenset({"hold", "release", "arm", "disarm", "take"}),
        busy=frozenset({"clients", "kills"}),
        quiet=frozenset({"boards", "keepers"}),
    ),
    "edits": Theme(
        talks=True,
        favours=frozenset({"protect", "resize", "guard", "flash", "rollback", "retry", "mislinked"}),
        busy=frozenset({"configurations", "clients", "writers"}),
        quiet=frozenset({"boards", "keepers"}),
    ),
    "names": Theme(
        talks=True,
        favours=frozenset({"rename", "recognise", "take out", "put back", "hold", "disarm"}),
        busy=frozenset({"configurations", "kills"}),
        quiet=frozenset({"keepers"}),
    ),
    "projects": Theme(
        talks=True,
        favours=frozenset({"include", "protect", "guard", "mislinked"}),
        busy=frozenset({"configurations", "clients", "kills"}),
        quiet=frozenset({"boards", "keepers"}),
    ),
    "full disk": Theme(
        talks=True,
        favours=frozenset({"flash", "disarm", "resize", "protect"}),
        busy=frozenset({"disk", "kills", "writers", "configurations"}),
        quiet=frozenset({"boards"}),
    ),
    "kills": Theme(busy=frozenset({"kills", "writers"}), quiet=frozenset({"configurations"})),
    "odd clients": Theme(talks=True, busy=frozenset({"odd clients", "clients"}), quiet=frozenset({"configurations"})),
    "clocks": Theme(
        favours=frozenset({"disturb", "unplug between transfers"}), busy=frozenset({"clock", "boards", "writers"})
    ),
}
"""All of them, by name, but for those that are aimed."""
AIMED: Final[Mapping[str, Theme]] = {
    "worn flash": Theme(
        favours=frozenset({"damage as it is written", "earlier"}),
        busy=frozenset({"writers"}),
        quiet=frozenset({"boards", "kills", "configurations"}),
    ),
    "canaries": Theme(
        boards=3,
        favours=frozenset({"two banks", "used boards", "in pieces", "lost with a canary", "killed with a canary"}),
        busy=frozenset({"writers"}),
        quiet=frozenset({"boards", "configurations"}),
    ),
    "caches": Theme(
        boards=2,
        is_mixed=True,
        favours=frozenset({"used boards", "cache left on", "swap", "earlier"}),
        busy=frozenset({"boards", "writers"}),
        quiet=frozenset({"kills", "configurations"}),
    ),
    "asked": Theme(
        boards=2,
        favours=frozenset({"command", "touch-1200", "gone as it is asked", "gone as it is recorded"}),
        busy=frozenset({"writers"}),
        quiet=frozenset({"boards", "kills", "configurations"}),
    ),
    "exchanged": Theme(
        boards=2,
        favours=frozenset({"gone as it is opened", "stays in DFU"}),
        busy=frozenset({"writers"}),
        quiet=frozenset({"boards", "kills", "configurations"}),
    ),
    "full at work": Theme(
        favours=frozenset({"full at an end", "full as a build comes", "left alone"}),
        quiet=frozenset({"boards", "configurations", "keepers", "kills"}),
    ),
    "edits at work": Theme(
        boards=2,
        favours=frozenset({"edit at work", "resize", "protect", "full as it is read again", "late journal"}),
        busy=frozenset({"writers"}),
        quiet=frozenset({"boards", "keepers", "kills"}),
    ),
    "own files": Theme(
        talks=True,
        boards=2,
        favours=frozenset({"killed in an own file", "disarm", "arm", "adopt", "left alone"}),
        busy=frozenset({"clients"}),
        quiet=frozenset({"boards", "keepers", "kills"}),
    ),
    "trailers": Theme(
        talks=True,
        favours=frozenset({"in pieces", "trailer", "flash below a patch", "earlier"}),
        busy=frozenset({"clients", "writers"}),
        quiet=frozenset({"boards", "kills", "configurations"}),
    ),
    "spool": Theme(
        talks=True,
        favours=frozenset({"late pool", "few are kept", "flash a file", "rollback", "earlier"}),
        busy=frozenset({"clients", "writers"}),
        quiet=frozenset({"boards", "kills", "configurations"}),
    ),
    "set back": Theme(
        favours=frozenset({"full at a beginning", "damage as it is written", "set as it pauses", "left alone"}),
        busy=frozenset({"writers"}),
        quiet=frozenset({"boards", "kills", "configurations"}),
    ),
    "pauses": Theme(
        favours=frozenset(
            {"disturb as it is written", "disturb", "back as it is recorded", "unplug", "late journal", "left alone"}
        ),
        busy=frozenset({"boards", "writers"}),
        quiet=frozenset({"kills", "configurations"}),
    ),
}
"""Those of the seeds that are aimed, by name; each of these seeds has the next one."""
AIMED_EVERY: Final = 5
"""One of so many seeds is aimed ..."""
AIMED_FROM: Final = 2
"""... from this one on."""
SPEAKING_FROM: Final = 4
"""Of as many seeds the boards speak, from this one on: the others are as they were before any board did."""
CHOOSY_EVERY: Final = 40
"""In one of so many seeds clients ask for the past of one partition, and not of all: others are as they were."""
_NO_THEME: Final = 6
"""Of so many times as a theme comes, none does."""


class Mood:
    """The theme of one seed, and what follows from it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        turn, at = divmod(seed, AIMED_EVERY)
        self.has_consoles = at == SPEAKING_FROM
        """True in seeds in which the consoles of boards are configured, and their applications speak."""
        self.is_choosy = seed % CHOOSY_EVERY == 0
        """True in seeds in which clients ask for the past of one partition."""
        if at == AIMED_FROM:
            self.name = list(AIMED)[turn % len(AIMED)]
            self._theme = AIMED[self.name]
            return
        names = list(THEMES)
        self.name = self.random("theme").choices(names, [_NO_THEME if name == EVERYTHING else 1 for name in names])[0]
        self._theme = THEMES[self.name]

    def random(self, name: str) -> Random:
        """Return a generator for one purpose."""
        return Random(f"{self._seed}/mood/{name}")  # noqa: S311 -- nothing is kept secret with it

    @property
    def number(self) -> int:
        """The seed."""
        return self._seed

    @property
    def talks(self) -> bool:
        """True if most of what happens is to be what people ask for."""
        return self._theme.talks

    @property
    def boards(self) -> int:
        """The least number of boards that there are to be."""
        return self._theme.boards

    @property
    def is_mixed(self) -> bool:
        """True if boards are mostly known by their port, and those of one kind have several bootloaders."""
        return self._theme.is_mixed

    def weights(self, actor: str, kinds: Mapping[str, float]) -> list[float]:
        """Return how often each kind of an actor comes beside his others; at least one does.

        One whose usual weight is 0 only comes where a theme is about it.
        """
        if self.name == EVERYTHING:
            return list(kinds.values())
        seed = self.random(actor)
        found = [self._weight(seed, kind, usual) for kind, usual in kinds.items()]
        return found if any(found) else list(kinds.values())

    def _weight(self, seed: Random, kind: str, usual: float) -> float:
        is_left_out = seed.random() < LEFT_OUT
        if kind in self._theme.favours:
            return max(usual, 1) * FAVOUR
        return 0.0 if is_left_out else usual

    def favours(self, kind: str) -> bool:
        """True if a kind comes often."""
        return kind in self._theme.favours

    def is_busy(self, actor: str) -> bool:
        """True if an actor does as much as he ever does."""
        return actor in self._theme.busy

    def pause(self, actor: str, choices: Sequence[float]) -> float:
        """Return for how many virtual seconds an actor pauses in the mean: one of those that there are for him."""
        if actor in self._theme.busy:
            return min(choices)
        if actor in self._theme.quiet:
            return max(choices)
        return self.random(f"pause of {actor}").choice(choices)
