"""ELF, Intel HEX and DFU files: the same image as the raw binary, or refused; never bytes for somewhere else."""

import io
import struct
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intelhex import IntelHex

from flashdeck.config import Partition, Profile, UsbId
from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.images.formats import parse, parse_for

K = 1024
PREBUILT = Path(__file__).resolve().parents[3] / "config/demo/firmware/prebuilt"
BOOTLOADER = Partition("bootloader", Range.sized(0x08000000, 128 * K), protected=True)
APP1 = Partition("app1", Range.sized(0x08020000, 384 * K))
PARTITION2 = Partition("partition2", Range.sized(0x08080000, 384 * K))
PROFILE = Profile(
    name="product",
    dfu=UsbId(0x0483, 0xDF11),
    app=UsbId(0x0483, 0x5740),
    geometry=Geometry((Region(0x08000000, 128, 8 * K),), 16, (Range.sized(0x20000000, 640 * K),)),
    partitions={p.name: p for p in (BOOTLOADER, APP1, PARTITION2)},
)
BIN = struct.pack("<II", 0x20030000, 0x08020251) + bytes(range(256)) * 4
PIECES = [(0x08020000, BIN), (0x08020000 + len(BIN) + 3, b"data")]


def elf(
    pieces: list[tuple[int, bytes]], *, zeroed: int = 0, kind: int = 1, offset: int | None = None, bits: int = 1
) -> bytes:
    """An executable with one PT_LOAD (or other `kind`) segment a piece, linked to run in RAM from the second on."""
    at = 52 + 32 * len(pieces)
    headers, bodies = b"", b""
    for index, (address, data) in enumerate(pieces):
        virtual = address if index == 0 else 0x20000000
        start = at + len(bodies) if offset is None else offset
        headers += struct.pack("<8I", kind, start, virtual, address, len(data), len(data) + zeroed, 5, 4)
        bodies += data
    ident = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9)
    header = struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0x08020251, 52, 0, 0x5000400, 52, 32, len(pieces), 40, 0, 0)
    return ident + header + headers + bodies


def hexed(pieces: list[tuple[int, bytes]]) -> bytes:
    image = IntelHex()
    for address, data in pieces:
        image.frombytes(data, offset=address)
    text = io.StringIO()
    image.write_hex_file(text)
    return text.getvalue().encode()


def suffixed(content: bytes, *, vendor: int = 0x0483, product: int = 0xDF11) -> bytes:
    whole = content + struct.pack("<HHHH3sB", 0xFFFF, product, vendor, 0x011A, b"UFD", 16)
    return whole + struct.pack("<I", zlib.crc32(whole) ^ 0xFFFFFFFF)


def dfuse(pieces: list[tuple[int, bytes]], **ids: int) -> bytes:
    return container([target(pieces)], **ids)


def target(pieces: list[tuple[int, bytes]], *, alternate: int = 0) -> bytes:
    elements = b"".join(struct.pack("<II", address, len(data)) + data for address, data in pieces)
    return struct.pack("<6sBI255sII", b"Target", alternate, 1, b"ST...", len(elements), len(pieces)) + elements


def container(targets: list[bytes], **ids: int) -> bytes:
    size = 11 + sum(map(len, targets))
    return suffixed(struct.pack("<5sBIB", b"DfuSe", 1, size, len(targets)) + b"".join(targets), **ids)


WRITERS = {"APP1.elf": elf, "APP1.hex": hexed, "APP1.dfu": dfuse}
each_format = pytest.mark.parametrize("name", WRITERS)


def parsed(name: str, data: bytes, partition: Partition = APP1) -> bytes:
    return parse_for(name, data, PROFILE, partition)


def refusal(name: str, data: bytes, partition: Partition = APP1) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        parsed(name, data, partition)
    assert caught.value.hint
    assert (caught.value.message + caught.value.hint).isprintable()
    return caught.value


@pytest.mark.parametrize(("stem", "partition"), [("APP1", APP1), ("APP2", PARTITION2)])
def test_the_demos_elf_is_the_very_image_of_its_bin(stem: str, partition: Partition) -> None:
    image = parsed(f"{stem}.elf", (PREBUILT / f"{stem}.elf").read_bytes(), partition)
    assert image == (PREBUILT / f"{stem}.bin").read_bytes()


