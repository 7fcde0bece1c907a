"""The version string that is shown beside an image."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Partition
from flashdeck.geometry import Range
from flashdeckd.images.image import Image
from flashdeckd.images.version import find_version as version_of

APP = Partition("app", Range.sized(0x08020000, 8 * 1024 * 1024))
NOISE = b"\x12\x00\xfe\x08 \x80\x00"
PREBUILT = Path(__file__).parents[3] / "config" / "demo" / "firmware" / "prebuilt"


def find_version(data: bytes) -> str:
    return version_of(Image.raw(data), APP)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (b"flashdeck-demo 1.2.3\0", "flashdeck-demo 1.2.3"),
        (b"v1.2.3-4-gabcdef\0", "v1.2.3-4-gabcdef"),
        (b"v1.2.3-rc1-4-gabcdef0-dirty\0", "v1.2.3-rc1-4-gabcdef0-dirty"),
        (b"1.2.3\0", "1.2.3"),
        (b"V2.0\0", "V2.0"),
        (b"2026.11.22\0", "2026.11.22"),
        (b"1.2.3+build.5\0", "1.2.3+build.5"),
        (b"Pump controller 1.2.3 (Nov 22 2026)\0", "controller 1.2.3"),
        (b"Hello from pump v1.4\r\n\0", "pump v1.4"),
    ],
)
def test_a_version_is_found_among_other_bytes(text: bytes, version: str) -> None:
    assert find_version(NOISE * 50 + b"\0" + text + NOISE * 50) == version


@pytest.mark.parametrize(
    "text",
    [
        b"192.168.1.10\0",
        b"USB 2.0\0",
        b"HTTP/1.1\0",
        b"TLSv1.2\0",
        b"3.14159\0",
        b"1.2.3",  # not ended
        b"1.2.3\xff",
        b"0x1.2.3\0",
        b"",
    ],
)
def test_what_only_looks_like_a_version(text: bytes) -> None:
    assert find_version(NOISE + b"\0" + text) == ""


@pytest.mark.parametrize(
    ("strings", "version"),
    [
        ([b"FreeRTOS V10.4.3", b"v1.2.3-4-gabcdef"], "v1.2.3-4-gabcdef"),
        ([b"1.2.3", b"pump 2.0.0"], "pump 2.0.0"),
        ([b"pump 2.0.0 is starting", b"1.2.3"], "1.2.3"),
        ([b"1.2.3", b"v1.2.3"], "v1.2.3"),
        ([b"pump 1.0.0", b"valve 2.0.0"], "pump 1.0.0"),
    ],
)
def test_of_several_the_likeliest_counts(strings: list[bytes], version: str) -> None:
    assert find_version(b"\0".join(strings) + b"\0") == version


@pytest.mark.parametrize("name", ["APP1.bin", "APP2.bin"])
def test_the_demo_firmware_shows_its_version(name: str) -> None:
    assert find_version((PREBUILT / name).read_bytes()).startswith("demo ")


@given(
    st.binary(max_size=300), st.sampled_from([b"1.2.3\0", b"pump v1.2-3-gabcdef0\0", b"1.2.3-" + b"x" * 100 + b"\0"])
)
def test_whatever_is_found_is_short_and_printable(noise: bytes, text: bytes) -> None:
    version = find_version(noise + text + noise)
    assert version.isprintable()
    assert len(version) <= 80


def test_the_search_is_bounded() -> None:
    beyond = bytes(4 * 1024 * 1024) + b"v1.2.3\0"
    assert find_version(beyond) == ""


@pytest.mark.parametrize("unit", [b"1.1.1-", b"1", b"v1.1-aaaaaaaaaaaaaaaaaaaaaaaa", b"a "])
def test_hostile_repetitions_end(unit: bytes) -> None:
    assert find_version(unit * (1024 * 1024 // len(unit))) == ""


def test_random_bytes_of_a_whole_flash() -> None:
    assert len(find_version(random.Random(0).randbytes(1024 * 1024))) <= 80  # noqa: S311 - nothing secret


NOTE = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0" + bytes(range(0x10, 0x24))


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (bytes(64) + NOTE, "build-id " + bytes(range(0x10, 0x24)).hex()),
        (bytes(64) + NOTE + b"\0product 1.2.3\0", "product 1.2.3"),
        (bytes(62) + NOTE, ""),  # a note is aligned
        (bytes(64) + NOTE[:-1], ""),
        (bytes(64) + NOTE[:16] + bytes(20), ""),
        (bytes(64) + NOTE.replace(b"\x14", b"\xff", 1) + bytes(300), ""),
        (bytes(64) + NOTE.replace(b"\x03", b"\x01", 1), ""),  # NT_GNU_ABI_TAG
    ],
)
def test_a_build_id_stands_in_for_a_version(image: bytes, shown: str) -> None:
    assert find_version(image) == shown
