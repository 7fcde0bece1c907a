"""What happens in a storm, what has to, and how often it did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

SHOWN: Final = "storm"
"""The property of a test's report that the summary of a run shows."""


class Deed(StrEnum):
    """One sort of thing that happens in a storm."""

    BUILD = "builds taken"
    PLUG = "cables plugged or pulled"
    PRESS = "buttons pressed"
    FAULT = "faults of boards"
    FULL_DISK = "full disks"
    LOCKED_JOURNAL = "locked journals"
    RELOAD = "configurations taken over"
    BAD_RELOAD = "configurations refused"
    STOP = "SIGTERM"
    KILL = "SIGKILL"
    CALL = "calls of clients"
    RELEASE = "boards released by a person"


WHILE_BUILT: Final = (Deed.BUILD, Deed.FAULT, Deed.FULL_DISK, Deed.LOCKED_JOURNAL, Deed.RELOAD)
"""What happens only until the last build: that one has to arrive."""


@dataclass(frozen=True)
class Spell:
    """A part of a storm, which ends with all boards at home; it lasts until all that it needs has happened."""

    needs: Mapping[Deed, int]
    seconds: float = 0.0
    """What it lasts at the least."""
    restarts: tuple[int, ...] = ()
    """The signals that end the daemon in its course, each followed by another daemon."""
    build_pause: tuple[float, float] = (0.2, 4.0)
    """Seconds between two builds, from and to."""
    plug_pause: float = 0.1
    """Seconds between two cables, at the most."""

    def share(self, done: Mapping[Deed, int], seconds: float) -> float:
        """Return which part of it is over: 1.0 once it may end."""
        shares = [done.get(deed, 0) / need for deed, need in self.needs.items()]
        return min((*shares, seconds / self.seconds if self.seconds else 1.0))

    def lacks(self, deed: Deed, done: Mapping[Deed, int]) -> bool:
        """Return whether something has to happen more often."""
        return done.get(deed, 0) < self.needs.get(deed, 0)


@dataclass(frozen=True)
class Size:
    """How large a storm is."""

    boards: int
    clients: int
    spells: tuple[Spell, ...]
    images: tuple[int, int] = (4_000, 24_000)
    """Bytes of the smallest and of the largest image."""

    @property
    def has_restarts(self) -> bool:
        """True if the daemon is not always there."""
        return any(spell.restarts for spell in self.spells)

    def has(self, deed: Deed) -> bool:
        """Return whether something happens in it."""
        return any(spell.needs.get(deed) for spell in self.spells)


@dataclass
class Tally:
    """All that has happened in a storm."""

    deeds: Counter[Deed] = field(default_factory=Counter[Deed])
    faults: Counter[str] = field(default_factory=Counter[str])
    troubles: Counter[str] = field(default_factory=Counter[str])
    """The parts of the daemon that were in trouble, and how often."""
    jobs: dict[int, str] = field(default_factory=dict[int, str])
    """The last state seen of each job."""
    calm: list[str] = field(default_factory=list[str])
    """The memory and the like that the daemon took after each spell."""

    def text(self, seed: str) -> str:
        """Return it as lines that a person reads."""
        states = Counter(self.jobs.values())
        return "\n".join(
            (
                f"storm (seed {seed})",
                *(f"  {self.deeds[deed]:6} {deed}" for deed in Deed if self.deeds[deed]),
                f"  {len(self.jobs):6} jobs seen: {_counts(states)}",
                f"  faults: {_counts(self.faults)}",
                f"  troubles: {_counts(self.troubles)}",
                *(f"  at rest {number}: {text}" for number, text in enumerate(self.calm, start=1)),
            )
        )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items())) or "none"
