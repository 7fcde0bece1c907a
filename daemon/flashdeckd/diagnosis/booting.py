"""Whether a boot check may turn down what is in the flash. Pure.

ST's sample bootloader for the STM32H563 (main.c) starts an application if its first word AND 0x2FFC0000 is 0x20000000:
a stack pointer in the first 256 KiB of RAM. Linker scripts put it at the end of RAM by default.
"""

from collections.abc import Iterator

from flashdeck.diagnosis import Finding, Severity
from flashdeckd.diagnosis.observation import Case, ReadOutcome

_MASK, _VALUE = 0x2FFC0000, 0x20000000
_LOW_RAM_END = 0x20040000
_WORD = 4
_MEND = (
    "in the bootloader, compare the stack pointer with the start and the end of the RAM that this part has (the end "
    "itself is legal: the stack grows down from there); or let the application's linker script put _estack below "
    f"0x{_LOW_RAM_END:08x}"
)


def findings(case: Case) -> Iterator[Finding]:
    """Findings on each partition's first word, as it was read, or else as it was flashed."""
    ram = [span for span in case.profile.geometry.ram if span.start <= _VALUE < span.end]
    stacks = _stacks(case)
    for name in case.profile.partitions:
        stack = stacks.get(name)
        if stack is None or not any(span.start < stack <= span.end for span in ram) or stack & _MASK == _VALUE:
            continue
        refused = name in case.unaccepted
        yield Finding(
            code="stack-check",
            severity=Severity.ERROR if refused else Severity.NOTE,
            seen=f"{name} begins with the stack pointer 0x{stack:08x}"
            + (", and was not seen to start after its flash" if refused else ""),
            means="it is inside this part's RAM, but a boot check copied from ST's samples (first word & 0x2FFC0000 == "
            f"0x20000000) takes only those below 0x{_LOW_RAM_END:08x}: it would stay in DFU mode with a good image",
            mend=_MEND,
        )


def _stacks(case: Case) -> dict[str, int]:
    first = {name: data for name, data in case.known if len(data) >= _WORD}
    starts = {partition.name: partition.span.start for partition in case.profile.partitions.values()}
    for read in case.seen.reads if case.seen else ():
        if read.outcome is ReadOutcome.DATA and read.span.start == starts.get(read.partition):
            first.setdefault(read.partition, read.data)
    return {name: int.from_bytes(data[:_WORD], "little") for name, data in first.items()}
