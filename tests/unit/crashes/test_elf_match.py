"""An ELF file is that of the image on a board where their code is the same."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from crash_elves import ELF, IMAGE, ORIGIN, SYSTICK, TABLES, compiled
from flashdeck.geometry import Range
from flashdeckd.crashes.elf_match import PATCHED_PLACES, PLACE, difference
from flashdeckd.images import elf
from flashdeckd.images.image import Image, Piece

WHOLE, BYTES = ELF.read_bytes(), IMAGE.read_bytes()
SPAN = Range.sized(ORIGIN, 384 * 1024)
DATA = len(BYTES) // 2
"""An offset in the tables of the firmware."""


def changed(*offsets: int) -> Image:
    """Return the image with these bytes changed."""
    data = bytearray(BYTES)
    for offset in offsets:
        data[offset] ^= 0xFF
    return Image.raw(bytes(data))


def test_the_file_of_the_build_is_the_same() -> None:
    assert difference("APP1.elf", WHOLE, Image.raw(BYTES), SPAN) == ""


def test_what_follows_the_program_does_not_matter() -> None:
    assert difference("APP1.elf", WHOLE, Image.raw(BYTES + b"signature"), SPAN) == ""


def test_one_byte_of_code_makes_it_another_build() -> None:
    found = difference("APP1.elf", WHOLE, changed(SYSTICK - ORIGIN + 1), SPAN)
    assert found == f"its code differs at 0x{SYSTICK + 1:08x}"


@dataclass(frozen=True)
class Tables:
    """A build with constants in a section of their own."""

    elf: bytes
    image: Image
    table: int
    """The offset of the first place of constants."""

    def difference(self, *offsets: int) -> str:
        """Return how the file differs where bytes of the image, behind `table`, are others."""
        pieces = [(piece.offset, bytearray(piece.data)) for piece in self.image.pieces]
        for offset in offsets:
            start, data = next(each for each in pieces if each[0] <= self.table + offset < each[0] + len(each[1]))
            data[self.table + offset - start] ^= 0xFF
        changed = Image.of(Piece(start, bytes(data)) for start, data in pieces)
        return difference("APP1.elf", self.elf, changed, SPAN)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    data = compiled(tmp_path, source=TABLES).read_bytes()
    segments = elf.read("APP1.elf", data).segments
    constants = next(each for each in segments if each.section == ".rodata")
    image = Image.of(Piece(each.address - ORIGIN, bytes(each.data)) for each in segments)
    return Tables(data, image, constants.address - ORIGIN)


def test_a_checksum_may_be_put_in_afterwards(tables: Tables) -> None:
    places = [2 * PLACE * number for number in range(PATCHED_PLACES + 1)]
    assert tables.difference() == ""
    assert tables.difference(*places[:PATCHED_PLACES]) == ""
    found = tables.difference(*places)
    assert found.startswith("its data differs at 0x")
    assert found.endswith(", and in more places")


def test_a_place_is_so_long(tables: Tables) -> None:
    whole = range(PATCHED_PLACES * PLACE)
    assert tables.difference(*whole) == ""
    assert tables.difference(*whole, PATCHED_PLACES * PLACE) != ""


def test_code_that_the_image_does_not_have_makes_it_another_build() -> None:
    short = Image.raw(BYTES[: SYSTICK - ORIGIN])
    assert difference("APP1.elf", WHOLE, short, SPAN).startswith("it has code at 0x")


def test_a_file_that_is_linked_for_another_partition_is_none() -> None:
    found = difference("APP2.elf", ELF.with_name("APP2.elf").read_bytes(), Image.raw(BYTES), SPAN)
    assert found == "it has no code from 0x08020000 to 0x0807ffff"


def test_without_addresses_it_begins_where_the_file_does() -> None:
    assert difference("APP1.elf", WHOLE, Image.raw(BYTES), None) == ""
    assert difference("APP1.elf", WHOLE, changed(SYSTICK - ORIGIN), None) != ""


@pytest.mark.parametrize("size", [0x20, 0x200])
def test_the_header_of_a_signed_image_is_not_in_the_file(size: int) -> None:
    """MCUboot's header is put over the first bytes, which the linker has left free."""
    header = b"\x3d\xb8\xf3\x96" + b"\0" * 4 + size.to_bytes(2, "little") + b"\0" * 2
    header += len(BYTES).to_bytes(4, "little") + b"\0" * 16
    signed = bytearray(BYTES)
    signed[:size] = header.ljust(size, b"\0")
    assert difference("APP1.elf", WHOLE, Image.raw(bytes(signed)), SPAN) == ""
    signed[SYSTICK - ORIGIN] ^= 1
    code = Range.sized(ORIGIN, size)
    if not code.start <= SYSTICK < code.end:
        assert difference("APP1.elf", WHOLE, Image.raw(bytes(signed)), SPAN) != ""


@pytest.mark.parametrize("data", [WHOLE[:100], WHOLE[:60_000], b"\x7fELF", b"", b"\x7fELF\x02" + WHOLE[5:]])
def test_a_broken_file_is_said_to_be_that(data: bytes) -> None:
    assert "APP1.elf" in difference("APP1.elf", data, Image.raw(BYTES), SPAN)


def test_without_headers_of_sections_all_of_it_has_to_be_the_same() -> None:
    bare = bytearray(WHOLE)
    bare[32:36] = b"\0" * 4  # e_shoff
    bare[48:50] = b"\0" * 2  # e_shnum
    assert difference("APP1.elf", bytes(bare), Image.raw(BYTES), SPAN) == ""
    assert difference("APP1.elf", bytes(bare), changed(DATA), SPAN).startswith("its code differs")


def test_an_image_with_a_hole_in_its_code_is_another_one() -> None:
    half = len(BYTES) // 2
    pieces = Image.of((Piece(0, BYTES[:half]), Piece(half + 4, BYTES[half + 4 :])))
    assert difference("APP1.elf", WHOLE, pieces, SPAN) == "it has code at 0x08020000, where the image has none"
