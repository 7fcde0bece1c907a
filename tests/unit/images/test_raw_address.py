"""The address of a raw binary, from its vector table and its pointers."""

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashdeckd.images.raw_address import CODE, MOST_INSIDE, POINTERS_LOOKED_AT, STACKS, linked_address, vectors_at

DATA = Path(__file__).parents[2] / "data" / "cases"


def program(base: int, size: int, *, pointers: int = 300, stack: int = 0x20010000, seed: int = 1) -> bytes:
    """A program as a linker makes it: handlers at its start, and pointers to all of it here and there."""
    dice = random.Random(seed)  # noqa: S311 - contents, not secrets
    handlers = [base + 0x200 + 8 * number + 1 for number in range(15)]
    body = bytearray(dice.randbytes(size))
    struct.pack_into("<16I", body, 0, stack, *handlers)
    for _ in range(pointers):
        at = dice.randrange(0x200, size - 4) & ~3
        struct.pack_into("<I", body, at, base + dice.randrange(size))
    return bytes(body)


@pytest.mark.parametrize("size", [0x800, 0x6000, 0x20000, 0x60000])
@pytest.mark.parametrize("base", [0x08000000, 0x08004000, 0x0800C000, 0x08020000, 0x08080000, 0x0C020000])
def test_it_is_the_round_address_that_the_pointers_lie_behind(base: int, size: int) -> None:
    assert linked_address(program(base, size)) == base
    assert linked_address(program(base, size) + b"\xff" * 0x40000) == base, "padded to the size of its partition"
    assert linked_address(program(base, size) + bytes(0x40000)) == base


def test_a_header_in_front_of_the_vector_table_belongs_to_it() -> None:
    inside = program(0x08020200, 0x8000)
    assert linked_address(bytes(0x200) + inside, 0x200) == 0x08020000


def test_real_programs() -> None:
    for name, address in {"controls/good.bin": 0x08020000, "c15-runs-from-ram.bin": 0x24000000}.items():
        assert linked_address((DATA / name).read_bytes()) == address


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 4096,
        b"\xff" * 4096,
        bytes(range(256)) * 16,
        struct.pack("<II", STACKS.end + 4, 0x08000101) + bytes(100),
        struct.pack("<II", STACKS.start, 0x08000101) + bytes(100),
        struct.pack("<II", 0x20001002, 0x08000101) + bytes(100),
        struct.pack("<II", 0x20001000, 0x08000100) + bytes(100),
        struct.pack("<II", 0x20001000, CODE.end + 1) + bytes(100),
        struct.pack("<I", 0x20001000),
    ],
)
def test_what_has_no_vector_table_has_no_address(data: bytes) -> None:
    assert linked_address(data) is None


def test_vectors_elsewhere_have_to_agree_with_each_other() -> None:
    good = struct.pack("<16I", 0x1FFF8000, *[0x00000401] * 15) + b"\xaa" * 0x1000
    assert linked_address(good) == 0
    assert vectors_at(struct.pack("<16I", 0x1FFF8000, 0x401, 0x400, *[0x401] * 13) + bytes(0x1000)) is None
    assert vectors_at(struct.pack("<16I", 0x1FFF8000, 0x401, 0x80401, *[0x401] * 13) + bytes(0x1000)) is None


def test_a_few_words_that_look_like_pointers_do_not_count() -> None:
    """A share of them may lie outside: 32 bits that are no address look like one now and then."""
    body = bytearray(program(0x08020000, 0x60000, pointers=2000))
    few = int(2000 * (1 - MOST_INSIDE) / 2)
    for number in range(few):
        struct.pack_into("<I", body, 0x1000 + 4 * number, 0x08000004 + 4 * number)
    assert linked_address(bytes(body)) == 0x08020000


def test_pointers_are_looked_for_in_so_much_of_it() -> None:
    """Behind that, nothing changes the answer."""
    size = POINTERS_LOOKED_AT + 0x1000
    body = bytearray(program(0x08020000, 0x1000)) + bytearray(b"\xaa" * (size - 0x1000))
    before = linked_address(bytes(body))
    assert before == 0x08000000
    to_the_end = struct.pack("<400I", *range(0x08020000 + size - 1600, 0x08020000 + size, 4))
    body[POINTERS_LOOKED_AT : POINTERS_LOOKED_AT + 1600] = to_the_end
    assert linked_address(bytes(body)) == before
    body[POINTERS_LOOKED_AT - 1600 : POINTERS_LOOKED_AT] = to_the_end
    assert linked_address(bytes(body)) == 0x08020000


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    address = linked_address(data)
    assert address is None or 0 <= address < 1 << 32
