"""Images as people's tools make them by mistake: refused, with what is wrong and what to do."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Crc, CrcGuard, Guard, Partition, PartitionKind
from flashdeck.errors import RefusedError
from flashdeck.geometry import Geometry, Range
from flashdeckd.images.guards import check, is_program_for
from flashdeckd.images.image import Image, Piece
from flashdeckd.images.version import find_version
from product_images import FITS, PRODUCT, STACK, START, K, profile, program, refused, taken, without

NO_RESET = without(PRODUCT, Guard.RESET)
UNGUARDED = profile(guards=FITS)


# Linked elsewhere


@pytest.mark.parametrize("higher", [0x2000, 0x8000, 0x10000, 0x40000])
def test_an_image_that_is_linked_higher_than_its_partition_starts(higher: int) -> None:
    image = program(vector=START + higher + 0x101)
    error = refused(image)
    assert f"linked for 0x{START + higher:08x}?" in error.message
    assert f"link the image for 0x{START:08x}" in error.hint
    assert '"reset"' in error.hint
    assert taken(image, NO_RESET) == ()


def test_an_image_that_was_cut_off_is_not_called_linked_elsewhere_where_some_handlers_are_in_it() -> None:
    table = struct.pack("<16I", STACK, START + 0x3001, *[START + 0x101] * 14)
    error = refused(table + program()[64:])
    assert "behind its end" in error.message
    assert "linked for" not in error.message
    assert "cut off" in error.hint


def test_a_reset_handler_may_be_in_another_piece_and_not_in_the_gap_between_them() -> None:
    def sparse(reset: int) -> Image:
        return Image.of([Piece(0, program(vector=START + reset)[:256]), Piece(0x4000, bytes(256))])

    assert taken(sparse(0x4011)) == ()
    assert "no bytes" in refused(sparse(0x2001)).message


def test_an_image_that_is_linked_for_flash_without_a_partition() -> None:
    error = refused(program(vector=0x080E0101))
    assert "flash that belongs to no partition" in error.message
    assert "linked for 0x080e0000?" in error.message


@pytest.mark.parametrize("address", [0x24000000, 0x20008000])
def test_an_image_that_runs_from_ram(address: int) -> None:
    image = program(vector=address + 0x101)
    error = refused(image)
    assert "runs from RAM at 0x2" in error.message
    assert f"linked for 0x{address:08x}?" in error.message
    assert 'leave "reset" out of the guards of app1' in error.hint
    assert taken(image, NO_RESET) == ()


# TrustZone


def test_an_image_for_the_secure_alias_is_told_so() -> None:
    error = refused(program(0x30010000, 0x0C020101))
    assert "secure alias" in error.message
    assert "link it for 0x08020000" in error.hint
    assert "address = 0x0c020000" in error.hint


def test_an_image_for_the_secure_alias_is_taken_where_that_is_configured() -> None:
    secure = profile(secure=True)
    assert taken(program(0x30010000, 0x0C020101), secure) == ()
    assert taken(program(STACK, 0x0C020101), secure) == ()  # secure code may use all RAM
    error = refused(program(), secure)
    assert "non-secure alias" in error.message
    assert "address = 0x08020000" in error.hint


def test_an_image_for_the_secure_alias_of_another_partition() -> None:
    assert "secure alias of flash (TrustZone), partition partition2" in refused(program(0x30010000, 0x0C080101)).message


def test_a_stack_in_the_secure_alias_of_ram_is_told_so() -> None:
    assert "secure alias of RAM" in refused(program(0x30010000)).message


def test_without_trustzone_there_is_no_secure_alias() -> None:
    plain = replace(PRODUCT, secure_alias=False)
    assert "secure" not in refused(program(0x30010000, 0x0C020101), plain).message


# Headers before the vector table


@pytest.mark.parametrize("blank", [b"\0", b"\xff"])
@pytest.mark.parametrize("room", [0x20, 0x80, 0x200, 0x400, 0x1000])
def test_the_input_of_mcuboots_signing_is_told_so(blank: bytes, room: int) -> None:
    body = program(vector=START + room + 0x101)
    for image in (Image.raw(blank * room + body), Image.of([Piece(room, body)])):
        for guards in (PRODUCT, NO_RESET, profile(guards=FITS | {Guard.MCUBOOT})):
            error = refused(image, guards)
            assert "MCUboot's input before signing" in error.message
            assert f"0x{room:x} bytes" in error.message
            assert "signed" in error.hint
        assert taken(image, UNGUARDED) == ()


def test_the_input_of_mcuboots_signing_for_an_alternate_setting() -> None:
    slot = Partition("slot", Range(0, 64 * K), guards=FITS | {Guard.MCUBOOT}, alternate=0)
    plain = replace(PRODUCT, geometry=Geometry(()), secure_alias=False, partitions={"slot": slot})
    assert "before signing" in refused(bytes(0x200) + program(vector=0x301), plain, "slot").message
    assert "does not begin with an MCUboot header" in refused(program(), plain, "slot").message


@pytest.mark.parametrize("room", [0x40, 0x200, 0x400])
def test_a_header_of_the_products_own(room: int) -> None:
    header = b"FWHD" + struct.pack("<3I", 1, 4096, 0)
    image = header.ljust(room, b"\0") + program(vector=START + room + 0x101)
    assert f'set vectors = "+0x{room:x}"' in refused(image).hint
    assert taken(image, profile(vectors=room)) == ()
    assert "at +0x80" in refused(image, profile(vectors=0x80)).message
    elsewhere = header.ljust(room, b"\0") + program(vector=0x08080101)
    assert "partition2" in refused(elsewhere, profile(vectors=room)).message
    no_stack = header.ljust(room, b"\0") + program(stack=0x10000000, vector=START + room + 0x101)
    assert "no initial stack pointer" in refused(no_stack, profile(vectors=room)).message


def test_a_header_of_the_products_own_that_is_missing() -> None:
    error = refused(Image.of([Piece(0x200, program(vector=START + 0x301))]), profile(vectors=0x200))
    assert "begins at 0x08020200" in error.message


# Data and patches


DATA = [bytes(100), b"\xff" * 4096, b"hello", bytes(range(256))]


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("offset", [0, 4, 0x2000])
def test_without_stack_and_reset_anything_that_fits_is_taken(data: bytes, offset: int) -> None:
    image = Image.of([Piece(offset, data)])
    assert taken(image, UNGUARDED) == ()
    assert taken(image, profile(guards=FITS, holds=PartitionKind.DATA)) == ()
    error = refused(image)
    assert 'leave "reset" and "stack" out of the guards of app1' in error.hint or "for this chip" in error.hint


def test_a_blank_image_and_a_patch_are_refused_by_either_guard() -> None:
    for only in (Guard.STACK, Guard.RESET):
        one = profile(guards=FITS | {only})
        assert "that is no program" in refused(b"\xff" * 64, one).message
        assert f'leave "{only}" out' in refused(b"\xff" * 64, one).hint
        error = refused(Image.of([Piece(0x2000, b"new")]), one)
        assert "begins at 0x08022000" in error.message
        assert f'leave "{only}" out' in error.hint


# The proof that a neighbour is a program


def test_a_program_is_proved_whatever_the_guards_of_its_partition() -> None:
    for name, start in (("app1", START), ("partition2", 0x08080000), ("bootloader", 0x08000000)):
        for product in (PRODUCT, UNGUARDED):
            partition = product.partitions[name]
            assert is_program_for(Image.raw(program(vector=start + 0x101)), product, partition)
            assert not is_program_for(Image.raw(program(vector=start + 0x2001)), product, partition)
            assert not is_program_for(Image.raw(program(0, start + 0x101)), product, partition)
            assert not is_program_for(Image.of([Piece(8, program(vector=start + 0x101))]), product, partition)
            assert not is_program_for(Image.raw(bytes(64)), product, partition)
            assert not is_program_for(Image(), product, partition)


def test_what_can_not_be_proved_to_be_a_program_is_none() -> None:
    image = Image.raw(program())
    no_ram = replace(PRODUCT, geometry=replace(PRODUCT.geometry, ram=()))
    assert not is_program_for(image, no_ram, no_ram.partitions["app1"])
    data = profile(holds=PartitionKind.DATA)
    assert not is_program_for(image, data, data.partitions["app1"])
    assert not is_program_for(image, PRODUCT, replace(PRODUCT.partitions["app1"], alternate=0))
    header = struct.pack("<IIHHIIBBHI4x", 0x96F3B83D, 0, 0x20, 0, 64, 0x04, 1, 0, 0, 0)
    assert not is_program_for(Image.raw(header + bytes(100)), PRODUCT, PRODUCT.partitions["app1"])
    too_large = Image.of([Piece(0, program()), Piece(400 * K, b"x")])
    assert not is_program_for(too_large, PRODUCT, PRODUCT.partitions["app1"])


# Anything at all


WORDS = st.sampled_from(
    (0, 0xFFFFFFFF, STACK, START + 0x101, START + 0x8001, 0x0C020101, 0x24000001, 0x96F3B83D, 0x200)
)
DATA_OF_WORDS = st.lists(WORDS, max_size=20).map(lambda words: struct.pack(f"<{len(words)}I", *words))
PIECES = st.lists(
    st.builds(Piece, st.sampled_from((0, 4, 0x20, 0x200, 0x1000, 384 * K - 4)), DATA_OF_WORDS | st.binary(max_size=80)),
    max_size=4,
)
GUARDS = st.frozensets(
    st.sampled_from(Guard) | st.builds(CrcGuard, st.sampled_from(Crc), st.none() | st.integers(0, 0x400))
)


@given(
    pieces=PIECES,
    guards=GUARDS,
    vectors=st.none() | st.integers(0, 96 * K).map(lambda words: 4 * words),
    secure=st.booleans(),
    alternate=st.none() | st.just(0),
)
def test_whatever_the_image_it_is_taken_or_refused(
    pieces: list[Piece], guards: frozenset[Guard | CrcGuard], vectors: int | None, secure: bool, alternate: int | None
) -> None:
    image = Image()
    for piece in pieces:
        image = Image.of([piece]).over(image)
    product = profile(secure=secure, guards=guards, vectors=vectors)
    partition = replace(product.partitions["app1"], alternate=alternate)
    try:
        said = "".join(check(image, product, partition))
    except RefusedError as error:
        said = error.message + error.hint
    assert said.isprintable()
    assert find_version(image, partition).isprintable()
    assert is_program_for(image, product, partition) in (True, False)


def test_a_new_guard_has_a_check() -> None:
    image = Image.raw(program())
    for guard in Guard:
        try:
            check(image, PRODUCT, replace(PRODUCT.partitions["app1"], guards=frozenset((guard,))))
        except RefusedError as error:
            assert guard in error.hint  # noqa: PT017 - the one that has something against it names itself
