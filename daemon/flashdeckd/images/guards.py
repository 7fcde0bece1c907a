"""Whether an image belongs where it is going, told from its size and the first two words of its program.

A program for a Cortex-M begins with its vector table (Armv7-M and Armv8-M Architecture Reference Manuals, "The vector
table"): word 0 is the initial stack pointer, word 1 the address of the reset handler with bit 0 set (Thumb code). It is
the first thing in an image, or follows the header that MCUboot reads.
"""

import struct
from dataclasses import dataclass, replace

from flashdeck.config import Guard, Partition, Profile
from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Range
from flashdeckd.images import mcuboot
from flashdeckd.images.addresses import partition_at
from flashdeckd.images.image import Image
from flashdeckd.images.sample_checks import RAM_START, sample_check

_VECTORS = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class _Program:
    """What is looked at: where its vector table is, and where its code may run."""

    vectors: tuple[int, int] | None
    """Initial stack pointer and reset vector; None where the program is too short for them."""
    home: Range
    """Where it has to be linked for."""
    end: int
    """The first address behind its code."""
    is_signed: bool
    """Whether it stands behind an MCUboot header."""


def is_program_for(image: Image, profile: Profile, partition: Partition) -> bool:
    """Tell whether what lies in `partition` passes the guards `stack` and `reset`, whichever guards the partition has.

    False where no RAM is known: then nobody can tell a stack pointer.
    """
    if not profile.geometry.ram or partition.alternate is not None or not image.is_program:
        return False
    try:
        check(image, profile, replace(partition, guards=frozenset((Guard.STACK, Guard.RESET))))
    except RefusedError:
        return False
    return True


def check(pieces: Image, profile: Profile, partition: Partition) -> tuple[str, ...]:
    """Checks `pieces` for `partition` of `profile` with the partition's guards.

    Returns warnings: things that are allowed and seldom meant. Raises RefusedError with the likely mistake.

    An image larger than the partition is refused whatever the guards say, because nothing may be written outside the
    partition. Leaving `fits` out of the guards therefore allows nothing; it only changes the error's kind from `guard`
    to `outside-partition`, so that nobody looks for a guard to turn off.
    """
    image = pieces.read(Range(0, pieces.end))
    if len(image) > partition.span.size:
        raise _too_large(image, profile, partition)
    guards = partition.guards & {Guard.STACK, Guard.RESET}
    if not guards:
        return ()
    head = mcuboot.header(image)
    warnings: list[str] = []
    if head is not None:
        broken = mcuboot.contradiction(image, head)
        if broken:
            raise RefusedError(
                broken,
                hint="the file was cut off or damaged: sign the image again (imgtool sign), or copy it again. Where "
                f"partition {partition.name} holds something else, leave {_names(guards)} out of its guards",
            )
        doubt = mcuboot.doubt(image, head)
        if doubt:
            warnings.append(f"the image has an MCUboot header, but {doubt}")
        hidden = _why_hidden(head)
        if hidden:
            return (*warnings, f"{hidden}: whether it belongs into {partition.name} was not checked")
    program = _program(image, head, partition)
    if program.vectors is None:
        raise RefusedError(
            f"the image is {len(image)} bytes long: too short for a vector table, which partition {partition.name} "
            "expects at its start",
            hint=f"look at the build; if this image has no vector table, leave {_names(guards)} out of the partition's "
            "guards",
        )
    stack, reset = program.vectors
    # Reset first: an image for another partition has a good stack pointer, and one that is no image at all fails both.
    if Guard.RESET in guards:
        warnings.append(_check_reset(stack, reset, program, profile, partition))
    if Guard.STACK in guards:
        warnings.append(_check_stack(stack, program, profile, partition))
    return tuple(warning for warning in warnings if warning)


def _why_hidden(head: mcuboot.Header) -> str:
    """Why there is no vector table to look at, or ""."""
    if head.flags & mcuboot.ENCRYPTED:
        return "the image is encrypted"
    if head.flags & mcuboot.COMPRESSED:
        return "the image is compressed"
    if head.flags & mcuboot.Flag.NON_BOOTABLE:
        return "the image's MCUboot header says that it is not started"
    return ""


def _program(image: bytes, head: mcuboot.Header | None, partition: Partition) -> _Program:
    start = partition.span.start
    if head is None:
        return _Program(_vectors(image), partition.span, start + len(image), is_signed=False)
    vectors = _vectors(image[head.size : head.end_of_program])
    home = partition.span
    if head.flags & mcuboot.Flag.RAM_LOAD:
        home = Range.sized(head.load_address, head.end_of_program)
    return _Program(vectors, home, home.start + head.end_of_program, is_signed=True)


