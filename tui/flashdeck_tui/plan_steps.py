"""The steps of a plan, folded to as few lines as tell it. Pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from flashdeck.api import PlanStep

WITHOUT_BYTES = frozenset({"leave", "manifest"})
"""Steps whose address is where the device is to jump, not a piece of flash that is touched."""
MOST_PIECES = 4
"""Lines for one kind of step in separate places; more of them are one line."""


def folded(steps: Sequence[PlanStep]) -> Iterator[tuple[list[PlanStep], int]]:
    """Yield runs of steps that do the same at adjoining addresses, each with 1.

    Where steps that follow each other do the same in many places, one run of them all, with the number of places.
    """
    for _, same in groupby(steps, key=lambda step: (step.action, step.note)):
        runs: list[list[PlanStep]] = []
        for step in same:
            if runs and step.address == runs[-1][-1].address + runs[-1][-1].size:
                runs[-1].append(step)
            else:
                runs.append([step])
        if len(runs) > MOST_PIECES:
            yield [step for run in runs for step in run], len(runs)
        else:
            yield from ((run, 1) for run in runs)
