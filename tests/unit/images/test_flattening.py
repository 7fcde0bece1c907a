"""After an upgrade a build is known by the bytes that releases before pieces made of it."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from flashdeck.config import Partition, Profile, UsbId
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.images.parsing import flattened_before, parse_for
from image_writers import Pieces, container, dfuse, elf, elf_with_sections, hex_record, hexed, srec, suffixed, target

K = 1024
APP1 = Partition("app1", Range.sized(0x08020000, 384 * K))
PROFILE = Profile(
    name="product",
    dfu=UsbId(0x0483, 0xDF11),
    geometry=Geometry((Region(0x08000000, 128, 8 * K),), 16, (Range.sized(0x20000000, 640 * K),)),
    partitions={"app1": APP1},
)
BIN = struct.pack("<II", 0x20030000, 0x08020251) + bytes(range(256)) * 4
PIECES: Pieces = [(0x08020000, BIN), (0x08020000 + len(BIN) + 3, b"data")]


def flattened(data: bytes, partition: Partition = APP1) -> bytes | None:
    return flattened_before("app", data, PROFILE, partition)


@pytest.mark.parametrize(("write", "fill"), [(elf, b"\x00"), (hexed, b"\xff"), (dfuse, b"\xff")])
def test_gaps_were_filled(write: Callable[[Pieces], bytes], fill: bytes) -> None:
    assert flattened(write(PIECES)) == BIN + fill * 3 + b"data"
    assert flattened(write(PIECES[::-1])) == BIN + fill * 3 + b"data"
    assert flattened(write(PIECES[:1])) is None  # the same image now


def test_all_bytes_of_elf_segments_counted_whatever_the_sections_say() -> None:
    table = bytes(40) + struct.pack("<10I", 1, 1, 2, 0, 52 + 32, 8, 0, 0, 4, 0)
    plain = elf(PIECES[:1])
    file = plain[:32] + struct.pack("<I", len(plain)) + plain[36:48] + struct.pack("<H", 2) + plain[50:] + table
    assert parse_for("app", file, PROFILE, APP1).image.size == 8
    assert flattened(file) == BIN


@pytest.mark.parametrize(
    "refused",
    [
        elf_with_sections(PIECES),  # its segment began with the header of the file
        srec(PIECES),
        hexed([(0x08020004, BIN), *PIECES[1:]]),
        hexed([*PIECES, (0x08000000, b"boot")]),
        hexed([*PIECES, (0x08020000, BIN[:1])]),
        hexed([(0x08020000 + 32 * n, b"x") for n in range(257)]),
        hexed([(0x08020000, b"\xff"), (0x08020010, b"\xff")]),
        elf([(0x08020000, b"\x00"), (0x08020010, b"\x00")]),
        b"; comment\n" + hexed(PIECES),
        hex_record(12, 0, b"") + hexed(PIECES),
        container([target(PIECES)], more=16),
        hexed(PIECES)[:-4],
        suffixed(BIN),
        BIN,
        b"",
    ],
)
def test_there_is_none_where_those_releases_refused_or_had_the_same(refused: bytes) -> None:
    assert flattened(refused) is None


def test_there_is_none_for_an_alternate_setting() -> None:
    firmware = Partition("firmware", Range(0, 384 * K), alternate=0)
    assert flattened(hexed(PIECES), firmware) is None
    assert flattened(hexed(PIECES), replace(APP1, span=Range.sized(0x08020000, 1024))) is None
