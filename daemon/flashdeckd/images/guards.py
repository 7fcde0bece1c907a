"""The guards: checks that an image belongs where it is going. Each has a module; here is the registry."""

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from flashdeck.config import AnyGuard, CrcGuard, Guard, Partition, PartitionKind, Profile
from flashdeck.errors import ErrorKind, RefusedError
from flashdeckd.images import crc_guard, mcuboot_guard, reset_guard, stack_guard
from flashdeckd.images.addresses import locate
from flashdeckd.images.image import Image
from flashdeckd.images.program import Program
from flashdeckd.images.vector_table import GUARDS


def check(image: Image, profile: Profile, partition: Partition) -> tuple[str, ...]:
    """Check `image` for `partition` of `profile` with the partition's guards.

    Return warnings: things that are allowed and seldom meant. Raises RefusedError with the likely mistake.

    An image larger than the partition is refused whatever the guards say, because nothing may be written outside the
    partition. Leaving `fits` out of the guards therefore allows nothing; it only changes the error's kind from `guard`
    to `outside-partition`, so that nobody looks for a guard to turn off.
    """
    program = Program(image, profile, partition)
    if image.end > partition.span.size:
        raise _too_large(program)
    return tuple(warning for guard in _in_order(partition.guards) for warning in _verdict(guard, program))


def is_program_for(image: Image, profile: Profile, partition: Partition) -> bool:
    """Tell whether what lies in `partition` is proved to be its program: it passes `stack` and `reset`.

    Both are applied whichever guards the partition has, and also where it is protected. False where there is no proof:
    the partition holds data, no RAM is known, or the program cannot be looked at (encrypted, compressed).
    """
    if not profile.geometry.ram or partition.alternate is not None or partition.holds is PartitionKind.DATA:
        return False
    guarded = replace(partition, guards=GUARDS)
    try:
        check(image, profile, guarded)
    except RefusedError:
        return False
    return not Program(image, profile, guarded).why_hidden


def _in_order(guards: frozenset[AnyGuard]) -> Iterator[AnyGuard]:
    """Yield them in the order in which they are applied, which decides what is said of an image that fails several."""
    yield from (guard for guard in Guard if guard in guards)
    yield from sorted((guard for guard in guards if isinstance(guard, CrcGuard)), key=repr)


def _verdict(guard: AnyGuard, program: Program) -> Iterator[str]:
    """Yield what `guard` warns of; raises RefusedError. A guard that is not named here fails the type check."""
    match guard:
        case Guard.FITS:
            return  # `check` holds it for every partition
        case Guard.MCUBOOT:
            mcuboot_guard.check(program)
        case Guard.RESET:
            yield from reset_guard.check(program)
        case Guard.STACK:
            yield from stack_guard.check(program)
        case CrcGuard():
            crc_guard.check(program.image, guard, program.partition)
        case _:
            assert_never(guard)


def _too_large(program: Program) -> RefusedError:
    image, partition = program.image, program.partition
    size = partition.span.size
    hint = "build a smaller image, or look whether this is the right file (one with the bootloader in it, a flash dump)"
    if image.size < image.end:
        hint = "look at the linker script: some bytes of the image are far from the others"
    reset = program.vectors[1:2] if not program.why_hidden else ()
    home = locate(reset[0], program.profile).partition if reset and reset[0] & 1 else None
    if home is not None and home.name != partition.name:
        hint = f"it is linked for 0x{home.span.start:08x} = {home.name}: is this the right file for {partition.name}?"
    return RefusedError(
        f"the image is {image.end} bytes long, {image.end - size} more than partition {partition.name} has "
        f"({size} bytes{f', {partition.span}' if partition.alternate is None else ''})",
        hint=hint,
        kind=ErrorKind.GUARD if Guard.FITS in partition.guards else ErrorKind.OUTSIDE_PARTITION,
    )
