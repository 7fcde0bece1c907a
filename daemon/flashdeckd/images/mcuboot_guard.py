"""The guard `mcuboot`: an image is signed for MCUboot, as far as that can be told without its key."""

from collections.abc import Iterator

from flashdeck.errors import RefusedError
from flashdeckd.images import mcuboot
from flashdeckd.images.program import Program


def check(program: Program) -> None:
    """Raise RefusedError where the image has no MCUboot header, other sizes than that says, or another hash."""
    name, header = program.partition.name, program.header
    leave_out = f'where {name} holds something else, leave "mcuboot" out of its guards'
    if header is None:
        if program.room_for_header:
            raise not_signed(program)
        raise RefusedError(
            f"the image does not begin with an MCUboot header, which the guards of partition {name} ask for",
            hint=f"take the file that imgtool sign wrote; {leave_out}",
        )
    problem = mcuboot.contradiction(program.flat, header) or mcuboot.doubt(program.flat, header)
    if problem:
        raise RefusedError(
            f"the image has an MCUboot header, but {problem}", hint=f"sign it again (imgtool sign); {leave_out}"
        )


def doubts(program: Program) -> Iterator[str]:
    """Yield why MCUboot will not start an image with its header, where no guard asks for that."""
    doubt = mcuboot.doubt(program.flat, program.header) if program.header is not None else ""
    if doubt:
        yield f"the image has an MCUboot header, but {doubt}"


def not_signed(program: Program) -> RefusedError:
    """Return what to say of an image that has room for an MCUboot header, and no header."""
    room, start = program.room_for_header, program.partition.name
    what = "has its vector table" if program.image.is_program else "begins"
    return RefusedError(
        f"the image {what} 0x{room:x} bytes behind the start of partition {start}, with room for an MCUboot header "
        "before it: this is MCUboot's input before signing",
        hint="take the signed file: zephyr.signed.bin or .hex, or what imgtool sign wrote. If the room is for a header "
        f'of your own, set vectors = "+0x{room:x}"',
    )
