"""The guard `stack`: the initial stack pointer of an image lies in RAM."""

from collections.abc import Iterator

from flashdeck.config import Guard
from flashdeck.errors import RefusedError
from flashdeckd.images import mcuboot_guard
from flashdeckd.images.addresses import MemoryKind, locate
from flashdeckd.images.program import Program
from flashdeckd.images.sample_checks import RAM_START, sample_check
from flashdeckd.images.vector_table import no_table, not_looked_at, stack_and_reset, subject


def check(program: Program) -> Iterator[str]:
    """Yield what to warn of; raises RefusedError where the image has no stack in RAM."""
    vectors = stack_and_reset(program)
    if Guard.RESET not in program.partition.guards:  # which says the same
        yield from mcuboot_guard.doubts(program)
        if vectors is None:
            yield not_looked_at(program)
    if vectors is None:
        return
    stack, profile = vectors[0], program.profile
    if not program.is_in_ram(stack):
        location = locate(stack, profile)
        known = ", ".join(map(str, profile.geometry.ram)) or "not known"
        secure = f", and that is {location.words}" if location.place is MemoryKind.SECURE_RAM else ""
        raise RefusedError(
            f"word 0 of the {subject(program)}, 0x{stack:08x}, is no initial stack pointer: the RAM of profile "
            f"{profile.name} is {known}{secure}",
            hint=no_table(program),
        )
    sample = sample_check(profile.chip)
    if program.header is None and not sample.accepts(stack):
        yield (
            f"initial stack pointer 0x{stack:08x}: the boot check in {sample.source} (word 0 & 0x{sample.mask:08x} == "
            f"0x{RAM_START:08x}) rejects it, so that the application never starts though the flash is good; if your "
            f"bootloader has this check, end the stack below 0x{sample.end:08x} (linker script) or correct it"
        )
