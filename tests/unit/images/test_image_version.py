"""The version string that is shown beside an image."""

import random
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Partition
from flashdeck.geometry import Range
from flashdeck.patterns import parse_pattern
from flashdeckd.images.image import Image, Piece
from flashdeckd.images.version import find_version as version_of

K = 1024
APP = Partition("app", Range.sized(0x08020000, 8 * K * K))
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
        ([b"driver V10.4.3", b"v1.2.3-4-gabcdef"], "v1.2.3-4-gabcdef"),
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


@pytest.mark.parametrize(
    "banner",
    [
        b"RTX V5.5.3",
        b"FreeRTOS V10.4.3",
        b"FreeRTOS Kernel V10.4.3",
        b"*** Booting Zephyr OS build v3.4.0 ***",
        b"*** Booting Zephyr OS build v3.4.0-12-gabcdef0 ***",
        b"zephyr-v3.4.0",
        b"*** Booting nRF Connect SDK v2.5.0 ***",
        b"ThreadX Cortex-M4/GNU Version 6.1.7",
        b"Azure RTOS ThreadX 6.2.1",
        b"mbed TLS 3.4.0",
        b"Mbed TLS 2.28.3",
        b"mbed-os-6.15.1",
        b"lwIP/2.1.2",
        b"newlib 4.3.0",
        b"FatFs 0.14.2",
        b"LVGL v8.3.1",
        b"TinyUSB 0.15.0",
        b"littlefs v2.5.0",
        b"LittleFS v2.5.0",
        b"wolfSSL 5.6.3",
        b"GCC: (GNU) 12.2.1",
        b"GCC: (Arm GNU Toolchain 12.2.MPACBTI-Rel1 (Build arm-12-mpacbti.34)) 12.2.1 20221205",
        b"clang version 15.0.7",
        b"STM32 HAL v1.8.1",
        b"STM32Cube FW_F4 V1.27.1",
        b"CMSIS-RTOS 2.1.3",
        b"arm-none-eabi-gcc 12.2.1",
        b"NuttX 12.3.0",
        b"ChibiOS/RT 6.1.3",
        b"SEGGER embOS V5.16.1",
        b"uC/OS-III V3.08.1",
        b"inflate 1.2.11 Copyright 1995-2017 Mark Adler ",
        b"nanopb-0.4.7",
    ],
)
def test_the_version_of_a_system_or_library_is_not_the_firmwares(banner: bytes) -> None:
    assert find_version(b"\0" + banner + b"\0") == ""
    assert find_version(b"\0" + banner + b"\r\npump 1.2.3\0") == "pump 1.2.3"
    assert find_version(b"\0pump v1.2.3 (" + banner + b")\0") == "pump v1.2.3"
    assert find_version(b"\0" + banner + b"\0" + NOISE + b"1.0.7\0") == "1.0.7"
    assert find_version(bytes(64) + NOTE + b"\0" + banner + b"\0") == "build-id " + NOTE[16:].hex()


@pytest.mark.parametrize(
    "text", [b"MicroPython v1.20.0", b"CircuitPython 8.2.0", b"HALO 1.2.3", b"my-zephyr 1.2.3", b"zephyr-pump 1.2.3"]
)
def test_what_only_looks_like_a_banner(text: bytes) -> None:
    assert find_version(b"\0" + text + b"\0") == text.decode()


def test_banners_cost_a_bounded_time() -> None:
    assert find_version(b"HAL v1.1.1\0" * (4 * K * K // 11)) == ""


# What the configuration says


def of_pattern(text: str) -> Partition:
    return replace(APP, version=parse_pattern(text))


def test_a_configured_pattern_comes_before_everything_else() -> None:
    data = b"FW_VERSION=7.8.9;\0v1.2.3-4-gabcdef\0FreeRTOS V10.4.3\0"
    assert version_of(Image.raw(data), of_pattern("FW_VERSION=(?P<version>[0-9.]+)")) == "7.8.9"
    assert version_of(Image.raw(data), of_pattern(r"FreeRTOS (V\S+)")) == "V10.4.3"
    header = struct.pack("<IIHHIIBBHI4x", 0x96F3B83D, 0, 0x20, 0, len(data), 0, 3, 2, 1, 0)
    assert version_of(Image.raw(header + data), APP) == "3.2.1"
    assert version_of(Image.raw(header + data), of_pattern("FW_VERSION=([0-9.]+)")) == "7.8.9"


def test_where_a_configured_pattern_finds_nothing_the_next_best_counts() -> None:
    assert version_of(Image.raw(b"pump 1.2.3\0"), of_pattern("FW_VERSION=(.*)")) == "pump 1.2.3"


def test_what_a_pattern_finds_is_cut_and_cleaned() -> None:
    assert len(version_of(Image.raw(b"v" + b"1" * 250 + b"\0"), of_pattern("v1+"))) == 80
    assert version_of(Image.raw(b"v:\x1b[31m\xff!"), of_pattern(r"v:([\x00-\xff]{1,6})")).isprintable()


# Pieces


def test_nothing_is_put_together_across_a_gap() -> None:
    split = [Piece(0, b"\0v1.2"), Piece(16, b".3\0")]
    assert version_of(Image.of(split), APP) == ""
    assert version_of(Image.of(split), of_pattern(r"v1\.2\.3")) == ""
    assert version_of(Image.of([Piece(0, b"\0pump 1.2.3"), Piece(16, b"\0")]), APP) == ""


def test_a_version_is_found_in_any_piece() -> None:
    pieces = Image.of([Piece(0, NOISE), Piece(4096, b"pump 1.0.0\0"), Piece(8192, b"pump v2.0.0\0")])
    assert version_of(pieces, APP) == "pump v2.0.0"
    assert version_of(pieces, of_pattern(r"pump (\d\S*)")) == "1.0.0"
    assert version_of(Image.of([Piece(0, NOISE), Piece(4096, NOTE)]), APP).startswith("build-id")
    assert version_of(Image.of([Piece(2, NOTE)]), APP) == "", "a note is aligned in memory"
