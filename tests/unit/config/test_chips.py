import re
from itertools import pairwise

import pytest

from flashdeck.chips import CHIPS, Chip, find_chip
from flashdeck.errors import ConfigError
from flashdeck.geometry import ADDRESS_SPACE, Range


@pytest.mark.parametrize("name", CHIPS)
def test_every_entry_is_sound(name: str) -> None:
    chip = CHIPS[name]
    geometry = chip.geometry
    spans = [region.span for region in geometry.regions]
    assert chip.name == name
    assert name == name.upper()
    assert chip.source
    assert spans == sorted(spans)
    assert not any(a.overlaps(b) for a, b in pairwise(spans))
    assert spans[-1].end <= ADDRESS_SPACE
    assert geometry.program_unit.bit_count() == 1
    assert all(region.sector_size % geometry.program_unit == 0 for region in geometry.regions)
    assert geometry.ram
    assert not any(ram.overlaps(span) for ram in geometry.ram for span in spans)


def test_the_stm32h563rg_has_two_banks_of_512_kib() -> None:
    geometry = CHIPS["STM32H563RG"].geometry
    sectors = list(geometry.sectors())
    assert len(sectors) == 128
    assert {sector.span.size for sector in sectors} == {8192}
    assert sectors[0].span.start == 0x08000000
    assert sectors[63].span.end == sectors[64].span.start == 0x08080000
    assert sectors[127].span.end == 0x08100000
    assert [sector.bank for sector in sectors] == [0] * 64 + [1] * 64
    assert geometry.program_unit == 16
    assert geometry.ram == (Range(0x20000000, 0x200A0000),)


def test_the_stm32h563zi_has_twice_the_flash() -> None:
    first, second = CHIPS["STM32H563ZI"].geometry.regions
    assert (first.span, first.bank) == (Range(0x08000000, 0x08100000), 0)
    assert (second.span, second.bank) == (Range(0x08100000, 0x08200000), 1)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("STM32H563RG", "STM32H563RG"),
        ("STM32H563RGT6", "STM32H563RG"),
        ("stm32h563rgt6", "STM32H563RG"),
        ("STM32H563RGTx", "STM32H563RG"),
        ("STM32H563ZIT6Q", "STM32H563ZI"),
        ("STM32H563MIY3QTR", "STM32H563MI"),
    ],
)
def test_a_longer_part_number_is_found(part: str, name: str) -> None:
    assert find_chip(part) is CHIPS[name]


@pytest.mark.parametrize(
    "part", ["", "STM32", "STM32H563", "STM32H563RGT", "STM32H563RG-T6", "STM32H563RGT6 ", "STM32H563RGT6ABCDEFG"]
)
def test_anything_else_is_not_found(part: str) -> None:
    with pytest.raises(ConfigError, match="the chip table has no"):
        find_chip(part)


def test_the_nearest_names_are_suggested() -> None:
    with pytest.raises(ConfigError) as caught:
        find_chip("STM32H536RG")
    assert "STM32H563RG" in caught.value.hint
    assert "sectors" in caught.value.hint


def test_a_hostile_name_is_shown_harmlessly() -> None:
    with pytest.raises(ConfigError) as caught:
        find_chip("\x1b[2J" * 100)
    assert re.fullmatch(r'the chip table has no "[^\x1b]{1,40}"', caught.value.message)


def test_a_chip_cannot_be_changed() -> None:
    chip: Chip = find_chip("STM32H563RG")
    with pytest.raises(AttributeError):
        chip.name = "other"  # pyright: ignore[reportAttributeAccessIssue]
