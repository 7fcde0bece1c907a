"""A plan in the words of the wire."""

from msgspec.structs import replace

from flashdeck.api import BoardPlan, PlanStep
from flashdeckd.flash.flash_plan import RECOVERIES, FlashPlan


def described(wanted: BoardPlan, plan: FlashPlan) -> BoardPlan:
    """`wanted` with everything that `plan` says."""
    return replace(
        wanted,
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
