"""ELF, Intel HEX, S-record and DFU files: the same image, or refused; never bytes for somewhere else."""

import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Outside, Partition, Profile, UsbId
from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.images.image import Image, Piece
from flashdeckd.images.parsing import Parsed, parse, parse_for
from image_writers import (
    WRITERS,
    container,
    dfuse,
    elf,
    elf_with_sections,
    hexed,
    suffixed,
    target,
)
from needed_tools import need_compiler

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


each_format = pytest.mark.parametrize("name", WRITERS)


def parsed(name: str, data: bytes, partition: Partition = APP1) -> Image:
    return parse_for(name, data, PROFILE, partition).image


def notes(name: str, data: bytes) -> str:
    return "; ".join(parse_for(name, data, PROFILE, APP1).notes)


def refusal(name: str, data: bytes, partition: Partition = APP1) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        parsed(name, data, partition)
    assert caught.value.hint
    assert (caught.value.message + caught.value.hint).isprintable()
    return caught.value


@pytest.mark.parametrize(("stem", "partition"), [("APP1", APP1), ("APP2", PARTITION2)])
def test_the_demos_elf_is_the_very_image_of_its_bin(stem: str, partition: Partition) -> None:
    image = parsed(f"{stem}.elf", (PREBUILT / f"{stem}.elf").read_bytes(), partition)
    assert image == Image.raw((PREBUILT / f"{stem}.bin").read_bytes())


def test_an_elf_for_one_partition_is_refused_for_another_and_the_error_says_where_it_belongs() -> None:
    error = refusal("APP1.elf", (PREBUILT / "APP1.elf").read_bytes(), PARTITION2)
    assert error.kind is ErrorKind.OUTSIDE_PARTITION
    assert "nothing for partition2" in error.message
    assert "partition app1" in error.message
    assert "flash this file to app1" in error.hint


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


def outcome(name: str, data: bytes, profile: Profile, partition: Partition) -> Parsed | None:
    """The image, or None where there is none."""
    with suppress(RefusedError):
        return parse_for(name, data, profile, partition)
    return None


@each_format
def test_one_piece_at_the_partitions_start_is_its_raw_binary(name: str) -> None:
    assert parsed(name, WRITERS[name](PIECES[:1])) == Image.raw(BIN)


@each_format
def test_what_lies_between_the_pieces_is_not_part_of_the_image(name: str) -> None:
    assert parsed(name, WRITERS[name](PIECES)).pieces == (Piece(0, BIN), Piece(len(BIN) + 3, b"data"))


_runs = st.lists(st.tuples(st.integers(0, 70_000), st.binary(min_size=1, max_size=40)), min_size=1, max_size=6)


@given(_runs, st.booleans())
def test_the_same_pieces_are_the_same_image_in_every_format(runs: list[tuple[int, bytes]], merged: bool) -> None:
    """Also as one partition's part of a merged file."""
    pieces: list[tuple[int, bytes]] = []
    for offset, data in runs:
        if all(offset > at + len(other) or offset + len(data) < at for at, other in pieces):
            pieces.append((offset, data))
    image = Image.of(Piece(offset, data) for offset, data in pieces)
    others = [(0x08000000, b"boot"), (0x080A0000, b"app2"), (0x1FFF7800, b"option bytes")] if merged else []
    partition = replace(APP1, outside=Outside.LEAVE_OUT) if merged else APP1
    placed = [*others, *((APP1.span.start + offset, data) for offset, data in pieces)]
    assert {name: parsed(name, write(placed), partition) for name, write in WRITERS.items()} == dict.fromkeys(
        WRITERS, image
    )


@each_format
def test_the_order_of_the_pieces_does_not_matter(name: str) -> None:
    assert parsed(name, WRITERS[name](PIECES[::-1])) == parsed(name, WRITERS[name](PIECES))


@each_format
@pytest.mark.parametrize("address", [0, 0x0801FFFC, 0x0807FFFD, 0x08080000, 0x20000000, 0xFFFFFFF0])
def test_one_byte_outside_the_partition_is_enough_to_refuse(name: str, address: int) -> None:
    assert refusal(name, WRITERS[name]([*PIECES, (address, b"more")])).kind is ErrorKind.OUTSIDE_PARTITION


@each_format
def test_the_last_bytes_of_the_partition_are_part_of_it(name: str) -> None:
    assert parsed(name, WRITERS[name]([*PIECES, (0x0807FFFC, b"last")])).end == APP1.span.size