def test_an_elf_for_one_partition_is_refused_for_another_and_the_error_says_where_it_belongs() -> None:
    error = refusal("APP1.elf", (PREBUILT / "APP1.elf").read_bytes(), PARTITION2)
    assert error.kind is ErrorKind.OUTSIDE_PARTITION
    assert "where app1 is" in error.message
    assert "partition2" in error.message
    assert "flash it to app1" in error.hint


@each_format
def test_the_bootloaders_own_file_is_not_sent_to_the_bootloader(name: str) -> None:
    error = refusal(name, WRITERS[name]([(0x08000000, BIN)]))
    assert "bootloader, which is protected" in error.hint


@each_format
@given(at=st.integers(0, 64), pieces=st.lists(st.binary(min_size=1, max_size=16), min_size=1, max_size=3))
def test_partitions_that_take_a_file_get_the_same_image_out_of_it(name: str, at: int, pieces: list[bytes]) -> None:
    """However large they are, and whatever product they are of."""
    larger = replace(APP1, span=Range.sized(APP1.span.start, 512 * K))
    other = replace(PROFILE, name="other", partitions={"app1": larger})
    data = WRITERS[name]([(APP1.span.start + at * n, piece) for n, piece in enumerate(pieces)])
    assert outcome(name, data, other, larger) == outcome(name, data, PROFILE, APP1)


def outcome(name: str, data: bytes, profile: Profile, partition: Partition) -> bytes | None:
    """The image, or None where there is none."""
    with suppress(RefusedError):
        return parse_for(name, data, profile, partition)
    return None


@each_format
def test_one_piece_at_the_partitions_start_is_its_raw_binary(name: str) -> None:
    assert parsed(name, WRITERS[name](PIECES[:1])) == BIN


@pytest.mark.parametrize(("name", "fill"), [("APP1.elf", b"\x00"), ("APP1.hex", b"\xff"), ("APP1.dfu", b"\xff")])
def test_gaps_are_filled(name: str, fill: bytes) -> None:
    assert parsed(name, WRITERS[name](PIECES)) == BIN + fill * 3 + b"data"


@each_format
def test_the_order_of_the_pieces_does_not_matter(name: str) -> None:
    assert parsed(name, WRITERS[name](PIECES[::-1])) == parsed(name, WRITERS[name](PIECES))


@each_format
@pytest.mark.parametrize("address", [0, 0x0801FFFF, 0x0807FFFD, 0x08080000, 0x20000000, 0xFFFFFFF0])
def test_one_byte_outside_the_partition_is_enough_to_refuse(name: str, address: int) -> None:
    assert refusal(name, WRITERS[name]([*PIECES, (address, b"more")])).kind is ErrorKind.OUTSIDE_PARTITION


@each_format
def test_the_last_bytes_of_the_partition_are_part_of_it(name: str) -> None:
    assert len(parsed(name, WRITERS[name]([*PIECES, (0x0807FFFC, b"last")]))) == APP1.span.size


@each_format
def test_a_file_with_the_bootloader_in_it_is_refused(name: str) -> None:
    error = refusal(name, WRITERS[name]([(0x08000000, b"boot"), *PIECES]))
    assert "where bootloader is" in error.message
    assert "several programs" in error.hint


@each_format
def test_an_image_that_begins_later_than_its_partition_is_refused(name: str) -> None:
    error = refusal(name, WRITERS[name]([(0x08020200, BIN)]))
    assert "begins at 0x08020200" in error.message
    assert "0x08020000" in error.hint


@each_format
def test_an_image_of_nothing_but_erased_flash_is_refused(name: str) -> None:
    assert "that is no program" in refusal(name, WRITERS[name]([(0x08020000, b"\xff" * 64)])).message


@pytest.mark.parametrize("name", ["APP1.elf", "APP1.dfu"])
def test_two_contents_for_one_address_are_refused(name: str) -> None:
    assert "two contents" in refusal(name, WRITERS[name]([*PIECES[:1], (0x08020010, b"other")])).message


@each_format
def test_without_a_partition_to_check_against_only_a_raw_binary_is_taken(name: str) -> None:
    with pytest.raises(RefusedError, match="not a raw binary"):
        parse(name, WRITERS[name](PIECES))
    with pytest.raises(RefusedError, match="contents are not"):
        parsed(name, BIN)
    assert parsed("APP1.bin", BIN) == BIN


