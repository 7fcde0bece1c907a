"""The guards: checks that an image belongs where it is going.

Each guard is one function here, or in a module of its own; `_verdict` names them all, and a guard without one does not pass
the type checker.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from flashdeck.config import AnyGuard, CrcGuard, Guard, Holds, Partition, Profile
from flashdeck.errors import ErrorKind, RefusedError
from flashdeckd.images import mcuboot
from flashdeckd.images.addresses import Location, Place, locate
from flashdeckd.images.crc import check_crc
from flashdeckd.images.image import Image
from flashdeckd.images.program import Program
from flashdeckd.images.sample_checks import RAM_START, sample_check

_VECTOR_TABLE = frozenset[AnyGuard]((Guard.STACK, Guard.RESET))
_WORDS_LOOKED_AT = 2


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
    return (
        *_doubts(program),
        *(warning for guard in _ordered(partition.guards) for warning in _verdict(guard, program)),
    )


def is_program_for(image: Image, profile: Profile, partition: Partition) -> bool:
    """Tell whether what lies in `partition` is proved to be its program: it passes `stack` and `reset`.

    Both are applied whichever guards the partition has, and also where it is protected. False where there is no proof:
    the partition holds data, no RAM is known, or the program can not be looked at (encrypted, compressed).
    """
    unknown = not profile.geometry.ram or partition.alternate is not None or partition.holds is Holds.DATA
    guarded = replace(partition, guards=_VECTOR_TABLE)
    if unknown or Program(image, profile, guarded).why_hidden:
        return False
    try:
        check(image, profile, guarded)
    except RefusedError:
        return False
    return True


def _ordered(guards: frozenset[AnyGuard]) -> Iterator[AnyGuard]:
    """Yield them in the order in which they are applied, which decides what is said of an image that fails several."""
    yield from (guard for guard in Guard if guard in guards)
    yield from sorted((guard for guard in guards if isinstance(guard, CrcGuard)), key=repr)


def _verdict(guard: AnyGuard, program: Program) -> Iterator[str]:
    """Yield what `guard` warns of; raises RefusedError. The registry of guards."""
    match guard:
        case Guard.FITS:
            return  # held by `check`, for every partition
        case Guard.MCUBOOT:
            _check_mcuboot(program)
        case Guard.RESET:
            yield from _check_reset(program)
        case Guard.STACK:
            yield from _check_stack(program)
        case CrcGuard():
            check_crc(program.image, guard, program.partition)
        case _:
            assert_never(guard)


# fits


def _too_large(program: Program) -> RefusedError:
    image, partition = program.image, program.partition
    size = partition.span.size
    hint = "build a smaller image, or look whether this is the right file (one with the bootloader in it, a flash dump)"
    if image.size < image.end:
        hint = "look at the linker script: some of its bytes are far from the others"
    home = locate(program.vectors[1], program.profile).partition if _has_vectors(program) else None
    if home is not None and home.name != partition.name:
        hint = f"it is linked for 0x{home.span.start:08x} = {home.name}: is this the right file for {partition.name}?"
    return RefusedError(
        f"the image is {image.end} bytes long, {image.end - size} more than partition {partition.name} has "
        f"({size} bytes{f', {partition.span}' if partition.alternate is None else ''})",
        hint=hint,
        kind=ErrorKind.GUARD if Guard.FITS in partition.guards else ErrorKind.OUTSIDE_PARTITION,
    )


# mcuboot


def _check_mcuboot(program: Program) -> None:
    name, header = program.partition.name, program.header
    leave_out = f'where {name} holds something else, leave "mcuboot" out of its guards'
    if header is None:
        if program.room_for_header:
            raise _not_signed(program)
        raise RefusedError(
            f"the image does not begin with an MCUboot header, which the guards of partition {name} ask for",
            hint=f"take the file that imgtool sign wrote; {leave_out}",
        )
    problem = mcuboot.contradiction(program.flat, header) or mcuboot.doubt(program.flat, header)
    if problem:
        raise RefusedError(
            f"the image has an MCUboot header, but {problem}", hint=f"sign it again (imgtool sign); {leave_out}"
        )


def _doubts(program: Program) -> Iterator[str]:
    """Yield why MCUboot will not start an image with its header, where no guard asks for that."""
    guards = program.partition.guards
    if program.header is None or Guard.MCUBOOT in guards or not guards & _VECTOR_TABLE:
        return
    broken = mcuboot.contradiction(program.flat, program.header)
    if broken:
        raise RefusedError(
            broken,
            hint="the file was cut off or damaged: sign the image again (imgtool sign), or copy it again. Where partition "
            f"{program.partition.name} holds something else, leave {_asked_for(program)} out of its guards",
        )
    doubt = mcuboot.doubt(program.flat, program.header)
    if doubt:
        yield f"the image has an MCUboot header, but {doubt}"


def _not_signed(program: Program) -> RefusedError:
    room = program.room_for_header
    what = "begins" if not program.image.is_program else "has its vector table"
    return RefusedError(
        f"the image {what} 0x{room:x} bytes behind the start of partition {program.partition.name}, and an MCUboot header "
        "belongs before it: this is MCUboot's input before signing",
        hint="take the signed file (zephyr.signed.bin or .hex, or what imgtool sign wrote); for a header of your own that "
        f'is all blank, set vectors = "+0x{room:x}"',
    )


# reset and stack


def _has_vectors(program: Program) -> bool:
    """Tell whether there is a vector table to look at, raising nothing."""
    return not program.why_hidden and len(program.vectors) >= _WORDS_LOOKED_AT


def _vectors(program: Program) -> tuple[int, int] | None:
    """Return initial stack pointer and reset vector; None where they can not be looked at.

    Raises RefusedError where there is no vector table.
    """
    image, partition = program.image, program.partition
    leave_out = f"leave {_asked_for(program)} out of the guards of {partition.name}"
    if program.filler is not None:
        raise RefusedError(
            f"the image is {image.size} bytes and all of them are 0x{program.filler:02x}: that is no program",
            hint="look at the build: 0xff is erased flash, 0x00 a file that was made longer but never written. "
            f"To flash it all the same, {leave_out}",
        )
    if program.room_for_header and partition.vectors is None:
        raise _not_signed(program)
    if image.pieces and not image.is_program:
        begin = image.pieces[0].offset + partition.span.start
        raise RefusedError(
            f"the image begins at 0x{begin:08x}, and partition {partition.name} at 0x{partition.span.start:08x}: what the "
            "bootloader starts would not be there",
            hint=f"link the image for 0x{partition.span.start:08x} (FLASH ORIGIN in the linker script); if it is a patch or "
            f"data, {leave_out}",
        )
    if program.why_hidden:
        return None
    if len(program.vectors) < _WORDS_LOOKED_AT:
        raise RefusedError(
            f"the image is {image.size} bytes long: too short for a vector table, which partition {partition.name} "
            f"expects {f'at +0x{program.table:x}' if program.table else 'at its start'}",
            hint=f"look at the build; if this image has no vector table, {leave_out}",
        )
    return program.vectors[0], program.vectors[1]


def _check_reset(program: Program) -> Iterator[str]:
    vectors = _vectors(program)
    if vectors is None:
        yield _not_looked_at(program)
        return
    stack, reset = vectors
    if not reset & 1:
        raise RefusedError(
            f"word 1 of the {_subject(program)}, 0x{reset:08x}, is even and so no reset vector: there is no vector table "
            f"at {f'+0x{program.table:x}' if program.table else 'its start'}",
            hint="is this the right file, with the vector table linked to its start? Behind a header of your own, say "
            f'where it is, as vectors = "+0x200". Where partition {program.partition.name} holds data, leave "reset" and '
            '"stack" out of its guards',
        )
    if not program.defines(reset - 1):
        raise _reset_elsewhere(stack, reset, program)


def _reset_elsewhere(stack: int, reset: int, program: Program) -> RefusedError:
    """Return what is wrong with an image whose reset vector names no place in it."""
    partition, profile = program.partition, program.profile
    location = locate(reset, profile)
    allow = f'leave "reset" out of the guards of {partition.name}'
    if program.home != partition.span:
        return RefusedError(
            f"the reset vector 0x{reset:08x} lies outside {program.home}, where the image is loaded to by its MCUboot "
            "header",
            hint="give imgtool the --load-addr that the image is linked for",
        )
    if location.partition == partition and location.place is Place.PARTITION:
        return _reset_undefined(reset, program)
    if profile.geometry.ram and not program.is_in_ram(stack) and location.place in _NO_CODE:
        return RefusedError(
            f"the image does not begin with a vector table: 0x{stack:08x} is no stack pointer in RAM, and "
            f"0x{reset:08x} no reset vector in {partition.name}",
            hint=f"is this firmware for this chip? Where partition {partition.name} holds data, leave "
            '"reset" and "stack" out of its guards',
        )
    guess = _guess(program)
    match location.place, location.partition:
        case Place.PARTITION, Partition() as other:
            hint = f"flash it to {other.name}, or look at which file is configured for {partition.name}"
            if program.header is not None:
                hint += f"; where MCUboot copies it from {partition.name} to {other.name}, {allow}"
            return RefusedError(
                f"this image is linked for 0x{other.span.start:08x} = {other.name}; it was about to go to "
                f"{partition.name} (reset vector 0x{reset:08x})",
                hint=hint,
            )
        case ((Place.RAM | Place.SECURE_RAM), _):
            return RefusedError(
                f"this image runs from {location.words} at 0x{reset - 1:08x}{guess}; it was about to go to "
                f"{partition.name} ({partition.span})",
                hint=f"if the bootloader copies it there before it starts it, {allow}; else link it for "
                f"0x{partition.span.start:08x} (FLASH ORIGIN in the linker script)",
            )
        case ((Place.SECURE_FLASH | Place.NONSECURE_FLASH), _):
            return RefusedError(
                f"this image is linked for {location.words}, reset vector 0x{reset:08x}; it was about to go to "
                f"{partition.name} ({partition.span})",
                hint=f"{location.hint}; where that is meant, {allow}",
            )
        case _:
            return RefusedError(
                f"the reset vector 0x{reset:08x} lies outside partition {partition.name} ({partition.span}) and in no "
                f"other partition of profile {profile.name}: it is {location.words}{guess}",
                hint=f"link the image for 0x{partition.span.start:08x} (FLASH ORIGIN in the linker script); where that is "
                f"meant, {allow}",
            )


_NO_CODE = (Place.NOWHERE, Place.PERIPHERALS, Place.SYSTEM_MEMORY, Place.EXTERNAL, Place.OPTION_BYTES, Place.OTP)
"""Where a program is hardly ever linked for: together with a bad stack pointer, such a vector is none."""


def _reset_undefined(reset: int, program: Program) -> RefusedError:
    """Return what is wrong with an image whose reset vector is in its partition, where it defines nothing."""
    partition = program.partition
    allow = f'Where that is meant, leave "reset" out of the guards of {partition.name}'
    if not any(program.defines(each) for each in program.handlers):
        return RefusedError(
            f"all vectors of the {_subject(program)} lie outside it (reset vector 0x{reset:08x}, "
            f"{_extent(program)}){_guess(program)}",
            hint=f"link the image for 0x{partition.span.start:08x} (FLASH ORIGIN in the linker script), or take the whole "
            f"file if this one was cut off. {allow}",
        )
    where = "behind its end" if reset - program.home.start >= program.body.end else "where the file has no code"
    return RefusedError(
        f"the reset vector 0x{reset:08x} of the {_subject(program)} lies {where} ({_extent(program)})",
        hint=f"the file may have been cut off: build it again, or copy it again. {allow}",
    )


def _extent(program: Program) -> str:
    start = program.home.start
    return f"which is 0x{start + program.body.start:08x}-0x{start + program.body.end - 1:08x}"


def _guess(program: Program) -> str:
    address = program.linked_for
    return "" if address is None else f": linked for 0x{address:08x}?"


def _check_stack(program: Program) -> Iterator[str]:
    vectors = _vectors(program)
    if vectors is None:
        if Guard.RESET not in program.partition.guards:
            yield _not_looked_at(program)
        return
    stack, profile = vectors[0], program.profile
    if not program.is_in_ram(stack):
        known = ", ".join(map(str, profile.geometry.ram)) or "not known"
        raise RefusedError(
            f"word 0 of the {_subject(program)}, 0x{stack:08x}, is no initial stack pointer: the RAM of profile "
            f"{profile.name} is {known}{_of_ram(locate(stack, profile))}",
            hint="is this image for this chip, with the vector table at its start? "
            f'"stack" can be left out of the guards of partition {program.partition.name}',
        )
    sample = sample_check(profile.chip)
    if program.header is None and not sample.accepts(stack):
        yield (
            f"initial stack pointer 0x{stack:08x}: the boot check in {sample.source} (word 0 & 0x{sample.mask:08x} == "
            f"0x{RAM_START:08x}) rejects it, so that the application never starts though the flash is good; if your "
            f"bootloader has this check, end the stack below 0x{sample.end:08x} (linker script) or correct it"
        )


def _of_ram(location: Location) -> str:
    return f"; it is in {location.words}" if location.place is Place.SECURE_RAM else ""


def _not_looked_at(program: Program) -> str:
    return f"{program.why_hidden}: whether it belongs into {program.partition.name} was not checked"


def _subject(program: Program) -> str:
    return "image" if program.header is None else "program behind the MCUboot header"


def _asked_for(program: Program) -> str:
    names = sorted(str(guard) for guard in program.partition.guards & _VECTOR_TABLE)
    return " and ".join(f'"{name}"' for name in names)
