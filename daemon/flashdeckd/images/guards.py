"""Whether an image belongs where it is going, told from its size and its first two words.

An image for a Cortex-M begins with its vector table (Armv7-M and Armv8-M Architecture Reference Manuals, "The vector
table"): word 0 is the initial stack pointer, word 1 the address of the reset handler with bit 0 set (Thumb code).
"""

import struct

from flashdeck.config import Guard, Partition, Profile
from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Range

_VECTORS = struct.Struct("<II")
_MCUBOOT_MAGIC = 0x96F3B83D  # IMAGE_MAGIC in MCUboot's image format
_SAMPLE_CHECK_MASK = 0x2FFC0000
_SAMPLE_CHECK_VALUE = 0x20000000


def check(image: bytes, profile: Profile, partition: Partition) -> tuple[str, ...]:
    """Checks `image` for `partition` of `profile` with the partition's guards.

    Returns warnings: things that are allowed and seldom meant. Raises RefusedError with the likely mistake.

    An image larger than the partition is refused whatever the guards say, because nothing may be written outside the
    partition. Leaving `fits` out of the guards therefore allows nothing; it only changes the error's kind from `guard`
    to `outside-partition`, so that nobody looks for a guard to turn off.
    """
    if len(image) > partition.span.size:
        raise _too_large(image, profile, partition)
    guards = partition.guards & {Guard.STACK, Guard.RESET}
    if not guards:
        return ()
    vectors = _vectors(image)
    if vectors is None:
        raise RefusedError(
            f"the image is {len(image)} bytes long: too short for a vector table, which partition {partition.name} "
            "expects at its start",
            hint=f"look at the build; if this image has no vector table, leave {_names(guards)} out of the partition's "
            "guards",
        )
    stack, reset = vectors
    if stack == _MCUBOOT_MAGIC:
        raise RefusedError(
            "the image begins with an MCUboot header, not with a vector table",
            hint=f"if the bootloader on the board is MCUboot, leave {_names(guards)} out of the guards of partition "
            f"{partition.name}; if not, flash the image as it is before signing",
        )
    warnings: list[str] = []
    # Reset first: an image for another partition has a good stack pointer, and one that is no image at all fails both.
    if Guard.RESET in guards:
        warnings.append(_check_reset(reset, len(image), profile, partition))
    if Guard.STACK in guards:
        warnings.append(_check_stack(stack, profile, partition))
    return tuple(warning for warning in warnings if warning)


def _vectors(image: bytes) -> tuple[int, int] | None:
    if len(image) < _VECTORS.size:
        return None
    stack, reset = _VECTORS.unpack_from(image)
    return int(stack), int(reset)


def _too_large(image: bytes, profile: Profile, partition: Partition) -> RefusedError:
    size = partition.span.size
    hint = "build a smaller image, or look whether this is the right file (one with the bootloader in it, a flash dump)"
    vectors = _vectors(image)
    home = partition_at(vectors[1], profile) if vectors and vectors[1] & 1 else None
    if home is not None and home.name != partition.name:
        hint = f"it is linked for 0x{home.span.start:08x} = {home.name}: is this the right file for {partition.name}?"
    return RefusedError(
        f"the image is {len(image)} bytes long, {len(image) - size} more than partition {partition.name} has "
        f"({size} bytes{f', {partition.span}' if partition.alternate is None else ''})",
        hint=hint,
        kind=ErrorKind.GUARD if Guard.FITS in partition.guards else ErrorKind.OUTSIDE_PARTITION,
    )


def _check_reset(reset: int, size: int, profile: Profile, partition: Partition) -> str:
    """A warning, or ""."""
    span = partition.span
    if not reset & 1:
        raise RefusedError(
            f"word 1 of the image, 0x{reset:08x}, is even and so no reset vector: the image does not begin with a "
            "vector table",
            hint=f"is this the right file, with the vector table linked to its start? Where partition {partition.name} "
            'holds data, leave "reset" and "stack" out of its guards',
        )
    if not span.start <= reset < span.end:
        raise _linked_elsewhere(reset, profile, partition)
    if reset >= span.start + size:
        return (
            f"the reset vector 0x{reset:08x} lies behind the end of the image (0x{span.start + size - 1:08x}): "
            "the file may have been cut off"
        )
    return ""


def _linked_elsewhere(reset: int, profile: Profile, partition: Partition) -> RefusedError:
    home = partition_at(reset, profile)
    if home is not None:
        return RefusedError(
            f"this image is linked for 0x{home.span.start:08x} = {home.name}; it was about to go to {partition.name} "
            f"(reset vector 0x{reset:08x})",
            hint=f"flash it to {home.name}, or look at which file is configured for {partition.name}",
        )
    return RefusedError(
        f"the reset vector 0x{reset:08x} lies outside partition {partition.name} ({partition.span}) and in no other "
        f"partition of profile {profile.name}",
        hint=f"link the image for 0x{partition.span.start:08x} (FLASH ORIGIN in the linker script)",
    )


def _check_stack(stack: int, profile: Profile, partition: Partition) -> str:
    """A warning, or ""."""
    ram = profile.geometry.ram
    if not any(area.start <= stack <= area.end for area in ram):
        known = ", ".join(str(area) for area in ram) or "not known"
        raise RefusedError(
            f"word 0 of the image, 0x{stack:08x}, is no initial stack pointer: the RAM of profile {profile.name} is "
            f"{known}",
            hint="is this image for this chip, with the vector table at its start? "
            f'"stack" can be left out of the guards of partition {partition.name}',
        )
    if stack & _SAMPLE_CHECK_MASK != _SAMPLE_CHECK_VALUE:
        allowed = Range.sized(_SAMPLE_CHECK_VALUE, 0x40000)
        return (
            f"the initial stack pointer 0x{stack:08x} is one that the boot check in ST's sample bootloaders rejects "
            f"(it accepts {allowed} only): with such a bootloader the flash succeeds and the application never "
            f"starts. Then put the stack's top below 0x{allowed.end:08x} in the linker script, or correct the check"
        )
    return ""


def partition_at(address: int, profile: Profile) -> Partition | None:
    """The partition that `address` is in. Alternate settings have no addresses."""
    ranges = (p for p in profile.partitions.values() if p.alternate is None)
    return next((p for p in ranges if p.span.start <= address < p.span.end), None)


def _names(guards: frozenset[Guard]) -> str:
    return " and ".join(f'"{guard}"' for guard in sorted(guards))
