"""An erase of a whole partition, as the planner and the run of a flash carry it out: a flash of nothing but 0xFF. Pure.

So all that keeps a flash inside its partition keeps an erase there, too: the fence, the proof of the right bank, the
order that never leaves half a program that boots. Sectors that read blank on proved reading are left alone.
"""

from dataclasses import replace

from flashdeck.config import ErasePolicy, VerifyPolicy
from flashdeckd.flash.flash_plan import FlashPlan, StepKind
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import BLANK, Image


def blank_image(target: AddressTarget) -> Image:
    """Return the image of an erased partition."""
    return Image.raw(bytes([BLANK]) * target.span.size)


def without_blocks(plan: FlashPlan) -> FlashPlan:
    """Return the plan of an erase without saying of each of its blocks that nothing is written there."""
    return replace(plan, steps=tuple(step for step in plan.steps if step.action is not StepKind.LEAVE_BLANK))


def to_erase(target: AddressTarget) -> AddressTarget:
    """Return the target of an erase: all of the partition, and no leave.

    `verify = "always"` keeps what was not read back from being started; nothing is started here.
    """
    verify = VerifyPolicy.AUTO if target.verify is VerifyPolicy.ALWAYS else target.verify
    return replace(target, erase=ErasePolicy.PARTITION, verify=verify, leave=False)