# ELF


def test_what_is_only_zeroed_at_the_start_is_no_part_of_the_image() -> None:
    assert parsed("APP1.elf", elf([*PIECES[:1], (0x08020800, b"")], zeroed=4096)) == BIN


def test_an_object_file_is_refused() -> None:
    assert "no bytes" in refusal("main.elf", elf([])).message
    assert "no bytes" in refusal("main.elf", elf(PIECES, kind=4)).message


def test_an_elf_that_loads_its_own_header_is_refused_with_the_linkers_option() -> None:
    assert "--nmagic" in refusal("APP1.elf", elf(PIECES[:1], offset=0)).hint


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (elf(PIECES)[:-1], "ends before"),
        (elf(PIECES, offset=0xFFFFFFFF), "ends before"),
        (elf(PIECES)[:60], "broken"),
        (elf(PIECES)[:20], "broken"),
        (b"\x7fELF", "broken"),
        (elf(PIECES, bits=2), ""),
        (elf(PIECES, bits=9), "broken"),
        (elf([(0x08020000 + 4 * n, b"word") for n in range(257)]), "257 segments"),
    ],
)
def test_a_broken_elf_file_is_refused(data: bytes, said: str) -> None:
    assert said in refusal("APP1.elf", data).message


# Intel HEX


def test_line_ends_blanks_and_a_byte_order_mark_change_nothing() -> None:
    text = hexed(PIECES).replace(b"\r\n", b"\n")
    odd = b"\xef\xbb\xbf" + text.replace(b"\n", b" \r\n\r\n")
    assert parsed("APP1.hex", odd) == parsed("APP1.hex", text) == parsed("APP1.hex", text.lower())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b":00000001FF", b"", "cut off"),
        (b":00000001FF", b":00000001FF\n:0400000001020304F2", "goes on after"),
        (b":00000001FF", b"garbage\n:00000001FF", "no Intel HEX record"),
        (b":00000001FF", b":00000009F7\n:00000001FF", "invalid record type"),
        (b":02000004", b":03000004", "invalid length"),
        (b"0802F0", b"0802F1", "invalid checksum"),
        (b":00000001FF", b":0400000001020304F2\n:00000001FF", "overlap"),
    ],
)
def test_a_broken_hex_file_is_refused(old: bytes, new: bytes, said: str) -> None:
    text = hexed(PIECES[:1])
    assert old in text
    assert said in refusal("APP1.hex", text.replace(old, new)).message


def test_more_bytes_than_the_partition_has_are_refused_before_they_are_decoded() -> None:
    small = replace(APP1, span=Range.sized(0x08020000, 1024))
    assert f"holds {len(BIN)} bytes" in refusal("APP1.hex", hexed(PIECES[:1]), small).message
    assert "characters" in refusal("APP1.hex", hexed(PIECES[:1]) * 20, small).message
    first, rest = hexed(PIECES[:1]).split(b"\n", 1)
    hidden = first + b"\n" + rest.replace(b"\n", b"\x0c", 3)  # a line end for Python's str, and for nobody else
    assert "no Intel HEX record" in refusal("APP1.hex", hidden, small).message


def test_a_file_in_very_many_pieces_is_refused() -> None:
    assert "257 pieces" in refusal("APP1.hex", hexed([(0x08020000 + 2 * n, b"x") for n in range(257)])).message


# DFU


@pytest.mark.parametrize("ids", [{}, {"product": 0x5740}, {"vendor": 0xFFFF, "product": 0xFFFF}, {"product": 0xFFFF}])
def test_a_dfu_file_for_this_device_or_any_is_taken(ids: dict[str, int]) -> None:
    assert parsed("APP1.dfu", dfuse(PIECES[:1], **ids)) == BIN
    assert parsed("APP1.dfu", suffixed(BIN, **ids)) == BIN


@pytest.mark.parametrize("ids", [{"vendor": 0x1209}, {"product": 1}, {"vendor": 0xFFFF, "product": 1}])
def test_a_dfu_file_for_another_device_is_refused(ids: dict[str, int]) -> None:
    assert "is for the device" in refusal("APP1.dfu", dfuse(PIECES, **ids)).message
    assert "is for the device" in refusal("APP1.dfu", suffixed(BIN, **ids)).message


