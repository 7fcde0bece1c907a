"""The cost of a plan's steps in control requests."""

from flashdeckd.dfu.addressing import Addressing
from flashdeckd.flash.flash_plan import READS, SKIPS, Step, StepKind
from flashdeckd.flash.layout import blocks

_OPENING = 3  # GETSTATE and the map's string with its language
_OPERATION = 3  # DNLOAD, GETSTATUS that starts it, GETSTATUS that ends it
_LEAVING = 2  # the DNLOAD of no bytes and one GETSTATUS


def cost(steps: tuple[Step, ...], block: int, transfer_size: int, *, counts: bool = True) -> int:
    """The requests that a session needs for these steps, on a device that is done when it has answered.

    `counts` is False where block numbers are not to be believed.
    """
    addressing = Addressing(transfer_size, counts=counts)
    requests, mode = _OPENING, StepKind.LEAVE  # dfuIDLE takes both kinds
    for step in steps:
        if step.action in SKIPS:
            continue
        if step.action is StepKind.CHECK_BLOCKS:
            addressing.pointer = None
        if step.action in READS:
            for each in blocks(step.span, block):
                if addressing.block_for(each.start, each.size) is None:
                    requests += _OPERATION + (mode is StepKind.READ_BACK)
                    addressing.pointer, mode = each.start, StepKind.WRITE
                requests += 1 + (mode is StepKind.WRITE)
                mode = StepKind.READ_BACK
            continue
        if mode is StepKind.READ_BACK:
            requests += 1
            addressing.pointer = None
        mode = StepKind.WRITE
        if step.action in (StepKind.ERASE, StepKind.ERASE_CANARY):
            addressing.pointer = None
        elif step.action is StepKind.LEAVE or addressing.block_for(step.span.start, step.span.size) is None:
            requests += _OPERATION
            addressing.pointer = step.span.start
        requests += _LEAVING if step.action is StepKind.LEAVE else _OPERATION
    is_left = not steps or steps[-1].action is StepKind.LEAVE
    return requests if is_left else requests + 1  # back to dfuIDLE