def _vectors(program: bytes) -> tuple[int, int] | None:
    if len(program) < _VECTORS.size:
        return None
    stack, reset = _VECTORS.unpack_from(program)
    return int(stack), int(reset)


def _too_large(image: bytes, profile: Profile, partition: Partition) -> RefusedError:
    size = partition.span.size
    hint = "build a smaller image, or look whether this is the right file (one with the bootloader in it, a flash dump)"
    vectors = _program(image, mcuboot.header(image), partition).vectors
    home = partition_at(vectors[1], profile) if vectors and vectors[1] & 1 else None
    if home is not None and home.name != partition.name:
        hint = f"it is linked for 0x{home.span.start:08x} = {home.name}: is this the right file for {partition.name}?"
    return RefusedError(
        f"the image is {len(image)} bytes long, {len(image) - size} more than partition {partition.name} has "
        f"({size} bytes{f', {partition.span}' if partition.alternate is None else ''})",
        hint=hint,
        kind=ErrorKind.GUARD if Guard.FITS in partition.guards else ErrorKind.OUTSIDE_PARTITION,
    )


def _check_reset(stack: int, reset: int, program: _Program, profile: Profile, partition: Partition) -> str:
    """A warning, or ""."""
    if not reset & 1:
        raise RefusedError(
            f"word 1 of the {'program behind the MCUboot header' if program.is_signed else 'image'}, 0x{reset:08x}, is "
            "even and so no reset vector: there is no vector table at its start",
            hint=f"is this the right file, with the vector table linked to its start? Where partition {partition.name} "
            'holds data, leave "reset" and "stack" out of its guards',
        )
    if not program.home.start <= reset < program.home.end:
        if partition_at(reset, profile) is None and profile.geometry.ram and not _in_ram(stack, profile):
            raise RefusedError(
                f"the image does not begin with a vector table: 0x{stack:08x} is no stack pointer in RAM, and "
                f"0x{reset:08x} no reset vector in {partition.name}",
                hint=f"is this firmware for this chip? Where partition {partition.name} holds data, leave "
                '"reset" and "stack" out of its guards',
            )
        raise _linked_elsewhere(reset, program, profile, partition)
    if reset >= program.end:
        return (
            f"the reset vector 0x{reset:08x} lies behind the end of the image (0x{program.end - 1:08x}): "
            "the file may have been cut off"
        )
    return ""


def _linked_elsewhere(reset: int, program: _Program, profile: Profile, partition: Partition) -> RefusedError:
    other = partition_at(reset, profile)
    if program.home != partition.span:
        return RefusedError(
            f"the reset vector 0x{reset:08x} lies outside {program.home}, where the image is loaded to by its MCUboot "
            "header",
            hint="give imgtool the --load-addr that the image is linked for",
        )
    if other is not None:
        hint = f"flash it to {other.name}, or look at which file is configured for {partition.name}"
        if program.is_signed:
            hint += (
                f'; where MCUboot copies it from {partition.name} to {other.name}, leave "reset" out of the guards of '
                f"{partition.name}"
            )
        return RefusedError(
            f"this image is linked for 0x{other.span.start:08x} = {other.name}; it was about to go to "
            f"{partition.name} (reset vector 0x{reset:08x})",
            hint=hint,
        )
    return RefusedError(
        f"the reset vector 0x{reset:08x} lies outside partition {partition.name} ({partition.span}) and in no other "
        f"partition of profile {profile.name}",
        hint=f"link the image for 0x{partition.span.start:08x} (FLASH ORIGIN in the linker script)",
    )


def _check_stack(stack: int, program: _Program, profile: Profile, partition: Partition) -> str:
    """A warning, or ""."""
    if not _in_ram(stack, profile):
        known = ", ".join(map(str, profile.geometry.ram)) or "not known"
        raise RefusedError(
            f"word 0 of the program, 0x{stack:08x}, is no initial stack pointer: the RAM of profile {profile.name} is "
            f"{known}",
            hint="is this image for this chip, with the vector table at its start? "
            f'"stack" can be left out of the guards of partition {partition.name}',
        )
    sample = sample_check(profile.chip)
    if not program.is_signed and not sample.accepts(stack):
        return (
            f"initial stack pointer 0x{stack:08x}: the boot check in {sample.source} (word 0 & 0x{sample.mask:08x} == "
            f"0x{RAM_START:08x}) rejects it, so that the application never starts though the flash is good; if your "
            f"bootloader has this check, end the stack below 0x{sample.end:08x} (linker script) or correct it"
        )
    return ""


def _in_ram(stack: int, profile: Profile) -> bool:
    """Whether it may be a stack's end, which is the first address behind the stack."""
    return any(area.start <= stack <= area.end for area in profile.geometry.ram)


def _names(guards: frozenset[Guard]) -> str:
    return " and ".join(f'"{guard}"' for guard in sorted(guards))
