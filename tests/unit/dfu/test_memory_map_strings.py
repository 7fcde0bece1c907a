"""Memory maps as real devices send them, and as no device should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.errors import DescriptorError
from flashdeck.geometry import Range
from flashdeck.memory_map import MAX_LENGTH, Access, MemoryMap, parse_memory_map

RW = Access.READ | Access.ERASE | Access.WRITE


def attempt(text: str) -> MemoryMap | None:
    """The map; None where there is none, which is then said clearly and in few words."""
    try:
        return parse_memory_map(text)
    except DescriptorError as error:
        trouble = error
    assert trouble.hint
    assert len(trouble.message) < 1000
    assert trouble.message.isprintable()
    return None


TYPES = tuple(enumerate("abcdefg", 1))
"""The last letter of a run has three bits: readable, erasable, writable."""


def shape(memory_map: MemoryMap) -> list[tuple[int, int, int, int]]:
    return [(s.span.start, s.span.size // s.sector_size, s.sector_size, s.access) for s in memory_map.segments]


@pytest.mark.parametrize(
    ("text", "name", "segments"),
    [
        (
            "@Internal Flash   /0x08000000/04*016Kg,01*064Kg,07*128Kg",
            "Internal Flash",
            [(0x08000000, 4, 0x4000, 7), (0x08010000, 1, 0x10000, 7), (0x08020000, 7, 0x20000, 7)],
        ),
        (
            "@Internal Flash   /0x08000000/16*8Ka,112*8Kg",
            "Internal Flash",
            [(0x08000000, 16, 8192, 1), (0x08020000, 112, 8192, 7)],
        ),
        ("@Option Bytes  /0x1FFFF800/01*016 e", "Option Bytes", [(0x1FFFF800, 1, 16, 5)]),
        ("@OTP Memory   /0x1FFF7000/01*512 g", "OTP Memory", [(0x1FFF7000, 1, 512, 7)]),
        ("@No unit/0x1FFF0000/1*528e", "No unit", [(0x1FFF0000, 1, 528, 5)]),
        ("@Unit or type/0x0/1*528b", "Unit or type", [(0, 1, 528, 2)]),
        ("@Unit and type/0x0/1*16Bb", "Unit and type", [(0, 1, 16, 2)]),
        (
            "@Option Bytes   /0x1FFF7800/01*048 e/0x1FFFF800/01*048 e",
            "Option Bytes",
            [(0x1FFF7800, 1, 48, 5), (0x1FFFF800, 1, 48, 5)],
        ),
        ("@SPI Flash : M25P64/0x00000000/128*64Kg", "SPI Flash : M25P64", [(0, 128, 65536, 7)]),
        ("@Internal/External /0x90000000/2*1Mg", "Internal/External", [(0x90000000, 2, 1 << 20, 7)]),
        ("@/0x8000000/1*1Kg", "", [(0x08000000, 1, 1024, 7)]),
        ("Internal Flash/0x8000000/1*1Kg", "Internal Flash", [(0x08000000, 1, 1024, 7)]),
        ("@lower/0xabcd0000/1*1kg", "lower", [(0xABCD0000, 1, 1024, 7)]),
        (
            "@ Spaces / 0x08000000 / 4 * 16 K g , 1 * 64 K g ",
            "Spaces",
            [(0x08000000, 4, 16384, 7), (0x08010000, 1, 65536, 7)],
        ),
        ("@Comma/0x08000000/4*16Kg,", "Comma", [(0x08000000, 4, 16384, 7)]),
        ("@Many/0x90000000/1001*128Ka", "Many", [(0x90000000, 1001, 131072, 1)]),
        ("@Five digits/0x08000/04*016Kg", "Five digits", [(0x8000, 4, 0x4000, 7)]),
        ("@Seven digits/0x1FF7000/01*512 e", "Seven digits", [(0x01FF7000, 1, 512, 5)]),
        (
            "@External Flash /0x90000000/1001*128Kg,3*128Kg,20*128Ka",
            "External Flash",
            [
                (0x90000000, 1001, 131072, 7),
                (0x90000000 + 1001 * 131072, 3, 131072, 7),
                (0x90000000 + 1004 * 131072, 20, 131072, 1),
            ],
        ),
        (
            "@Internal Flash   /0x08000000/4*8Ka,252*8Kg",  # ST's sample for the H563: 2 MB, whatever the part has
            "Internal Flash",
            [(0x08000000, 4, 8192, 1), (0x08008000, 252, 8192, 7)],
        ),
        ("@A/B /0x08000000/1*1Kg", "A/B", [(0x08000000, 1, 1024, 7)]),
        *((f"@Type {letter}/0x0/1*1K{letter}", f"Type {letter}", [(0, 1, 1024, i)]) for i, letter in TYPES),
        ("@Odd page/0x08000000/1*248Kg,1*8Kg", "Odd page", [(0x08000000, 1, 248 * 1024, 7), (0x0803E000, 1, 8192, 7)]),
        ("@Noise/0x08000000/4*16Kg\0\x07rest", "Noise", [(0x08000000, 4, 16384, 7)]),
        ("@Noi\u00ffse\x1b/0x08000000/4*16Kg", "Noise", [(0x08000000, 4, 16384, 7)]),
    ],
)
def test_maps_that_devices_send(text: str, name: str, segments: list[tuple[int, int, int, int]]) -> None:
    memory_map = parse_memory_map(text)
    assert memory_map.name == name
    assert shape(memory_map) == segments


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Internal Flash",
        "@Internal Flash",
        "@Internal Flash /0x08000000",
        "@Internal Flash /0x08000000/",
        "@Internal Flash /0x08000000/04*016Kg,07*128",  # cut off, as where bLength is too short
        "@Internal Flash /0x08000000/04*016Kh",
        "@Internal Flash /0x08000000/00*016Kg",
        "@Internal Flash /0x08000000/04*000Kg",
        "@Internal Flash /0xFFFFF000/04*016Kg",
        "@Internal Flash /0x08000000/9999999*9999999Mg",
        "@Internal Flash /0x08000000/-4*16Kg",
        "@Internal Flash /0x08000000/4*16Kg/here/4*16Kg",
        "@Internal Flash /0x08000000/4*16Kg/0x08100000",
        "@Internal Flash /0x08000000/\u0664*16Kg",
    ],
)
def test_what_can_not_be_read_without_guessing_is_an_error(text: str) -> None:
    with pytest.raises(DescriptorError) as caught:
        parse_memory_map(text)
    assert caught.value.hint


@given(
    st.text(max_size=200) | st.from_regex(r"@[^/]{0,9}(/0x[0-9a-f]{1,9}/([0-9*KMBag, ]{1,30})){0,4}", fullmatch=True)
)
def test_garbage_gives_a_map_or_an_error(text: str) -> None:
    memory_map = attempt(text)
    if memory_map is None:
        return
    for segment in memory_map.segments:
        assert 0 <= segment.span.start < segment.span.end <= 1 << 32
        assert segment.span.size % segment.sector_size == 0
    assert memory_map.name.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "@" + "/0x0/1*1Kg" * 100_000,
        "@F/0x08000000/" + "1*1Kg," * 100_000,
        "@F/0x08000000/" + " " * 1_000_000 + "x",
        "@" + "\x1b[31m" * 100_000 + "/0x08000000/1*1Kx",
    ],
)
def test_a_flood_is_not_looked_at(text: str) -> None:
    memory_map = attempt(text)
    assert memory_map is None or len(memory_map.segments) < MAX_LENGTH


@given(
    st.lists(st.tuples(st.integers(1, 0x9999), st.integers(1, 999), st.sampled_from("KM B"), st.sampled_from(TYPES)))
)
def test_what_a_map_says_is_what_is_read(runs: list[tuple[int, int, str, tuple[int, str]]]) -> None:
    units = {"K": 1024, "M": 1 << 20, " ": 1, "B": 1}
    at, expected = 0x1000, list[tuple[int, int, int, int]]()
    for count, size, unit, (access, _) in runs:
        expected.append((at, count, size * units[unit], access))
        at += count * size * units[unit]
    text = "@Any/0x1000/" + ",".join(f"{count}*{size:03}{unit}{letter}" for count, size, unit, (_, letter) in runs)
    if not runs or at > 1 << 32 or len(text) > MAX_LENGTH:
        with pytest.raises(DescriptorError):
            parse_memory_map(text)
    else:
        assert shape(parse_memory_map(text)) == expected


def test_sectors_are_counted_from_the_start_of_their_run() -> None:
    memory_map = parse_memory_map("@Flash/0x08000100/3*248Kg")
    first = Range.sized(0x08000100, 248 * 1024)
    assert memory_map.sectors_at(0x08000100 + 248 * 1024 - 1) == (first,)
    assert memory_map.sectors_at(0x08000100 + 248 * 1024) == (Range.sized(first.end, 248 * 1024),)
    assert memory_map.sectors_at(0x080000FF) == ()


def test_a_span_is_permitted_only_where_all_of_it_is() -> None:
    memory_map = parse_memory_map("@Flash/0x08000000/2*8Ka,2*8Kg,2*8Kg/0x0800E000/1*8Kg")
    assert memory_map.permits(Range(0x08004000, 0x0800C000), RW)
    assert not memory_map.permits(Range(0x08003FFF, 0x0800C000), RW)
    assert memory_map.permits(Range(0x08003FFF, 0x0800C000), Access.READ)
    assert not memory_map.permits(Range(0x08004000, 0x0800C001), RW), "the hole"
    assert not memory_map.permits(Range(0x07FFFFFF, 0x08000001), Access.READ)


def test_a_map_that_contradicts_itself_permits_only_what_all_of_it_permits() -> None:
    memory_map = parse_memory_map("@Flash/0x08000000/8*8Kg/0x08002000/1*8Ka")
    assert not memory_map.permits(Range(0x08000000, 0x08010000), RW)
    assert memory_map.permits(Range(0x08000000, 0x08010000), Access.READ)
    assert memory_map.permits(Range(0x08004000, 0x08010000), RW)


def test_a_map_is_read_up_to_its_longest() -> None:
    runs = "/0x08000000/1*1Kg"
    longest = "@" + "x" * (MAX_LENGTH - len(runs) - 1) + runs
    assert len(parse_memory_map(longest).segments) == 1
    with pytest.raises(DescriptorError):
        parse_memory_map("@x" + longest[1:])