@each_format
def test_a_file_with_the_bootloader_in_it_is_refused(name: str) -> None:
    error = refusal(name, WRITERS[name]([(0x08000000, b"boot"), *PIECES]))
    assert "0x08000000-0x08000003 (partition bootloader)" in error.message
    assert 'outside = "leave-out" for app1' in error.hint


@each_format
def test_an_image_may_begin_anywhere_in_its_partition(name: str) -> None:
    assert parsed(name, WRITERS[name]([(0x08020200, BIN)])).pieces == (Piece(0x200, BIN),)


@each_format
@pytest.mark.parametrize("blank", [b"\x00", b"\xff"])
def test_an_image_may_be_blank(name: str, blank: bytes) -> None:
    assert parsed(name, WRITERS[name]([(0x08020000, blank * 64)])) == Image.raw(blank * 64)


@each_format
def test_equal_bytes_may_be_given_twice(name: str) -> None:
    twice = [*PIECES, (0x08020010, BIN[0x10:0x30]), (0x08020000, BIN[:1]), *PIECES]
    assert parsed(name, WRITERS[name](twice)) == parsed(name, WRITERS[name](PIECES))


@each_format
def test_two_contents_for_one_address_are_refused(name: str) -> None:
    assert "two contents for 0x08020010" in refusal(name, WRITERS[name]([*PIECES[:1], (0x08020010, b"other")])).message


@each_format
def test_without_a_partition_to_check_against_only_a_raw_binary_is_taken(name: str) -> None:
    with pytest.raises(RefusedError, match="not a raw binary"):
        parse(name, WRITERS[name](PIECES))
    with pytest.raises(RefusedError, match="contents are not"):
        parsed(name, BIN)
    assert parsed("APP1.bin", BIN) == Image.raw(BIN)


@each_format
def test_a_partition_takes_as_many_pieces_as_it_has_program_units(name: str) -> None:
    small = replace(APP1, span=Range.sized(0x08020000, 8 * K))
    apart = [(0x08020000 + 16 * n, b"x") for n in range(512)]
    assert len(parsed(name, WRITERS[name](apart), small).pieces) == 512
    error = refusal(name, WRITERS[name]([*apart, (0x08020008, b"x")]), small)
    assert "in 513 pieces" in error.message
    assert "512 units" in error.message


