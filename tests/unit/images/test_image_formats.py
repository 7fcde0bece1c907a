"""Only raw binaries are images; everything else is refused with the way to one."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.errors import ErrorKind, RefusedError
from flashdeckd.images.formats import parse

RAW = struct.pack("<II", 0x20030000, 0x08020251) + bytes(range(200))
HEX = b":020000040802F0\r\n:10000000000003205102020800000000000000006E\r\n:00000001FF\r\n"
SREC = b"S0030000FC\nS31508020000000003205102020800000000000000005C\nS70508020251A3\n"
DFU_SUFFIX = bytes.fromhex("000011df83041a01") + b"UFD" + b"\x10" + bytes(4)


def refusal(name: str, data: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        parse(name, data)
    assert caught.value.kind is ErrorKind.GUARD
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("name", ["APP1.bin", "APP1", "firmware.img", "/some/where/APP1.BIN", ""])
def test_a_raw_binary_is_itself_whatever_its_name(name: str) -> None:
    assert parse(name, RAW) == RAW


@pytest.mark.parametrize(
    ("name", "data", "said", "hinted"),
    [
        ("APP1.elf", b"\x7fELF\x01\x01\x01" + RAW, "ELF", "objcopy -O binary 'APP1.elf' 'APP1.bin'"),
        ("APP1.bin", b"\x7fELF\x01\x01\x01" + RAW, "ELF", "objcopy -O binary"),
        ("APP1.hex", HEX, "Intel HEX", "objcopy -I ihex -O binary 'APP1.hex' 'APP1.bin'"),
        ("APP1.bin", b"\xef\xbb\xbf" + HEX, "Intel HEX", "-I ihex"),
        ("APP1.bin", b"\r\n" + HEX, "Intel HEX", "-I ihex"),
        ("APP1.s19", SREC, "S-record", "-I srec"),
        ("APP1.dfu", b"DfuSe\x01" + bytes(300) + DFU_SUFFIX, "DfuSe", ".bin"),
        ("APP1.bin", b"DfuSe\x01" + RAW, "DfuSe", ".bin"),
        ("APP1.bin", RAW + DFU_SUFFIX, "DFU suffix", "dfu-suffix --delete 'APP1.bin'"),
        ("APP1.uf2", b"UF2\n" + bytes(508), "UF2", ".bin"),
    ],
)
def test_other_formats_are_told_by_their_contents(name: str, data: bytes, said: str, hinted: str) -> None:
    error = refusal(name, data)
    assert said in error.message
    assert name in error.message
    assert hinted in error.hint


@pytest.mark.parametrize("name", ["APP1.elf", "APP1.ELF", "APP1.axf", "APP1.hex", "APP1.dfu", "APP1.srec", "APP1.uf2"])
def test_a_name_of_another_format_with_raw_contents_is_refused(name: str) -> None:
    error = refusal(name, RAW)
    assert name in error.message
    assert "contents are not" in error.message


def test_a_colon_at_the_start_alone_makes_no_intel_hex() -> None:
    data = b":\x00\x03\x20" + RAW
    assert parse("APP1.bin", data) == data


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 4096, b"\x00" * 4096])
def test_empty_and_erased_looking_files_are_refused(data: bytes) -> None:
    assert "APP1.bin" in refusal("APP1.bin", data).message


def test_other_constant_bytes_are_data() -> None:
    assert parse("pattern.bin", b"\x55" * 64) == b"\x55" * 64


def test_a_name_with_control_characters_reaches_no_message() -> None:
    assert "\x1b" not in refusal("\x1b[31mAPP1.elf", RAW).message


@given(st.text(max_size=20), st.binary(max_size=400))
def test_anything_is_either_itself_or_refused(name: str, data: bytes) -> None:
    said = ""
    try:
        assert parse(name, data) == data
    except RefusedError as error:
        said = error.message + error.hint
    assert said.isprintable()
