"""What a file has in one piece across a partition's border is an image that is too large, unless it is two programs."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from flashdeck.config import Guard, Outside, Partition, PartitionKind, Profile, UsbId
from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.images import guards
from flashdeckd.images.image import Image, Piece
from flashdeckd.images.parsing import Parsed, parse_for
from flashdeckd.images.placement import NAMED
from image_writers import WRITERS, Pieces

K = 1024
SECTOR = 8 * K
SIZE = 16 * K
BELOW = Partition("below", Range.sized(0x08000000, SIZE))
OWN = Partition("own", Range.sized(0x08004000, SIZE), outside=Outside.LEAVE_OUT)
ABOVE = Partition("above", Range.sized(0x08008000, SIZE))
RAW = "merged.bin"


def product(*partitions: Partition) -> Profile:
    return Profile(
        name="product",
        dfu=UsbId(0x0483, 0xDF11),
        geometry=Geometry((Region(0x08000000, 64, SECTOR),), 16, (Range.sized(0x20000000, 64 * K),)),
        partitions={each.name: each for each in partitions},
    )


def program(partition: Partition, size: int) -> bytes:
    """A program with its vector table, of `size` bytes."""
    reset = partition.span.start + 0x21
    return (struct.pack("<4I", 0x20008000, reset, reset, reset) + b"code" * (SIZE // 4))[:size]


def file(name: str, pieces: Pieces) -> bytes:
    """The pieces in a format, or filled up from 0x08000000."""
    if name in WRITERS:
        return WRITERS[name](pieces)
    whole = Image.of(Piece(address - 0x08000000, data) for address, data in pieces)
    return whole.read(Range(0, whole.end))


def parsed(name: str, pieces: Pieces, profile: Profile, partition: Partition = OWN) -> Parsed:
    based = replace(partition, base=0x08000000) if name == RAW else partition
    found = parse_for(name, file(name, pieces), profile, based)
    guards.check(found.image, profile, based)
    return found


def refusal(name: str, pieces: Pieces, profile: Profile, partition: Partition = OWN) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        parsed(name, pieces, profile, partition)
    assert caught.value.kind is ErrorKind.OUTSIDE_PARTITION
    return caught.value


NEIGHBOURS: dict[str, Callable[[Partition], Partition | None]] = {
    "program": lambda each: each,
    "protected program": lambda each: replace(each, protected=True),
    "program without guards": lambda each: replace(each, guards=frozenset((Guard.FITS,))),
    "data": lambda each: replace(each, holds=PartitionKind.DATA, guards=frozenset((Guard.FITS,))),
    "nothing": lambda _: None,
}
each_format = pytest.mark.parametrize("name", [*WRITERS, RAW])
each_neighbour = pytest.mark.parametrize("neighbour", NEIGHBOURS)


def beside(kind: str) -> Profile:
    others = (NEIGHBOURS[kind](each) for each in (BELOW, ABOVE))
    return product(OWN, *(each for each in others if each is not None))


@each_format
@each_neighbour
@pytest.mark.parametrize("outside", Outside)
@pytest.mark.parametrize("excess", [1, 16, SECTOR])
def test_an_image_that_is_too_large_is_refused(name: str, neighbour: str, outside: Outside, excess: int) -> None:
    own = replace(OWN, outside=outside)
    image = program(OWN, SIZE)
    too_long = refusal(name, [(OWN.span.start, image + b"m" * excess)], beside(neighbour), own)
    too_early = refusal(name, [(OWN.span.start - excess, b"m" * excess + image)], beside(neighbour), own)
    both = refusal(name, [(OWN.span.start - excess, b"m" * excess + image + b"m" * excess)], beside(neighbour), own)
    if name == RAW:  # it always begins at the base, and so below
        return
    amount = "1 byte" if excess == 1 else f"{excess} bytes"
    assert f"ends {amount} behind own" in too_long.message
    assert f"begins {amount} before own" in too_early.message
    assert f"begins {amount} before own" in both.message
    for error in (too_long, too_early, both):
        assert "too large" in error.message
        assert "give a .hex whose pieces are apart" in error.hint


@each_format
@pytest.mark.parametrize("apart", [False, True])
def test_pieces_that_touch_at_the_border_are_one_piece(name: str, apart: bool) -> None:
    gap = 16 if apart and name != RAW else 0
    pieces = [(OWN.span.start, program(OWN, SIZE - gap)), (OWN.span.end, b"data")]
    if gap:
        assert parsed(name, pieces, beside("data")).image == Image.raw(program(OWN, SIZE - gap))
    else:
        assert "too large" in refusal(name, pieces, beside("data")).message


@each_format
@pytest.mark.parametrize("neighbour", ["program", "protected program", "program without guards"])
def test_two_programs_that_touch_are_told_apart_by_their_vector_tables(name: str, neighbour: str) -> None:
    profile = beside(neighbour)
    whole = [(each.span.start, program(each, SIZE)) for each in (BELOW, OWN, ABOVE)]
    found = parsed(name, whole, profile)
    assert found.image == Image.raw(program(OWN, SIZE))
    assert sum("cut at" in note for note in found.notes) == 2
    assert "below" in "".join(found.notes)
    assert 'outside = "leave-out"' in refusal(name, whole, profile, replace(OWN, outside=Outside.REFUSE)).hint
    for cut in (0, 2):  # one of the neighbours is none by its bytes
        odd = [(at, data if n != cut else b"\xff" * SIZE) for n, (at, data) in enumerate(whole)]
        assert "too large" in refusal(name, odd, profile).message


@each_format
def test_what_is_no_program_here_is_never_cut_from_a_program_there(name: str) -> None:
    """It would be the end of an image that is too large for its own partition."""
    profile = beside("program")
    spill = [(BELOW.span.start, program(BELOW, SIZE) + b"m" * 16)]
    for own in (OWN, replace(OWN, guards=frozenset((Guard.FITS,))), replace(OWN, holds=PartitionKind.DATA)):
        assert (
            "too large" in refusal(name, spill, replace(profile, partitions={"below": BELOW, "own": own}), own).message
        )


@each_format
def test_without_a_known_ram_nothing_proves_a_program(name: str) -> None:
    profile = beside("program")
    profile = replace(profile, geometry=replace(profile.geometry, ram=()))
    own = replace(OWN, guards=frozenset((Guard.FITS, Guard.RESET)))
    whole = [(each.span.start, program(each, SIZE)) for each in (OWN, ABOVE)]
    if name != RAW:
        assert "too large" in refusal(name, whole, profile, own).message


@each_format
def test_a_file_with_nothing_for_the_partition_is_refused_whatever_is_configured(name: str) -> None:
    for outside in Outside:
        own = replace(OWN, outside=outside)
        error = refusal(name, [(BELOW.span.start, program(BELOW, 64))], beside("program"), own)
        assert "has nothing for own" in error.message
        assert "flash this file to below" in error.hint
    refusal(name, [(BELOW.span.start, program(BELOW, 64))], beside("protected program"))


@each_format
def test_bytes_in_ram_are_no_reason_to_leave_them_out(name: str) -> None:
    """They are initial values that the linker did not put into the flash: the program would start without them."""
    if name == RAW:
        return
    for strays in ([(0x20000000, b"data")], [(BELOW.span.start, b"boot"), (0x20000000, b"data")]):
        pieces = [(OWN.span.start, program(OWN, 64)), *strays]
        error = refusal(name, pieces, beside("program"), replace(OWN, outside=Outside.REFUSE))
        assert "RAM" in error.message
        assert "leave-out" not in error.hint
        assert "AT>" in error.hint


@pytest.mark.parametrize("name", WRITERS)
def test_the_note_of_what_was_left_out_is_bounded(name: str) -> None:
    strays = [(0x20000000 + 16 * n, b"x") for n in range(1000)]
    found = parsed(name, [(OWN.span.start, program(OWN, 64)), *strays], beside("program"))
    assert found.image == Image.raw(program(OWN, 64))
    (note,) = found.notes
    assert "0x20000000-0x20000000 (RAM)" in note
    assert f"{1000 - NAMED} more pieces" in note
    assert note.count("(RAM)") == NAMED
    assert len(note) < 300
