"""String descriptors, as devices send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.errors import DescriptorError
from flashdeck.memory_map import parse_memory_map
from flashdeckd.usb.strings import decode_string

MAP = "@Internal Flash  /0x08000000/04*016Kg"


def descriptor(body: bytes, length: int | None = None) -> bytes:
    return bytes((2 + len(body) if length is None else length, 3)) + body


def test_a_string_is_utf_16() -> None:
    assert decode_string(descriptor(MAP.encode("utf-16-le"))) == MAP
    assert decode_string(descriptor("Gerät Ω".encode("utf-16-le"))) == "Gerät Ω"
    assert decode_string(descriptor("A".encode("utf-16-le"))) == "A"


@pytest.mark.parametrize("length", [0xFE, 0xFF])
def test_a_length_that_promises_more_than_came_is_not_believed(length: int) -> None:
    raw = descriptor(MAP.encode("utf-16-le"), length)
    assert decode_string(raw) == MAP
    assert decode_string(raw[:-1]) == MAP[:-1], "half a character"


def test_what_comes_behind_the_length_is_not_part_of_it() -> None:
    assert decode_string(descriptor(MAP.encode("utf-16-le") + b"rest", 2 + 2 * len(MAP))) == MAP


def test_a_string_that_was_sent_without_widening_is_read_as_it_is() -> None:
    assert decode_string(descriptor(MAP.encode())) == MAP
    assert decode_string(descriptor(MAP.encode() + b"\0")) == MAP
    assert decode_string(descriptor(b"3CJ8")) == "3CJ8"


def test_garbage_in_a_string_leaves_the_rest_readable() -> None:
    spoilt = MAP[:9].encode("utf-16-le") + b"\x00\xd8" + MAP[9:].encode("utf-16-le")
    assert decode_string(descriptor(spoilt)) == MAP[:9] + "\N{REPLACEMENT CHARACTER}" + MAP[9:]
    assert parse_memory_map(decode_string(descriptor(spoilt))) == parse_memory_map(MAP)


@pytest.mark.parametrize("raw", [b"", b"\x03", b"\x02\x03", b"\x00\x03", b"\x03\x03A", b"\x04\x09A\0", b"\x00\x03A\0"])
def test_what_is_no_string_is_empty(raw: bytes) -> None:
    assert decode_string(raw) == ""


@given(st.binary(max_size=300))
def test_any_bytes_give_a_text_and_a_map_or_a_clear_error(raw: bytes) -> None:
    text = decode_string(raw)
    assert len(text) <= 253
    try:
        parse_memory_map(text)
    except DescriptorError as error:
        trouble = error
    else:
        return
    assert trouble.hint
    assert len(trouble.message) < 1000
    assert trouble.message.isprintable()
