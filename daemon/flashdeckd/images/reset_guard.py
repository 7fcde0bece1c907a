"""The guard `reset`: the reset vector of an image names code in that image, where it will be in the flash."""

from collections.abc import Iterator

from flashdeck.config import Partition
from flashdeck.errors import RefusedError
from flashdeckd.images import mcuboot_guard
from flashdeckd.images.addresses import Location, MemoryKind, locate
from flashdeckd.images.program import Program
from flashdeckd.images.vector_table import no_table, not_looked_at, place, stack_and_reset, subject

_FLASH = (MemoryKind.PARTITION, MemoryKind.UNASSIGNED, MemoryKind.SECURE_FLASH, MemoryKind.NONSECURE_FLASH)


def check(program: Program) -> Iterator[str]:
    """Yield what to warn of; raises RefusedError where the image does not start where it will be."""
    vectors = stack_and_reset(program)
    yield from mcuboot_guard.doubts(program)
    if vectors is None:
        yield not_looked_at(program)
        return
    stack, reset = vectors
    if not reset & 1:
        raise RefusedError(
            f"word 1 of the {subject(program)}, 0x{reset:08x}, is even and so no reset vector: there is no vector "
            f"table at {place(program)}",
            hint=no_table(program),
        )
    if program.is_in_table(reset - 1):
        raise RefusedError(
            f"the reset vector 0x{reset:08x} of the {subject(program)} names its own vector table, and no code",
            hint=no_table(program),
        )
    if not program.defines(reset - 1):
        raise _elsewhere(stack, reset, program)


def _elsewhere(stack: int, reset: int, program: Program) -> RefusedError:
    """Return what is wrong with an image whose reset vector names no code in it."""
    partition, profile = program.partition, program.profile
    location = locate(reset, profile)
    if program.home != partition.span:
        return RefusedError(
            f"the reset vector 0x{reset:08x} lies outside {program.home}, where the image is loaded to by its MCUboot "
            "header",
            hint="give imgtool the --load-addr that the image is linked for",
        )
    if location.place not in _FLASH and profile.geometry.ram and not program.is_in_ram(stack):
        return RefusedError(
            f"the {subject(program)} has no vector table at {place(program)}: 0x{stack:08x} is no stack pointer, "
            f"and 0x{reset:08x} no reset vector in {partition.name}",
            hint=no_table(program),
        )
    if location.place is MemoryKind.PARTITION and location.partition == profile.partitions.get(partition.name):
        message, hint = _in_no_code(reset, program)
    else:
        message, hint = _linked_for(location, program)
    return RefusedError(
        message, hint=f'{hint}. Where that is meant, leave "reset" out of the guards of {partition.name}'
    )


def _in_no_code(reset: int, program: Program) -> tuple[str, str]:
    """Return message and hint about a reset vector in the partition, where the image defines nothing."""
    start, body = program.home.start, program.body
    image = f"0x{start + body.start:08x}-0x{start + body.end - 1:08x}"
    if program.linked_for is not None and not any(map(program.defines, program.handlers)):
        vectors = f"all vectors of the {subject(program)} ({image}) lie outside it"
        return (
            f"{vectors}, the reset vector 0x{reset:08x} among them{_guess(program)}",
            f"{_link(program.partition)}, or take the whole file if this one was cut off",
        )
    where = "behind its end" if reset - start >= body.end else "where the file has no bytes"
    return (
        f"the reset vector 0x{reset:08x} of the {subject(program)} ({image}) lies {where}",
        "the file may have been cut off: build it again, or copy it again",
    )


def _linked_for(location: Location, program: Program) -> tuple[str, str]:
    """Return message and hint about an image whose reset vector names another place than its partition."""
    partition, reset = program.partition, location.address
    going = f"it was about to go to {partition.name} ({partition.span})"
    match location.place, location.partition:
        case MemoryKind.PARTITION, Partition() as other:
            home = f"0x{other.span.start:08x} = {other.name}"
            copied = f"; MCUboot may copy it from {partition.name} to {other.name}" if program.header else ""
            return (
                f"this image is linked for {home}; {going} (reset vector 0x{reset:08x})",
                f"flash it to {other.name}, or look at which file is configured for {partition.name}{copied}",
            )
        case ((MemoryKind.RAM | MemoryKind.SECURE_RAM), _):
            return (
                f"this image runs from {location.words} at 0x{reset - 1:08x}{_guess(program)}; {going}",
                f"{_link(partition)}, unless the bootloader copies it to RAM before it starts it",
            )
        case ((MemoryKind.SECURE_FLASH | MemoryKind.NONSECURE_FLASH), _):
            return f"this image is linked for {location.words} (reset vector 0x{reset:08x}); {going}", location.hint
        case _:
            outside = f"lies outside partition {partition.name} ({partition.span}), in {location.words}"
            return f"the reset vector 0x{reset:08x} {outside}{_guess(program)}", _link(partition)


def _link(partition: Partition) -> str:
    return f"link the image for 0x{partition.span.start:08x} (FLASH ORIGIN in the linker script)"


def _guess(program: Program) -> str:
    address = program.linked_for
    return "" if address is None else f": linked for 0x{address:08x}?"
