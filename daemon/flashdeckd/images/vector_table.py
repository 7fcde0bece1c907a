"""The common part of the guards `reset` and `stack`: a vector table must be there before it can be judged."""

from flashdeck.config import AnyGuard, Guard
from flashdeck.errors import RefusedError
from flashdeckd.images import mcuboot
from flashdeckd.images.mcuboot_guard import not_signed
from flashdeckd.images.program import LOOKED_AT, Program

GUARDS = frozenset[AnyGuard]((Guard.STACK, Guard.RESET))
"""The guards that look at the vector table."""


def stack_and_reset(program: Program) -> tuple[int, int] | None:
    """Return initial stack pointer and reset vector; None where they cannot be looked at.

    Raises RefusedError where there is no vector table.
    """
    partition, image = program.partition, program.image
    leave_out = f"leave {names(program)} out of the guards of {partition.name}"
    if program.header is not None:
        broken = mcuboot.contradiction(program.flat, program.header)
        if broken:
            raise RefusedError(
                broken,
                hint="the file was cut off or damaged: sign the image again (imgtool sign), or copy it again. Where "
                f"{partition.name} holds something else, {leave_out}",
            )
    if program.filler is not None:
        raise RefusedError(
            f"the image is {image.size} bytes and all of them are 0x{program.filler:02x}: that is no program",
            hint="look at the build: 0xff is erased flash, 0x00 a file that was made longer but never written. To "
            f"flash it all the same, {leave_out}",
        )
    if program.room_for_header and partition.vectors is None:
        raise not_signed(program)
    if image.pieces and not image.is_program:
        start = partition.span.start
        raise RefusedError(
            f"the image begins at 0x{start + image.pieces[0].offset:08x}, and partition {partition.name} at "
            f"0x{start:08x}: what the bootloader starts would not be there",
            hint=f"link the image for 0x{start:08x} (FLASH ORIGIN in the linker script); if it is a patch or data, "
            f"{leave_out}",
        )
    if program.why_hidden:
        return None
    if len(program.vectors) < LOOKED_AT:
        raise RefusedError(
            f"the image is {image.size} bytes long: too short for a vector table, which partition {partition.name} "
            f"expects at {place(program)}",
            hint=f"look at the build; if this image has no vector table, {leave_out}",
        )
    return program.vectors[0], program.vectors[1]


def no_table(program: Program) -> str:
    """Return a hint for an image without a vector table where it belongs."""
    name, found = program.partition.name, program.table_elsewhere
    if found is not None:
        return f'one seems to be at +0x{found:x}: if a header of your own comes before it, set vectors = "+0x{found:x}"'
    return f"is this firmware for this chip? Where {name} holds data, leave {names(program)} out of its guards"


def not_looked_at(program: Program) -> str:
    """Return what to warn of where the vector table cannot be looked at."""
    return f"{program.why_hidden}: whether it belongs into {program.partition.name} was not checked"


def place(program: Program) -> str:
    """Return where the vector table is, in words."""
    return f"+0x{program.table:x}" if program.table else "its start"


def subject(program: Program) -> str:
    """Return what has the vector table, in words."""
    return "image" if program.header is None else "program behind the MCUboot header"


def names(program: Program) -> str:
    """Return the guards of its partition that look at the vector table, in words."""
    return " and ".join(f'"{guard}"' for guard in (Guard.RESET, Guard.STACK) if guard in program.partition.guards)