def lines_run(work: Callable[[], object]) -> int:
    """Return how many lines of Python are run."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@each_format
@pytest.mark.parametrize("outside", Outside)
def test_pieces_in_a_hostile_order_take_no_more_than_their_number_says(name: str, outside: Outside) -> None:
    """Single bytes, from both ends of the partition to its middle, and as many elsewhere."""

    def work(count: int) -> int:
        ends = [address for n in range(count) for address in (0x08020000 + 16 * n, 0x0807FFF0 - 16 * n)]
        elsewhere = [address + 0x00080000 for address in ends] if outside is Outside.LEAVE_OUT else []
        file = WRITERS[name]([(address, b"x") for address in (*ends, *elsewhere)])
        found: list[Image] = []
        lines = lines_run(lambda: found.append(parsed(name, file, replace(APP1, outside=outside))))
        assert len(found[0].pieces) == 2 * count
        return lines

    assert work(400) < 2.2 * work(200)


@each_format
def test_a_name_says_nothing_about_a_file_with_addresses(name: str) -> None:
    for other in ("out/blinky", "APP1.bin", "a.out", "APP1.img", "APP1.hex", ""):
        assert parsed(other, WRITERS[name](PIECES)) == parsed(name, WRITERS[name](PIECES))


def test_a_raw_binary_with_a_base_is_placed_like_any_other_file() -> None:
    merged = bytes(0x20000) + BIN
    based = replace(APP1, base=0x08020000)
    assert parsed("a.bin", BIN, based) == Image.raw(BIN)
    assert parsed("a.bin", suffixed(BIN), based) == Image.raw(BIN)
    assert parsed("a.bin", BIN, replace(APP1, base=0x08020100)).pieces == (Piece(0x100, BIN),)
    assert "too large" in refusal("a.bin", merged, replace(APP1, base=0x08000000)).message
    assert "nothing for app1" in refusal("a.bin", BIN, replace(APP1, base=0x08000000)).message
    assert "beyond 32-bit addresses" in refusal("a.bin", BIN, replace(APP1, base=0xFFFFFF00)).message
    assert parsed("a.hex", hexed(PIECES), replace(APP1, base=0)) == parsed("a.hex", hexed(PIECES))  # has its own


# ELF


def test_what_is_only_zeroed_at_the_start_is_no_part_of_the_image() -> None:
    assert parsed("APP1.elf", elf([*PIECES[:1], (0x08020800, b"")], zeroed=4096)) == Image.raw(BIN)


def test_the_byte_order_of_an_elf_file_is_its_own() -> None:
    assert parsed("APP1.elf", elf(PIECES, order=">")) == parsed("APP1.elf", elf(PIECES))


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
        (elf(PIECES, bits=2), "64-bit"),
        (elf(PIECES, bits=9), "broken"),
        (elf(PIECES)[:5] + b"\x07" + elf(PIECES)[6:], "broken"),
        (elf(PIECES)[:42] + b"\x1f" + elf(PIECES)[43:], "broken"),  # entries smaller than a program header
        (elf(PIECES)[:44] + b"\xff\xff" + elf(PIECES)[46:], "broken"),  # as many segments as the first section says
    ],
)
def test_a_broken_elf_file_is_refused(data: bytes, said: str) -> None:
    assert said in refusal("APP1.elf", data).message


def test_of_an_elf_file_with_sections_counts_what_a_section_covers() -> None:
    assert parsed("APP1.axf", elf_with_sections(PIECES)) == parsed("APP1.hex", hexed(PIECES))


@pytest.mark.parametrize("names", [0, 1, 2, 3, 99, 0xFFFF])
def test_names_of_sections_break_nothing(names: int) -> None:
    assert parsed("APP1.axf", elf_with_sections(PIECES, names=names)) == parsed("APP1.hex", hexed(PIECES))


def section(kind: int, flags: int, offset: int, size: int) -> bytes:
    return struct.pack("<10I", 0xFFFFFFFF, kind, flags, 0, offset, size, 99, 99, 3, 7)


def test_only_sections_that_are_loaded_from_the_file_count() -> None:
    start = 52 + 32
    good = section(1, 2, start, 8)
    odd = [
        section(8, 3, start, 64),  # .bss
        section(1, 0, start, 64),  # a comment
        section(0, 2, start, 64),
        section(1, 2, start + 8, 0),
        section(1, 2, 0xFFFFFFFF, 0xFFFFFFFF),
    ]
    file = elf_with_sections(PIECES[:1], table=b"".join((odd[0], good, *odd[1:], section(14, 2, start + 12, 4))))
    assert parsed("APP1.axf", file).pieces == (Piece(0, BIN[:8]), Piece(12, BIN[12:16]))


def test_sections_that_say_nothing_of_what_is_loaded_are_none() -> None:
    assert parsed("APP1.elf", elf(PIECES)) == parsed("APP1.elf", sectioned(elf(PIECES), bytes(40)))
    far = section(1, 2, 0x7FFFFFFF, 4)
    assert parsed("APP1.elf", elf(PIECES)) == parsed("APP1.elf", sectioned(elf(PIECES), bytes(40) + far))


@pytest.mark.parametrize("first", [".data", ".ramfunc\x1b[31m", ""])
def test_the_section_that_went_astray_is_named(first: str) -> None:
    pieces = [(0x08020000, BIN), (0x20000000, b"initial values")]
    at = 52 + 2 * 32
    names = b"\0.text\0" + first.encode() + b"\0"
    file = elf(pieces) + names
    table = bytes(40) + b"".join(
        struct.pack("<10I", *row)
        for row in (
            (1, 1, 2, 0, at, len(BIN), 0, 0, 4, 0),
            (7, 1, 2, 0, at + len(BIN), 14, 0, 0, 4, 0),
            (0, 3, 0, 0, len(elf(pieces)), len(names), 0, 0, 1, 0),
        )
    )
    whole = sectioned(file, table)
    error = refusal("APP1.elf", whole[:50] + struct.pack("<H", 3) + whole[52:])
    assert "0x20000000-0x2000000d (RAM)" in error.message
    assert error.hint.startswith(f"section {first[:8]}" if first else "look at")
    assert refusal("APP1.elf", whole).hint.startswith("look at")


def sectioned(file: bytes, table: bytes, *, count: int | None = None, entry: int = 40) -> bytes:
    """The file with a table of section headers behind it."""
    counted = len(table) // 40 if count is None else count
    return (
        file[:32] + struct.pack("<I", len(file)) + file[36:46] + struct.pack("<HH", entry, counted) + file[50:] + table
    )


@pytest.mark.parametrize(("count", "entry"), [(2, 40), (0xFFFF, 40), (1, 39), (1, 0), (0, 39)])
def test_a_broken_table_of_sections_is_a_note(count: int, entry: int) -> None:
    file = sectioned(elf(PIECES), bytes(20) if not count else bytes(40), count=count, entry=entry)
    assert parsed("APP1.elf", file) == parsed("APP1.elf", elf(PIECES))
    assert "section headers are broken" in notes("APP1.elf", file)


def test_a_file_of_very_many_sections_says_so_in_the_first_of_them() -> None:
    table = struct.pack("<10I", 0, 0, 0, 0, 0, 2, 0, 0, 0, 0) + section(1, 2, 52 + 64, 8)
    assert parsed("APP1.elf", sectioned(elf(PIECES), table, count=0)) == Image.raw(BIN[:8])


def test_an_elf_of_many_segments_over_the_same_bytes_is_bounded() -> None:
    """Each is within the file; together they are gigabytes."""
    count = 65_000
    body = bytes(64 * K)
    file = elf([(0x08020000, b"")] * count, offset=52 + 32 * count)
    sizes = bytearray(file)
    for index in range(count):
        struct.pack_into("<I", sizes, 52 + 32 * index + 16, len(body))
    assert "more than 64 MiB" in refusal("APP1.elf", bytes(sizes) + body).message


@pytest.mark.parametrize(
    "options", [(), ("-Wl,--nmagic",), ("-Wl,-z,max-page-size=0x10000",), ("-Wl,-z,noseparate-code",)]
)
def test_what_the_real_tools_make_of_one_program_is_one_image(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Also where the linker puts the header of the file into the first segment, as the origin is no whole page."""
    need_compiler()
    (tmp_path / "app.c").write_text(
        "unsigned initial = 0x12345678, zeroed[64];\n"
        "void start(void) { zeroed[0] = initial; for (;;); }\n"
        '__attribute__((section(".vectors"), used)) void *vectors[] = {(void *)0x20030000, (void *)start};\n'
        '__attribute__((section(".late"), used)) char late[] = "far away";\n'
    )
    (tmp_path / "app.ld").write_text(
        "MEMORY { FLASH : ORIGIN = 0x08020100, LENGTH = 300K  RAM : ORIGIN = 0x20000000, LENGTH = 640K }\n"
        "SECTIONS {\n"
        "  .vectors : { KEEP(*(.vectors)) *(.text*) *(.rodata*) . = ALIGN(4); } > FLASH\n"
        "  .data : { *(.data*) } > RAM AT> FLASH\n"
        "  .bss : { *(.bss*) } > RAM\n"
        "  .late 0x08030000 : { KEEP(*(.late)) } > FLASH\n"
        "}\n"
    )

    def run(*command: str) -> None:
        subprocess.run(command, cwd=tmp_path, check=True)  # noqa: S603 -- our own words

    compiler = ("arm-none-eabi-gcc", "-mcpu=cortex-m33", "-mthumb", "-nostdlib", "-Wl,-estart", "-T", "app.ld")
    run(*compiler, "-Wl,--no-warn-rwx-segments", *options, "app.c", "-o", "app.elf")
    for kind in ("ihex", "srec", "symbolsrec"):
        run("arm-none-eabi-objcopy", "-O", kind, "app.elf", f"app.{kind}")
    run("arm-none-eabi-strip", "-o", "stripped.elf", "app.elf")
    names = ("app.elf", "stripped.elf", "app.ihex", "app.srec", "app.symbolsrec")
    found = {name: parsed(name, (tmp_path / name).read_bytes()) for name in names}
    image = found["app.elf"]
    assert found == dict.fromkeys(names, image)
    assert image.read(Range.sized(0x10000, 9)) == b"far away\0"
    assert struct.unpack_from("<I", image.read(Range.sized(0x100, 4))) == (0x20030000,)
    assert image.pieces[0].data.endswith(struct.pack("<I", 0x12345678))


