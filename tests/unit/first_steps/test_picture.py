"""The picture of a map: to scale, as wide as the terminal, with every partition in a line of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Partition, Profile, UsbId
from flashdeck.geometry import Geometry, Range, parse_sectors
from flashdeck_tui.first_steps.picture import ASCII, NARROWEST, UNICODE, WIDEST, picture
from product_images import PRODUCT

SECTOR = 8 * 1024
FLASH = parse_sectors("128*8K@0x08000000")


def profile(*sizes: int, geometry: Geometry = FLASH) -> Profile:
    """A profile whose partitions follow one another, each of so many sectors."""
    partitions: dict[str, Partition] = {}
    at = 0x08000000
    for number, size in enumerate(sizes):
        name = f"part{number}"
        partitions[name] = Partition(name, Range.sized(at, size * SECTOR), image=f"/fw/{name}/build/{name}.elf")
        at += size * SECTOR
    return Profile(name="p", dfu=UsbId(1, 2), geometry=geometry, partitions=partitions)


def test_the_first_case_at_80_columns() -> None:
    lines = picture(PRODUCT, 80, UNICODE)
    assert [len(line) for line in lines[:3]] == [79, 79, 79]
    assert "░bootloader░" in lines[1]
    assert [word for word in lines[3].split() if word.startswith("0x")] == [
        *("0x08000000", "0x08020000", "0x08080000"),
        "0x080e0000",
    ]
    assert "untouched" in lines[1]
    assert "protected" in lines[4]
    assert "bank 2" in lines[6]


def test_the_first_case_at_40_columns() -> None:
    lines = picture(PRODUCT, 40, UNICODE)
    assert max(map(len, lines)) <= 39
    assert lines[-4:-2] == ["  app1        0x08020000   384 KiB", "    bank 1  no image"]


def test_plain_characters_are_ascii() -> None:
    assert "\n".join(picture(PRODUCT, 60, ASCII)).isascii()
    assert "#bootloader#" in picture(PRODUCT, 80, ASCII)[1]


def test_more_than_fits_is_a_table_alone() -> None:
    many = profile(*[1] * 12)
    assert len(picture(many, 60, UNICODE)) == 12
    assert picture(many, 60, UNICODE)[0].lstrip().startswith("part0")


def test_alternate_settings_have_no_bar() -> None:
    setting = Partition("app", Range.sized(0, 1024), 3, image="/fw/app.bin")
    plain = Profile(name="p", dfu=UsbId(1, 2), geometry=Geometry(()), partitions={"app": setting})
    assert picture(plain, 80, UNICODE, below="/fw") == ["  app  alt 3  app.bin"]


@pytest.mark.parametrize(("columns", "width"), [(1, NARROWEST), (10_000, WIDEST)])
def test_it_is_never_narrower_or_wider_than_makes_sense(columns: int, width: int) -> None:
    assert len(picture(profile(64, 64), columns, UNICODE)[0]) == width - 1


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(NARROWEST, WIDEST))
def test_every_line_fits_and_larger_is_never_narrower(sizes: list[int], columns: int) -> None:
    lines = picture(profile(*sizes), columns, UNICODE)
    bar = [line for line in lines if line.lstrip()[0] in "┌│└"]
    assert all(len(line) == columns - 1 for line in bar)
    if bar:
        cells = [len(cell) for cell in bar[1].strip().strip("│").split("│")]
        assert all(
            size_a <= size_b or a >= b
            for a, size_a in zip(cells, sizes, strict=False)
            for b, size_b in zip(cells, sizes, strict=False)
        )
