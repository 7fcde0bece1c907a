"""A plan in the words of the wire."""

from collections.abc import Iterable

from msgspec.structs import replace

from flashdeck.api import BoardPlan, PartitionPlace, PlanStep
from flashdeck.config import Partition
from flashdeck.flash_map import FlashMap
from flashdeckd.flash.flash_plan import RECOVERIES, FlashPlan

MAX_MAP_RUNS = 1024
"""Runs of the maps in one answer: some 64 KiB, so that they never keep the plans themselves from travelling."""


def described(wanted: BoardPlan, plan: FlashPlan, drawn: FlashMap, partitions: Iterable[Partition]) -> BoardPlan:
    """Return `wanted` with everything that `plan` says; `drawn` is the map of it."""
    return replace(
        wanted,
        map=drawn,
        places=tuple(
            PartitionPlace(name=each.name, address=each.span.start, size=each.span.size)
            for each in partitions
            if each.alternate is None
        ),
        steps=tuple(
            PlanStep(
                action=step.action,
                address=step.span.start,
                size=step.span.size,
                note=RECOVERIES.get(step.action, ""),
            )
            for step in plan.steps
        ),
        erases=plan.erases,
        blocks=plan.blocks,
        requests=plan.requests,
        unchanged=plan.unchanged,
        erased_beside=plan.erased_beside,
        protection=plan.protection,
        notes=(*wanted.notes, *plan.notes),
    )


def with_fitting_maps(plans: Iterable[BoardPlan]) -> tuple[BoardPlan, ...]:
    """Return plans with the maps of the first of them, as many as one answer has room for."""
    runs = 0
    fitting: list[BoardPlan] = []
    for plan in plans:
        runs += len(plan.map.runs) if plan.map is not None else 0
        fitting.append(plan if runs <= MAX_MAP_RUNS else replace(plan, map=None, places=()))
    return tuple(fitting)