# DFU


@pytest.mark.parametrize("ids", [{}, {"product": 0x5740}, {"vendor": 0xFFFF, "product": 0xFFFF}, {"product": 0xFFFF}])
def test_a_dfu_file_for_this_device_or_any_is_taken(ids: dict[str, int]) -> None:
    assert parsed("APP1.dfu", dfuse(PIECES[:1], **ids)) == Image.raw(BIN)
    assert parsed("APP1.dfu", suffixed(BIN, **ids)) == Image.raw(BIN)


@pytest.mark.parametrize("ids", [{"vendor": 0x1209}, {"product": 1}, {"vendor": 0xFFFF, "product": 1}])
def test_a_dfu_file_for_another_device_is_refused(ids: dict[str, int]) -> None:
    assert "is for the device" in refusal("APP1.dfu", dfuse(PIECES, **ids)).message
    assert "is for the device" in refusal("APP1.dfu", suffixed(BIN, **ids)).message


def test_a_plain_dfu_file_is_a_raw_binary_with_a_suffix() -> None:
    assert parsed("APP1.bin", suffixed(BIN)) == Image.raw(BIN)
    assert parsed("APP1.elf", suffixed(BIN)) == Image.raw(BIN)
    assert "UF2" in refusal("APP1.dfu", suffixed(b"UF2\n" + BIN)).message
    assert "not a raw binary" in refusal("APP1.dfu", suffixed(hexed(PIECES))).message
    assert "empty" in refusal("APP1.dfu", suffixed(b"")).message