def test_a_plain_dfu_file_is_a_raw_binary_with_a_suffix() -> None:
    assert parsed("APP1.bin", suffixed(BIN)) == BIN
    assert "not a raw binary" in refusal("APP1.dfu", suffixed(b"UF2\n" + BIN)).message
    assert "not a raw binary" in refusal("APP1.dfu", suffixed(suffixed(BIN))).message
    assert "empty" in refusal("APP1.dfu", suffixed(b"")).message


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_dfu_file_with_one_wrong_byte_is_refused(at: int, change: int) -> None:
    data = bytearray(dfuse(PIECES))
    data[at % len(data)] ^= change
    refusal("APP1.dfu", bytes(data))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"DfuSe\x01", b"DfuSe\x02", "version 2"),
        (b"Target", b"target", "no target"),
        (struct.pack("<I", len(BIN) + 8), struct.pack("<I", len(BIN) + 9), "and it says"),
        (struct.pack("<II", 0x08020000, len(BIN)), struct.pack("<II", 0x08020000, len(BIN) - 1), "and it says"),
        (struct.pack("<I", len(BIN)), b"\xff\xff\xff\xff", "beyond its end"),
        (struct.pack("<II", len(BIN) + 8, 1), struct.pack("<II", len(BIN) + 8, 300), "more than 256"),
        (b"ST...", b"", "it says"),
    ],
)
def test_a_dfuse_container_that_contradicts_itself_is_refused(old: bytes, new: bytes, said: str) -> None:
    content = dfuse(PIECES[:1])[:-16]
    assert old in content
    assert said in refusal("APP1.dfu", suffixed(content.replace(old, new, 1))).message


def test_several_targets_make_one_image_where_they_are_for_one_memory() -> None:
    several = [target([piece]) for piece in PIECES]
    assert parsed("APP1.dfu", container([*several, target([], alternate=1)])) == parsed("APP1.dfu", dfuse(PIECES))
    error = refusal("APP1.dfu", container([*several, target([(0x1FFF7800, b"option bytes")], alternate=1)]))
    assert "alternate settings 0, 1" in error.message
    assert ".bin" in error.hint


def test_a_dfuse_file_that_was_cut_off_is_refused() -> None:
    assert "no DFU suffix" in refusal("APP1.dfu", dfuse(PIECES)[:-3]).message
    assert "too short" in refusal("APP1.dfu", b"DfuSe").message


# Hostile files


@given(st.sampled_from(sorted(WRITERS)), st.data())
def test_whatever_is_done_to_a_file_the_image_stays_in_the_partition_or_is_refused(
    name: str, draw: st.DataObject
) -> None:
    data = bytearray(WRITERS[name](PIECES))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, min(len(data) - 1, 400)))
        data[at : at + draw.draw(st.integers(0, 4))] = draw.draw(st.binary(max_size=4))
    whole = suffixed(bytes(data[:-16])) if name.endswith(".dfu") else bytes(data)
    said = ""
    try:
        assert len(parsed(name, whole)) <= max(APP1.span.size, len(whole))
    except RefusedError as error:
        said = error.message + error.hint
    assert said.isprintable()


@given(st.sampled_from([b"\x7fELF\x01\x01\x01", b"DfuSe\x01", b":10000000", b":00000001FF\n"]), st.binary(max_size=300))
def test_garbage_behind_a_good_beginning_is_refused(beginning: bytes, garbage: bytes) -> None:
    said = ""
    try:
        parsed("x", beginning + garbage)
    except RefusedError as error:
        said = error.message + error.hint
    assert said.isprintable()


def test_a_file_with_addresses_is_refused_for_a_partition_without_one() -> None:
    firmware = Partition("firmware", Range(0, 384 * K), alternate="main")
    plain = replace(PROFILE, geometry=Geometry(()), partitions={"firmware": firmware})
    for name, data in (("a.elf", elf(PIECES)), ("a.hex", hexed(PIECES))):
        with pytest.raises(RefusedError) as caught:
            parse_for(name, data, plain, firmware)
        assert "is alternate setting main, which has no address" in caught.value.message
        assert "raw binary" in caught.value.hint
    assert parse_for("a.dfu", suffixed(BIN), plain, firmware) == BIN
    assert parse_for("a.bin", BIN, plain, firmware) == BIN
