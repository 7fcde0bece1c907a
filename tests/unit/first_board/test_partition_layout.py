"""Partitions from builds: what lies where, what is left out and why."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck.chips import find_chip
from flashdeck.first_board.found import BuildLayout, FoundBuild, FoundImage
from flashdeck.first_board.partition_layout import (
    BOOTLOADER,
    LONGEST_NAME,
    MAX_PARTITIONS,
    PartitionLayout,
    PlannedPartition,
    free_name,
    lay_out,
    partition_name,
)
from flashdeck.geometry import Geometry, Range, parse_sectors
from flashdeck.memory_map import Access, MemoryMap, parse_memory_map
from flashdeck.text import format_size
from flashdeck.toml.spellings import is_name

K = 1024
H563 = find_chip("STM32H563RG").geometry
F407 = find_chip("STM32F407VG").geometry
HOLE = find_chip("STM32H7A3ZG").geometry
"""Two banks of 512 KB with a hole of as much between them."""
HONEST = parse_memory_map("@Internal Flash   /0x08000000/16*8Ka,112*8Kg")


def built(
    name: str,
    start: int | None,
    size: int = 0x4000,
    *,
    at: float = 100.0,
    guess: bool = False,
    program: bool = True,
    parts: Sequence[tuple[int, int]] = (),
) -> FoundBuild:
    end = None if start is None else start + size
    image = FoundImage(
        path=f"/fw/{name}.elf",
        format="ELF",
        size=size,
        modified_at=at,
        start=start,
        end=end,
        parts=tuple(parts) or (((start, start + size),) if start is not None else ()),
        start_is_guess=guess,
        is_program=program,
    )
    return FoundBuild(name=name, layout=BuildLayout.PLAIN, best=image)


def told(layout: PartitionLayout) -> list[tuple[str, int, int, bool]]:
    return [(each.name, each.span.start, each.span.size, each.protected) for each in layout.partitions]


def reasons(layout: PartitionLayout) -> dict[str, str]:
    return {each.build.name: each.reason for each in layout.left_out}


def test_the_first_case() -> None:
    layout = lay_out([built("APP2", 0x08080000), built("APP1", 0x08020000, 300 * K)], H563, [HONEST])
    assert told(layout) == [
        ("bootloader", 0x08000000, 128 * K, True),
        ("app1", 0x08020000, 384 * K, False),
        ("app2", 0x08080000, 512 * K, False),
    ]
    assert [each.image for each in layout.partitions] == ["", "/fw/APP1.elf", "/fw/APP2.elf"]
    assert layout.left_out == layout.notes == ()
    assert "app1 300 KiB of 384 KiB, app2 16 KiB of 512 KiB" in layout.room


def test_a_build_that_fills_its_partition_has_no_room_to_tell_of() -> None:
    assert lay_out([built("app", 0x08020000, 384 * K)], H563).room == ""
    assert lay_out([], H563).room == ""


def test_no_partition_grows_over_what_is_known_to_be_somebody_elses() -> None:
    """Builds that were not chosen, data that gets no partition, and one of several programs in a merged file."""
    chosen = [built("APP1", 0x08020000), built("APP2", 0x08080000)]
    between = built("third", 0x08040000)
    layout = lay_out(chosen, H563, [HONEST], [between])
    assert told(layout)[1:] == [("app1", 0x08020000, 128 * K, False), ("app2", 0x08080000, 512 * K, False)]
    assert layout.notes == ("app1 ends at 0x08040000, where third begins.",)
    data = built("params", 0x080E0000, program=False)
    assert told(lay_out([*chosen, data], H563))[-1] == ("app2", 0x08080000, 384 * K, False)
    spans = [(0x08000000, 0x08004000), (0x08020000, 0x08024000), (0x08061000, 0x08062000)]
    merged = built("all", 0x08000000, 0x62000, parts=spans)
    assert told(lay_out(chosen[:1], H563, (), [merged]))[-1] == ("app1", 0x08020000, 256 * K, False)


def test_bytes_of_others_below_the_end_of_a_build_are_said_to_be_overwritten() -> None:
    inside, beside = built("old", 0x08022000), built("tail", 0x08027000)
    layout = lay_out([built("app", 0x08020000, 0x6100)], H563, (), [inside, beside])
    assert layout.notes == ("Flashing app overwrites bytes of old, tail.",)
    assert told(layout)[-1] == ("app", 0x08020000, 384 * K, False)


def test_another_build_of_the_same_program_says_nothing_new() -> None:
    older = built("app", 0x08020000, 0x30000, at=1, parts=[(0x08020000, 0x08024000), (0x0804F000, 0x08050000)])
    layout = lay_out([built("app", 0x08020000)], H563, (), [older])
    assert (told(layout)[-1][2], layout.notes) == (384 * K, ())


def test_one_program_at_the_very_start_is_what_the_rom_flashes() -> None:
    layout = lay_out([built("blinky", 0x08000000)], F407)
    assert told(layout) == [("blinky", 0x08000000, 1024 * K, False)]
    assert "would be overwritten" in layout.notes[0]


def test_a_program_at_the_start_beside_others_is_the_bootloader_and_stays() -> None:
    layout = lay_out([built("boot", 0x08000000), built("app", 0x08010000)], F407)
    assert told(layout) == [("bootloader", 0x08000000, 64 * K, True), ("app", 0x08010000, 960 * K, False)]
    assert layout.partitions[0].build is not None
    assert layout.partitions[0].image == "", "it is shown, and never flashed"
    assert "boot begins where the flash does, so it is taken for the bootloader" in layout.notes[0]


def test_a_build_that_is_not_chosen_and_lies_below_is_said_to_be_protected() -> None:
    app1, app2, boot = built("APP1", 0x08020000), built("APP2", 0x08080000), built("boot", 0x08000000)
    (note,) = lay_out([app2], H563, others=[app1, boot]).notes
    assert note == "APP1 in bootloader is protected: choose it, too, where it is to be flashed."


def test_of_two_builds_for_one_place_the_newer_counts() -> None:
    layout = lay_out([built("Release", 0x08020000, at=1), built("Debug", 0x08020000, at=2)], H563)
    assert [each.name for each in layout.partitions] == ["bootloader", "debug"]
    assert reasons(layout) == {"Release": "Debug is for the same place and is newer"}


def test_a_sure_address_comes_before_a_guess_and_programs_before_what_they_were_merged_into() -> None:
    merged = built("all", 0x08000000, 0x90000, at=9, parts=[(0x08000000, 0x08004000), (0x08020000, 0x08024000)])
    guessed = built("old", 0x0801C000, 0x8000, at=8, guess=True)
    layout = lay_out([merged, guessed, built("app", 0x08020000, at=1)], H563)
    assert [each.name for each in layout.partitions] == ["bootloader", "app"]
    assert reasons(layout).keys() == {"all", "old"}
    assert "overlaps" in reasons(layout)["old"]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (built("x", None), "nothing says which address"),
        (built("x", 0x08020000, program=False), "it is no program"),
        (built("x", 0x08020200), "the sector there begins at 0x08020000"),
        (built("x", 0x24000000), "not in this flash"),
        (built("x", 0x080FC000, 0x8000), "not in this flash"),
        (built("x", 0x08018000, 0x10000), "memory map does not let"),
    ],
)
def test_what_cannot_have_a_partition_is_left_out_with_the_reason(build: FoundBuild, reason: str) -> None:
    layout = lay_out([build], H563, [HONEST])
    assert layout.partitions == ()
    assert reason in reasons(layout)["x"]


def test_no_partition_reaches_over_a_hole_or_into_what_may_not_be_written() -> None:
    layout = lay_out([built("app", 0x08010000)], HOLE)
    assert told(layout)[-1] == ("app", 0x08010000, 448 * K, False)
    second = lay_out([built("app", 0x08100000)], HOLE)
    assert told(second) == [
        ("bootloader", 0x08000000, 512 * K, True),
        ("app", 0x08100000, 512 * K, False),
    ]
    tail = parse_memory_map("@Internal Flash   /0x08000000/16*8Ka,96*8Kg,16*8Ka")
    assert told(lay_out([built("app", 0x08080000)], H563, [tail]))[-1] == ("app", 0x08080000, 384 * K, False)


def test_beside_a_bootloader_a_program_does_not_reach_into_another_bank_without_need() -> None:
    """There it would wait until the bootloader is seen to erase the right bank."""
    alone = lay_out([built("app", 0x08020000)], H563)
    assert told(alone)[-1] == ("app", 0x08020000, 384 * K, False)
    large = lay_out([built("app", 0x08020000, 500 * K)], H563)
    assert told(large)[-1] == ("app", 0x08020000, 896 * K, False)
    by_the_rom = lay_out([built("app", 0x08000000)], H563)
    assert told(by_the_rom) == [("app", 0x08000000, 1024 * K, False)]
    beside = lay_out([built("boot", 0x08000000), built("app", 0x08020000)], H563)
    assert told(beside) == [("bootloader", 0x08000000, 128 * K, True), ("app", 0x08020000, 384 * K, False)]


def test_a_long_name_is_cut_also_where_a_number_makes_it_another() -> None:
    name = partition_name(built("x" * (LONGEST_NAME + 1), 0x08020000))
    assert name == "x" * LONGEST_NAME
    assert partition_name(built(name, 0x08020000)) == name
    assert free_name(name, {name}) == "x" * (LONGEST_NAME - 2) + "-2"


def test_each_run_below_the_lowest_is_protected_by_itself() -> None:
    layout = lay_out([built("app", 0x08110000)], HOLE)
    assert told(layout) == [
        ("bootloader", 0x08000000, 512 * K, True),
        ("bootloader-2", 0x08100000, 64 * K, True),
        ("app", 0x08110000, 448 * K, False),
    ]


def test_names_are_those_of_the_builds_as_far_as_a_name_may_be_so() -> None:
    names = ["My App", "My App", "bootloader", "ä", "x" * 50]
    builds = [built(name, 0x08020000 + index * 0x10000) for index, name in enumerate(names)]
    layout = lay_out(builds, H563)
    assert [each.name for each in layout.partitions] == ["bootloader", "my-app", "my-app-2", "app", "app-2", "x" * 32]


def test_as_many_partitions_as_may_be_and_one_more() -> None:
    builds = [built(f"p{number}", 0x08002000 * 1 + number * 0x2000, 0x1000) for number in range(MAX_PARTITIONS + 1)]
    layout = lay_out(builds, H563)
    assert sum(not each.protected for each in layout.partitions) == MAX_PARTITIONS
    (left,) = layout.left_out
    assert f"{MAX_PARTITIONS} partitions" in left.reason


def test_nothing_is_planned_of_nothing() -> None:
    assert lay_out([], H563) == PartitionLayout(flash_start=0x08000000)


GEOMETRIES = [H563, F407, HOLE, parse_sectors("7*3K@0x08000000, 2*16K")]
STARTS = st.sampled_from([None, 0x08000000, 0x08004000, 0x08010000, 0x08020000, 0x08080000, 0x08100000, 0x20000000])
BUILDS = st.lists(
    st.builds(
        built,
        st.sampled_from(["app", "bootloader", "app-2", ""]),
        st.one_of(STARTS, st.integers(0x07FFF000, 0x08200000)),
        st.integers(1, 0x120000),
        at=st.integers(0, 3).map(float),
        guess=st.booleans(),
        program=st.booleans(),
    ),
    max_size=6,
)
MAPS = st.sampled_from([(), (HONEST,), (parse_memory_map("@F/0x08004000/03*016Kg,01*064Kg,07*128Ka"),)])


@settings(max_examples=150, deadline=None)
@given(BUILDS, BUILDS, st.sampled_from(GEOMETRIES))
def test_what_a_partition_has_beside_its_build_is_nobodys_as_far_as_is_known_and_is_told(
    builds: list[FoundBuild], others: list[FoundBuild], geometry: Geometry
) -> None:
    layout = lay_out(builds, geometry, (), others)
    own = {each.span.start for each in layout.partitions if each.build is not None}
    foreign = [
        (start, build)
        for build in (*others, *(each.build for each in layout.left_out))
        if build.best.start not in own
        for start, _ in build.best.parts
    ]
    for each in layout.partitions:
        if not each.build_size:
            continue
        needed = [span for sector in geometry.sectors() if (span := sector.span).overlaps(reach_of(each))]
        for start, build in foreign:
            if each.span.start < start < each.span.end:
                assert start < needed[-1].end, "it does not grow over it"
                assert any(f"Flashing {each.name} overwrites bytes of" in note for note in layout.notes), build
        sizes = f"{each.name} {format_size(each.build_size)} of {format_size(each.span.size)}"
        assert (sizes in layout.room) is (each.build_size < each.span.size)


def reach_of(planned: PlannedPartition) -> Range:
    return Range.sized(planned.span.start, planned.build_size)


@settings(max_examples=150, deadline=None)
@given(BUILDS, st.sampled_from(GEOMETRIES), MAPS)
def test_no_partition_is_where_it_may_not_be(
    builds: list[FoundBuild], geometry: Geometry, maps: tuple[MemoryMap, ...]
) -> None:
    layout = lay_out(builds, geometry, maps)
    spans = [each.span for each in layout.partitions]
    assert spans == sorted(spans)
    assert not any(one.overlaps(other) for at, one in enumerate(spans) for other in spans[at + 1 :])
    assert all(geometry.is_whole_sectors(span) for span in spans), "whole sectors, and inside the flash"
    names = [each.name for each in layout.partitions]
    assert len(set(names)) == len(names)
    assert all(is_name(name) and len(name) <= LONGEST_NAME for name in names)
    closed = [each.span for each in layout.partitions if each.protected]
    for each in layout.partitions:
        if each.build is None:
            assert each.protected
            assert each.name.startswith(BOOTLOADER)
            continue
        own = Range(each.build.best.start or 0, each.build.best.end or 0)
        assert each.span.covers(own), "the image lies in its own partition, whole"
        assert each.span.start == own.start
        assert not each.image or not any(span.overlaps(own) for span in closed)
        if maps and not each.protected:
            assert all(each.permits(own, Access.WRITE | Access.ERASE) for each in maps)
    placed = [each.build for each in layout.partitions if each.build is not None]
    assert sorted(map(repr, [*placed, *(each.build for each in layout.left_out)])) == sorted(map(repr, builds))
    assert all(each.reason for each in layout.left_out)


def test_the_same_builds_make_the_same_map_in_whatever_order() -> None:
    builds = [built("a", 0x08020000), built("b", 0x08080000), replace(built("c", 0x08020000), name="c")]
    assert lay_out(builds, H563).partitions == lay_out(builds[::-1], H563).partitions
