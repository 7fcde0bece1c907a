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


KIB = 1024
F4_512K = [16] * 4 + [64] + [128] * 3
F4_1M = [16] * 4 + [64] + [128] * 7


@pytest.mark.parametrize(
    ("name", "sectors", "banks", "program_unit", "ram"),
    [
        ("STM32F401RC", [*[16] * 4, 64, 128], [256], 4, {0x20000000: 64}),
        ("STM32F401CE", F4_512K, [512], 4, {0x20000000: 96}),
        ("STM32F405RG", F4_1M, [1024], 4, {0x10000000: 64, 0x20000000: 128}),
        ("STM32F407VG", F4_1M, [1024], 4, {0x10000000: 64, 0x20000000: 128}),
        ("STM32F417ZE", F4_512K, [512], 4, {0x10000000: 64, 0x20000000: 128}),
        ("STM32F411CE", F4_512K, [512], 4, {0x20000000: 128}),
        ("STM32F429ZI", F4_1M * 2, [1024, 1024], 4, {0x10000000: 64, 0x20000000: 192}),
        ("STM32F446RE", F4_512K, [512], 4, {0x20000000: 128}),
        ("STM32F722RE", F4_512K, [512], 4, {0x20000000: 256}),
        ("STM32F746ZG", [32] * 4 + [128] + [256] * 3, [1024], 4, {0x20000000: 320}),
        ("STM32F767ZI", [32] * 4 + [128] + [256] * 7, [2048], 4, {0x20000000: 512}),
        ("STM32G071RB", [2] * 64, [128], 8, {0x20000000: 36}),
        ("STM32G0B1RE", [2] * 256, [256, 256], 8, {0x20000000: 144}),
        ("STM32G431KB", [2] * 64, [128], 8, {0x10000000: 10, 0x20000000: 32}),
        ("STM32G474RE", [2] * 256, [256, 256], 8, {0x10000000: 32, 0x20000000: 128}),
        ("STM32H503RB", [8] * 16, [64, 64], 16, {0x20000000: 32}),
        ("STM32H573II", [8] * 256, [1024, 1024], 16, {0x20000000: 640}),
        ("STM32H723ZG", [128] * 8, [1024], 32, {0x20000000: 128, 0x24000000: 320, 0x30000000: 32, 0x38000000: 16}),
        (
            "STM32H743ZI",
            [128] * 16,
            [1024, 1024],
            32,
            {0x20000000: 128, 0x24000000: 512, 0x30000000: 288, 0x38000000: 64},
        ),
        ("STM32L432KC", [2] * 128, [256], 8, {0x10000000: 16, 0x20000000: 64}),
        ("STM32L433RC", [2] * 128, [256], 8, {0x10000000: 16, 0x20000000: 64}),
        ("STM32L476RG", [2] * 512, [512, 512], 8, {0x10000000: 32, 0x20000000: 96}),
        ("STM32L496ZG", [2] * 512, [512, 512], 8, {0x10000000: 64, 0x20000000: 320}),
        ("STM32U575ZI", [8] * 256, [1024, 1024], 16, {0x20000000: 768, 0x28000000: 16}),
    ],
)
def test_a_chip_is_as_its_manual_says(
    name: str, sectors: list[int], banks: list[int], program_unit: int, ram: dict[int, int]
) -> None:
    geometry = CHIPS[name].geometry
    found = list(geometry.sectors())
    assert found[0].span.start == 0x08000000
    assert all(a.span.end == b.span.start for a, b in pairwise(found))
    assert [sector.span.size // KIB for sector in found] == sectors
    assert [sum(each.span.size for each in found if each.bank == bank) // KIB for bank in range(len(banks))] == banks
    assert sum(banks) == sum(sectors)
    assert [each.bank for each in found] == sorted(each.bank for each in found)
    assert geometry.program_unit == program_unit
    assert {area.start: area.size // KIB for area in geometry.ram} == ram


def test_a_mode_that_option_bytes_choose_is_named() -> None:
    assert "DBANK" in CHIPS["STM32G474RE"].source
    assert "DUAL_BANK" in CHIPS["STM32G0B1RE"].source
    assert "nDBANK" in CHIPS["STM32F767ZI"].source


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("STM32F411CEU6", "STM32F411CE"),
        ("STM32G474RETx", "STM32G474RE"),
        ("stm32l476rgt6tr", "STM32L476RG"),
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


def test_where_nothing_is_near_the_product_lines_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        find_chip("nRF52840")
    assert "STM32F407, " in caught.value.hint
    assert len(caught.value.hint) < 500


def test_a_hostile_name_is_shown_harmlessly() -> None:
    with pytest.raises(ConfigError) as caught:
        find_chip("\x1b[2J" * 100)
    assert re.fullmatch(r'the chip table has no "[^\x1b]{1,40}"', caught.value.message)


def test_a_chip_cannot_be_changed() -> None:
    chip: Chip = find_chip("STM32H563RG")
    with pytest.raises(AttributeError):
        chip.name = "other"  # pyright: ignore[reportAttributeAccessIssue]
