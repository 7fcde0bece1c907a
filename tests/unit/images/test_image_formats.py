"""The format of a file comes from its contents; without a partition only raw binaries are images."""

import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Profile, UsbId
from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Geometry
from flashdeck.image_formats import SUFFIXES_IN_WORDS, TAKEN, TITLES_IN_WORDS, ImageFormat
from flashdeckd.images.formats import READERS, recognised
from flashdeckd.images.image import PREFIX, Image, Piece
from flashdeckd.images.parsing import parse
from image_writers import WRITERS, hexed, srec, suffixed

PROFILE = Profile("product", Geometry(()), dfu=UsbId(0x0483, 0xDF11))
RAW = struct.pack("<II", 0x20030000, 0x08020251) + bytes(range(200))
HEX = hexed([(0x08020000, RAW)])
SREC = srec([(0x08020000, RAW)])


def refusal(name: str, data: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        parse(name, data)
    assert caught.value.kind is ErrorKind.GUARD
    assert caught.value.hint
    return caught.value


def test_every_format_has_a_reader() -> None:
    assert [reader.format for reader in READERS].count(ImageFormat.RAW) == 1
    assert {reader.format for reader in READERS} == set(ImageFormat)


def test_help_texts_are_made_from_the_formats() -> None:
    assert SUFFIXES_IN_WORDS == ".bin, .elf, .hex, .srec or .dfu"
    assert all(each.title in TITLES_IN_WORDS for each in TAKEN)
    assert "UF2" not in TITLES_IN_WORDS


@pytest.mark.parametrize("name", ["APP1.bin", "APP1", "firmware.img", "/some/where/APP1.BIN", "", "a.out"])
def test_a_raw_binary_is_itself_whatever_its_name(name: str) -> None:
    assert parse(name, RAW) == Image.raw(RAW)


@pytest.mark.parametrize(
    ("name", "data", "said", "hinted"),
    [
        ("APP1.elf", b"\x7fELF\x01\x01\x01" + RAW, "ELF", "objcopy -O binary 'APP1.elf' 'APP1.bin'"),
        ("APP1.bin", b"\x7fELF\x01\x01\x01" + RAW, "ELF", "objcopy -O binary"),
        ("APP1.hex", HEX, "Intel HEX", "objcopy -I ihex -O binary 'APP1.hex' 'APP1.bin'"),
        ("APP1.bin", b"\xef\xbb\xbf" + HEX, "Intel HEX", "-I ihex"),
        ("APP1.bin", b"\r\n" + HEX, "Intel HEX", "-I ihex"),
        ("APP1.bin", b"; made by a tool\n\n# really\n" + HEX.lower(), "Intel HEX", "-I ihex"),
        ("APP1.s19", SREC, "S-record", "-I srec"),
        ("APP1", b"// made by a tool\r" + SREC.lower().replace(b"\n", b"\r"), "S-record", "-I srec"),
        ("APP1.dfu", suffixed(b"DfuSe\x01" + bytes(300)), "DfuSe", ".bin"),
        ("APP1.bin", b"DfuSe\x01" + RAW, "DfuSe", ".bin"),
        ("APP1.bin", suffixed(RAW), "DFU suffix", "dfu-suffix --delete 'APP1.bin'"),
        ("APP1.uf2", b"UF2\n" + bytes(508), "UF2", "S-record"),
        ("APP1.bin", PREFIX + RAW, "flashdeck's own store", "build wrote"),
        ("APP1.bin", Image((Piece(8, RAW),)).encoded, "flashdeck's own store", "build wrote"),
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


@pytest.mark.parametrize("data", [b":\x00\x03\x20" + RAW, b"#" + RAW, b"; a text, and no record\n", b"S0ME TEXT\n" * 9])
def test_one_sign_of_text_records_alone_makes_none(data: bytes) -> None:
    assert parse("APP1.bin", data) == Image.raw(data)


@pytest.mark.parametrize(
    ("name", "title"), [("APP1.hex", "Intel HEX"), ("app.ihex", "Intel HEX"), ("a.s19", "S-record")]
)
def test_text_that_is_named_as_records_is_told_which_line_is_wrong(name: str, title: str) -> None:
    data = b"built by make\n" + HEX
    with pytest.raises(RefusedError) as caught:
        recognised(name, data).read(name, data, PROFILE)
    assert caught.value.message.startswith(f"line 1 of {name} is no ")
    assert title in caught.value.message


def test_an_empty_file_is_refused() -> None:
    assert "APP1.bin is empty" in refusal("APP1.bin", b"").message


@pytest.mark.parametrize("data", [b"\x00", b"\xff" * 4096, b"\x00" * 4096, b"\x55" * 64])
def test_any_bytes_can_be_data(data: bytes) -> None:
    assert parse("pattern.bin", data) == Image.raw(data)


def test_a_name_with_control_characters_reaches_no_message() -> None:
    assert "\x1b" not in refusal("\x1b[31mAPP1.elf", RAW).message


@given(st.text(max_size=20), st.binary(max_size=400))
def test_anything_is_either_itself_or_refused(name: str, data: bytes) -> None:
    said = ""
    try:
        assert parse(name, data) == Image.raw(data)
    except RefusedError as error:
        said = error.message + error.hint
    assert said.isprintable()


LOADED = """
import sys, flashdeckd.service
from flashdeckd.images.formats import recognised
from flashdeck.config import Profile, UsbId
from flashdeck.geometry import Geometry
data = sys.stdin.buffer.read()
recognised("a file", data).read("a file", data, Profile("p", Geometry(()), dfu=UsbId(0x0483, 0xdf11)))
print("bincopy" in sys.modules)
"""


@pytest.mark.parametrize("name", [*WRITERS, "APP1.bin"])
def test_the_library_for_s_records_is_loaded_only_when_such_a_file_comes(name: str) -> None:
    data = WRITERS[name]([(0x08020000, RAW)]) if name in WRITERS else RAW
    done = subprocess.run(  # noqa: S603 -- our own words
        [sys.executable, "-c", LOADED], input=data, capture_output=True, check=True
    )
    assert done.stdout.split() == [str(name == "APP1.srec").encode()]