@pytest.mark.parametrize("name", ["APP1.bin", "APP1.dfu"])
@pytest.mark.parametrize("content", [BIN, b"", dfuse(PIECES)[:-16]])
def test_a_second_suffix_is_told(name: str, content: bytes) -> None:
    for data in (
        suffixed(suffixed(content)),
        suffixed(suffixed(suffixed(content))),
        suffixed(suffixed(content), vendor=1),
    ):
        error = refusal(name, data)
        assert error.message == f"{name} has two DFU suffixes"
        assert "once" in error.hint


@pytest.mark.parametrize("first", [suffixed(BIN), dfuse(PIECES)])
def test_two_dfu_files_in_one_are_told_with_the_byte(first: bytes) -> None:
    for second in (first, suffixed(b"other", vendor=1)):
        error = refusal("APP1.dfu", first + second)
        assert error.message == f"APP1.dfu ends at byte {len(first)} and goes on: two files in one"


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
        (struct.pack("<II", 0x08020000, len(BIN)), struct.pack("<II", 0x08020000, len(BIN) - 1), "1 bytes follow"),
        (struct.pack("<I", len(BIN)), b"\xff\xff\xff\xff", "beyond its end"),
        (struct.pack("<II", len(BIN) + 8, 1), struct.pack("<II", len(BIN) + 8, 300), "shorter than it says"),
        (struct.pack("<II", len(BIN) + 8, 1), struct.pack("<II", len(BIN) + 8, 0), "bytes follow"),
        (b"ST...", b"", ""),
    ],
)
def test_a_dfuse_container_that_contradicts_itself_is_refused(old: bytes, new: bytes, said: str) -> None:
    content = dfuse(PIECES[:1])[:-16]
    assert old in content
    assert said in refusal("APP1.dfu", suffixed(content.replace(old, new, 1))).message


@pytest.mark.parametrize("more", [16, -1, 1, 0x7FFFFFFF])
def test_a_size_in_a_header_that_is_not_the_files_is_a_note(more: int) -> None:
    file = container([target(PIECES)], more=more)
    assert parsed("APP1.dfu", file) == parsed("APP1.dfu", dfuse(PIECES))
    assert "header says" in notes("APP1.dfu", file)
    old, new = (struct.pack("<II", len(BIN) + n, 1) for n in (8, 9 + max(more, 0)))
    file = suffixed(dfuse(PIECES[:1])[:-16].replace(old, new))
    assert parsed("APP1.dfu", file) == Image.raw(BIN)
    assert "1 target of it with another size" in notes("APP1.dfu", file)


def test_several_targets_make_one_image_where_their_addresses_are_the_partitions() -> None:
    for alternates in ((0, 0, 1), (0, 1, 0)):
        several = [target([piece], alternate=n) for piece, n in zip([*PIECES, (0, b"")], alternates, strict=True)]
        assert parsed("APP1.dfu", container(several)) == parsed("APP1.dfu", dfuse(PIECES))
    options = container([target(PIECES), target([(0x1FFF7800, b"option bytes")], alternate=1)])
    error = refusal("APP1.dfu", options)
    assert "option bytes" in error.message
    assert "never writes option bytes" in error.hint
    assert parsed("APP1.dfu", options, replace(APP1, outside=Outside.LEAVE_OUT)) == parsed("APP1.dfu", dfuse(PIECES))


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
        image = parsed(name, whole)
        assert image.end <= max(APP1.span.size, len(whole))
        assert image == Image.of(image.pieces)
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
    for name, data in ((name, write(PIECES)) for name, write in WRITERS.items()):
        with pytest.raises(RefusedError) as caught:
            parse_for(name, data, plain, firmware)
        assert "is alternate setting main, which has no address" in caught.value.message
        assert "raw binary" in caught.value.hint
    assert parse_for("a.dfu", suffixed(BIN), plain, firmware) == Parsed(Image.raw(BIN))
    assert parse_for("a.bin", BIN, plain, firmware) == Parsed(Image.raw(BIN))
