"""A CRC that a post-build step put into the image, where products really put it."""

import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import AnyGuard, ByteOrder, Crc, CrcField, CrcGuard
from flashdeckd.images.crc_guard import crc
from flashdeckd.images.image import Image, Piece
from product_images import FITS, K, profile, refused, taken

DATA = random.Random(1).randbytes(4092)  # noqa: S311 - nothing secret


def guarded(guard: CrcGuard) -> frozenset[AnyGuard]:
    return FITS | {guard}


@pytest.mark.parametrize(
    ("kind", "value"),  # of "123456789", from the RevEng catalogue
    [
        (Crc.CRC32, 0xCBF43926),
        (Crc.CRC32_MPEG2, 0x0376E6E7),
        (Crc.CRC32_BZIP2, 0xFC891918),
        (Crc.CRC32_JAMCRC, 0x340BC6D9),
        (Crc.CRC16_CCITT, 0x29B1),
        (Crc.CRC16_XMODEM, 0x31C3),
    ],
)
def test_each_kind_is_the_one_of_its_name(kind: Crc, value: int) -> None:
    assert crc(kind, b"123456789") == value


def of_the_unit(words: list[int]) -> int:
    """The CRC unit of STM32 with its defaults, bit by bit: words, most significant bit first."""
    register = 0xFFFFFFFF
    for word in words:
        register ^= word
        for _ in range(32):
            register = (register << 1 ^ (0x04C11DB7 if register >> 31 else 0)) & 0xFFFFFFFF
    return register


@given(st.lists(st.integers(0, 0xFFFFFFFF), max_size=20))
def test_the_kind_of_the_stm32_is_what_its_unit_computes_over_words(words: list[int]) -> None:
    assert crc(Crc.STM32, struct.pack(f"<{len(words)}I", *words)) == of_the_unit(words)


@pytest.mark.parametrize("kind", Crc)
@pytest.mark.parametrize("order", ByteOrder)
def test_the_last_bytes_of_the_image(kind: Crc, order: ByteOrder) -> None:
    guard = guarded(CrcGuard(kind, order=order))
    good = DATA + crc(kind, DATA).to_bytes(kind.size, order.value)
    assert taken(good, profile(guards=guard)) == ()
    bad = bytes([good[0] ^ 1]) + good[1:]
    error = refused(bad, profile(guards=guard))
    assert f"the {kind} at its end is 0x" in error.message
    assert "post-build step" in error.hint


def test_another_kind_or_order_is_named_where_its_value_is_there() -> None:
    image = DATA + struct.pack(">I", crc(Crc.STM32, DATA))
    error = refused(image, profile(guards=guarded(CrcGuard(Crc.CRC32))))
    assert 'crc = "stm32" with order = "big"' in error.hint


def test_behind_a_filled_partition() -> None:
    """As `srec_cat -fill 0xff -crc32-l-e` does: at the partition's end, over all before it."""
    size = 384 * K
    filled = DATA.ljust(size - 4, b"\xff")
    guard = guarded(CrcGuard(Crc.CRC32, at=size - 4))
    assert taken(filled + struct.pack("<I", zlib.crc32(filled)), profile(guards=guard)) == ()
    sparse = Image.of([Piece(0, DATA), Piece(size - 4, struct.pack("<I", zlib.crc32(filled)))])
    assert taken(sparse, profile(guards=guard)) == ()
    assert "does not define the crc32 at +0x5fffc" in refused(DATA, profile(guards=guard)).message


def test_in_a_header_over_what_follows() -> None:
    guard = guarded(CrcGuard(Crc.CRC32, at=8, start=0x200))
    header = struct.pack("<4sII", b"FWHD", len(DATA), zlib.crc32(DATA)).ljust(0x200, b"\0")
    assert taken(header + DATA, profile(guards=guard)) == ()
    assert "covers (+0x200 to" in refused(header + DATA + b"x", profile(guards=guard)).message
    assert "covers 0 bytes" in refused(header, profile(guards=guard)).message


@pytest.mark.parametrize(
    ("field", "counted"), [(CrcField.ZEROS, bytes(4)), (CrcField.ONES, b"\xff" * 4), (CrcField.SKIPPED, b"")]
)
def test_in_what_it_covers(field: CrcField, counted: bytes) -> None:
    """As in a reserved word of the vector table."""
    guard = guarded(CrcGuard(Crc.CRC32_MPEG2, at=0x1C, field=field))
    value = struct.pack("<I", crc(Crc.CRC32_MPEG2, DATA[:0x1C] + counted + DATA[0x20:]))
    image = DATA[:0x1C] + value + DATA[0x20:]
    assert taken(image, profile(guards=guard)) == ()
    refused(image[:-1] + b"\0\0", profile(guards=guard))


def test_a_range_of_its_own() -> None:
    guard = guarded(CrcGuard(Crc.CRC16_CCITT, at=0x800, start=0x100, end=0x400))
    image = DATA[:0x800] + struct.pack("<H", crc(Crc.CRC16_CCITT, DATA[0x100:0x400])) + DATA
    assert taken(image, profile(guards=guard)) == ()


@pytest.mark.parametrize("order", ByteOrder)
def test_a_length_in_the_header_says_how_much_is_covered(order: ByteOrder) -> None:
    guard = guarded(CrcGuard(Crc.CRC32, at=8, start=0x200, length=4, order=order))

    def image(length: int) -> bytes:
        numbers = length.to_bytes(4, order.value) + zlib.crc32(DATA).to_bytes(4, order.value)
        return (b"FWHD" + numbers).ljust(0x200, b"\0") + DATA

    assert taken(image(len(DATA)), profile(guards=guard)) == ()
    assert taken(image(len(DATA)) + b"\xff" * 100, profile(guards=guard)) == ()
    assert "the image ends at" in refused(image(len(DATA) + 1), profile(guards=guard)).message
    assert "the image ends at" in refused(image(0), profile(guards=guard)).message
    assert "the image ends at" in refused(image(0xFFFFFFFF), profile(guards=guard)).message
    assert "that of the bytes" in refused(image(len(DATA) - 1), profile(guards=guard)).message
    nowhere = guarded(CrcGuard(Crc.CRC32, at=8, start=0x200, length=0x10000))
    assert "or its length at +0x10000" in refused(image(len(DATA)), profile(guards=nowhere)).message


def test_a_length_that_takes_in_the_crc_itself() -> None:
    image = struct.pack("<4sI", b"FWHD", 64) + DATA
    assert "field" in refused(image, profile(guards=guarded(CrcGuard(Crc.CRC32, at=8, length=4)))).hint
    zeros = CrcGuard(Crc.CRC32, at=8, length=4, field=CrcField.ZEROS)
    value = zlib.crc32(image[:8] + bytes(4) + image[12:64])
    assert taken(image[:8] + struct.pack("<I", value) + image[12:], profile(guards=guarded(zeros))) == ()
    outside = CrcGuard(Crc.CRC32, at=100, length=4, field=CrcField.ZEROS)
    value = zlib.crc32(image[:64])
    assert taken(image[:100] + struct.pack("<I", value) + image[104:], profile(guards=guarded(outside))) == ()


def test_words_need_whole_words() -> None:
    guard = guarded(CrcGuard(Crc.STM32))
    assert "words of 4 bytes" in refused(DATA[:-1] + bytes(4), profile(guards=guard)).message


@pytest.mark.parametrize("size", [0, 1, 4])
def test_an_image_too_short_for_its_crc(size: int) -> None:
    refused(bytes(size), profile(guards=guarded(CrcGuard(Crc.CRC32))))
