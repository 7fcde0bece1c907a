from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.geometry import (
    ADDRESS_SPACE,
    MAX_SECTOR_SIZE,
    MAX_SECTORS,
    Geometry,
    Range,
    Region,
    format_sectors,
    parse_sectors,
)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    regions: list[Region] = []
    end = draw(st.integers(0, 0x1000000)) * 16
    for _ in range(draw(st.integers(1, 5))):
        address = end + draw(st.integers(0, 4)) * 16
        regions.append(Region(address, draw(st.integers(1, 40)), draw(st.integers(1, 8192)) * 16))
        end = regions[-1].span.end
    return Geometry(tuple(regions))


@given(geometries())
def test_sectors_written_out_are_read_back(geometry: Geometry) -> None:
    assert parse_sectors(format_sectors(geometry)) == geometry


def geometry_or_problem(text: str) -> tuple[Geometry | None, str]:
    try:
        return parse_sectors(text), ""
    except ValueError as error:
        return None, str(error)


@given(st.text(st.sampled_from("0123456789abcKMx*@, ."), max_size=40) | st.text(max_size=40))
def test_any_text_is_a_sound_geometry_or_a_clear_error(text: str) -> None:
    geometry, problem = geometry_or_problem(text)
    assert problem.isprintable()
    if geometry is None:
        assert problem
        return
    spans = [region.span for region in geometry.regions]
    assert spans == sorted(spans)
    assert not any(a.overlaps(b) for a, b in pairwise(spans))
    assert spans[-1].end <= ADDRESS_SPACE
    assert 1 <= sum(region.count for region in geometry.regions) <= MAX_SECTORS


def test_the_sectors_of_an_stm32f4_are_read() -> None:
    geometry = parse_sectors("4*16K@0x08000000, 1*64K, 7*128K")
    assert [sector.span.size for sector in geometry.sectors()] == [16384] * 4 + [65536] + [131072] * 7
    assert geometry.regions[-1].span.end == 0x08100000
    assert geometry.banks_of(Range(0x08000000, 0x08100000)) == {0}
    assert geometry.ram == ()


def test_a_hole_between_runs_is_no_part_of_the_flash() -> None:
    geometry = parse_sectors("2*8K@0x08000000,2*8K@0x08080000")
    assert not geometry.is_whole_sectors(Range(0x08000000, 0x08084000))
    assert geometry.is_whole_sectors(Range(0x08080000, 0x08084000))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a run of sectors"),
        ("128*8K@0x08000000,", "is not a run of sectors"),
        ("8K@0x08000000", "is not a run of sectors"),
        ("128*8K", "the first run needs its address"),
        ("128*8Q@0x08000000", '"8Q" is not a size'),
        ("128*8K@08000000x", "is not an address"),
        ("128*8K@", "is not a"),
        ("0*8K@0x08000000", "from 1 to"),
        (f"{MAX_SECTORS + 1}*16@0", "from 1 to"),
        (f"{MAX_SECTORS}*16@0,1*16", "more than"),
        ("1*8@0x08000000", "multiple of 16"),
        ("1*24@0x08000000", "multiple of 16"),
        (f"1*{MAX_SECTOR_SIZE + 16}@0", "at most 16 MiB"),
        ("1*8K@0x08000001", "not a multiple of 16"),
        ("2*8K@0x08000000,1*8K@0x08002000", "before the end of the run before it (0x08004000)"),
        ("1*8K@0x08010000,1*8K@0x08000000", "ascending"),
        ("1*8K@0xfffff000", "outside 32-bit addresses"),
        ("1*8K@0x\x1b[2J", "is not an address"),
    ],
)
def test_a_mistake_is_told(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"\A[ -~\ufffd…]+\Z") as caught:
        parse_sectors(text)
    assert problem in str(caught.value)
