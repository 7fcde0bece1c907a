"""The cost of a plan's steps in control requests."""

from flashdeckd.dfu.addressing import Addressing
from flashdeckd.flash.flash_plan import READS, SKIPS, Step, StepKind
from flashdeckd.flash.layout import blocks

_OPENING = 3  # GETSTATE and the map's string with its language
_OPERATION = 3  # DNLOAD, GETSTATUS that starts it, GETSTATUS that ends it
_LEAVING = 2  # the DNLOAD of no bytes and one GETSTATUS


def cost(
    steps: tuple[Step, ...], block: int, transfer_size: int, *, counts: bool = True, counts_reads: bool = True
) -> int:
    """The requests that a session needs for these steps, on a device that is done when it has answered.

    `counts` is False where block numbers are not to be believed for writes, unless they are measured on the way, and
    `counts_reads` where they are not for reads.
    """
    tally = _Tally(block, Addressing(transfer_size), counts=counts, counts_reads=counts_reads)
    for step in steps:
        tally.add(step)
    is_left = not steps or steps[-1].action is StepKind.LEAVE
    return tally.requests if is_left else tally.requests + 1  # back to dfuIDLE


class _Tally:
    def __init__(self, block: int, addressing: Addressing, *, counts: bool, counts_reads: bool) -> None:
        self.requests = _OPENING
        self._block = block
        self._addressing = addressing
        self._counts = counts
        self._counts_reads = counts_reads
        self._is_measured = False
        self._mode = StepKind.LEAVE  # dfuIDLE takes both kinds

    def add(self, step: Step) -> None:
        match step.action:
            case action if action in SKIPS:
                pass
            case StepKind.MEASURE_BLOCKS if self._counts:
                pass  # they are counted anyway
            case StepKind.CHECK_BLOCKS if self._is_measured:
                pass
            case StepKind.MEASURE_BLOCKS:
                self._read(step, from_its_address=True)
                self._read(Step(step.action, list(blocks(step.span, self._block))[-1]), from_its_address=True)
                self._is_measured = True
            case action if action in READS:
                self._read(step, from_its_address=action is StepKind.CHECK_BLOCKS)
            case _:
                self._change(step)

    def _read(self, step: Step, *, from_its_address: bool) -> None:
        addressing = self._addressing
        addressing.counts = self._counts_reads
        if from_its_address:
            addressing.pointer = None
        span, block = step.span, self._block
        for at in range(span.start, span.end, block):
            if addressing.block_for(at, min(block, span.end - at)) is None:
                self.requests += _OPERATION + (self._mode is StepKind.READ_BACK)
                addressing.pointer, self._mode = at, StepKind.WRITE
            self.requests += 1 + (self._mode is StepKind.WRITE)
            self._mode = StepKind.READ_BACK

    def _change(self, step: Step) -> None:
        addressing = self._addressing
        addressing.counts = self._counts or self._is_measured
        if self._mode is StepKind.READ_BACK:
            self.requests += 1
            addressing.pointer = None
        self._mode = StepKind.WRITE
        if step.action in (StepKind.ERASE, StepKind.ERASE_CANARY):
            addressing.pointer = None
        elif step.action is StepKind.LEAVE or addressing.block_for(step.span.start, step.span.size) is None:
            self.requests += _OPERATION
            addressing.pointer = step.span.start
        self.requests += _LEAVING if step.action is StepKind.LEAVE else _OPERATION
