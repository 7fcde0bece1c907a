"""Runs seeds in a tree that has a bug in it, up to the first that fails; what was found goes to stdout as one line.

It runs in a copy of the tree, as `python -m simulation.planted.hunt FIRST LAST`.
"""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from simulation.seed_run import run_forked

MARK = "found: "
"""The beginning of the line with what was found; other lines are the daemon's own."""


@dataclass(frozen=True, slots=True)
class Found:
    """The first seed that fails."""

    seed: int
    tried: int
    """Seeds up to it, itself included."""
    failure: str
    """The rule that was broken, or what else went wrong."""


def hunt(seeds: Iterable[int]) -> Found | None:
    """Return what the first failing seed finds; None where none fails."""
    for tried, seed in enumerate(seeds, 1):
        outcome = run_forked(seed)
        if outcome.failures:
            return Found(seed, tried, outcome.failures[0])
    return None


def told_in(text: str) -> Found | None:
    """Return what a hunt has told; None where it has found nothing."""
    lines = [line.removeprefix(MARK) for line in text.splitlines() if line.startswith(MARK)]
    return Found(**json.loads(lines[-1])) if lines else None


def main() -> None:
    """Hunt as the command line says, and tell what was found."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[os.getpid() % len(cpus)]})  # see `simulation.__main__`
    first, last = map(int, sys.argv[1:])
    found = hunt(range(first, last + 1))
    if found is not None:
        sys.stdout.write(f"{MARK}{json.dumps(asdict(found))}\n")


if __name__ == "__main__":
    main()
