"""Findings on boot checks that may turn down what is in the flash. Pure."""

from collections.abc import Iterator

from flashdeck.diagnosis import Finding, Severity
from flashdeckd.diagnosis import st_sources
from flashdeckd.diagnosis.observation import Case, ReadOutcome
from flashdeckd.images.sample_checks import RAM_START, sample_check

_WORD = 4


def findings(case: Case) -> Iterator[Finding]:
    """Findings on each partition's first word, as it was read, or else as it was flashed."""
    ram = [span for span in case.profile.geometry.ram if span.start <= RAM_START < span.end]
    check = sample_check(case.profile.chip)
    stacks = _stacks(case)
    for name in case.profile.partitions:
        stack = stacks.get(name)
        if stack is None or not any(span.start < stack <= span.end for span in ram) or check.accepts(stack):
            continue
        refused = name in case.unaccepted
        yield Finding(
            code="stack-check",
            severity=Severity.ERROR if refused else Severity.NOTE,
            seen=f"{name} begins with the stack pointer 0x{stack:08x}"
            + (", and was not seen to start after its flash" if refused else ""),
            means=f"it is inside this part's RAM, but the boot check in {check.source} (first word & "
            f"0x{check.mask:08X} == 0x{RAM_START:08x}) takes only those below 0x{check.end:08x}: with it the board "
            "would stay in DFU mode, though the image is good",
            mend="in the bootloader, compare the stack pointer with the start and the end of the RAM that this part "
            "has (the end itself is legal: the stack grows down from there); or let the application's linker script "
            f"put _estack below 0x{check.end:08x}. {st_sources.BOOT_CHECK}",
        )


def _stacks(case: Case) -> dict[str, int]:
    first = {name: data for name, data in case.known if len(data) >= _WORD}
    starts = {partition.name: partition.span.start for partition in case.profile.partitions.values()}
    for read in case.seen.reads if case.seen else ():
        if read.outcome is ReadOutcome.DATA and read.span.start == starts.get(read.partition):
            first.setdefault(read.partition, read.data)
    return {name: int.from_bytes(data[:_WORD], "little") for name, data in first.items()}
