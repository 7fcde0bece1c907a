"""The file that is shipped, the names that people type, and what is said of names that it does not have."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from flashdeck.chips import Chip, chip_names, find_chip
from flashdeck.errors import ConfigError
from flashdeck.geometry import ADDRESS_SPACE, Range, parse_ranges

KIB = 1024


@pytest.mark.parametrize("name", chip_names())
def test_every_entry_is_sound(name: str) -> None:
    chip = find_chip(name)
    geometry = chip.geometry
    spans = [region.span for region in geometry.regions]
    assert chip.name == name == name.upper()
    assert chip.manual
    assert spans[0].start == 0x08000000
    assert spans == sorted(spans)
    assert not any(a.overlaps(b) for a, b in pairwise(spans))
    assert spans[-1].end <= ADDRESS_SPACE
    assert geometry.program_unit.bit_count() == 1
    assert all(region.sector_size % geometry.program_unit == 0 for region in geometry.regions)
    banks = [region.bank for region in geometry.regions]
    assert banks == sorted(banks)
    assert set(banks) in ({0}, {0, 1})
    assert geometry.ram == chip.ram != ()
    elsewhere = (*chip.ram, *chip.option_bytes, *chip.otp)
    assert not any(a.overlaps(b) for a, b in pairwise(sorted(elsewhere)))
    assert not any(area.overlaps(span) for area in elsewhere for span in spans)


def test_no_name_is_the_start_of_another() -> None:
    names = sorted(chip_names())
    assert [pair for pair in pairwise(names) if pair[1].startswith(pair[0])] == []


def test_the_sums_of_the_families_are_these() -> None:
    """A new table changes them, and whoever makes it says why."""
    parts: Counter[str] = Counter()
    flash: Counter[str] = Counter()
    for name in chip_names():
        family = re.findall(r"^[A-Z]+32[A-Z]+[0-9]", name)[0]
        parts[family] += 1
        flash[family] += sum(region.span.size for region in find_chip(name).geometry.regions) // KIB
    assert {family: (parts[family], flash[family]) for family in parts} == SUMS


SUMS = {
    "AT32A4": (9, 5376),
    "AT32F4": (82, 54464),
    "GD32F1": (57, 12112),
    "GD32F3": (27, 7744),
    "GD32F4": (62, 99328),
    "STM32C0": (10, 960),
    "STM32F0": (25, 1600),
    "STM32F1": (47, 11888),
    "STM32F2": (33, 23808),
    "STM32F3": (39, 9312),
    "STM32F4": (143, 155648),
    "STM32F7": (88, 92352),
    "STM32G0": (36, 12032),
    "STM32G4": (93, 28896),
    "STM32H5": (45, 51712),
    "STM32H7": (133, 155008),
    "STM32L0": (42, 4736),
    "STM32L1": (59, 16096),
    "STM32L4": (118, 103296),
    "STM32L5": (12, 6144),
    "STM32U0": (20, 3520),
    "STM32U3": (12, 10240),
    "STM32U5": (73, 173312),
    "STM32WB3": (2, 768),
    "STM32WB5": (10, 6016),
    "STM32WBA6": (8, 16384),
}

FIRST_TABLE = [
    ("STM32H563", "AIRVZ", "G", "64*8K | 64*8K", 16, "0x20000000+640K"),
    ("STM32H563 STM32H573", "AIMRVZ", "I", "128*8K | 128*8K", 16, "0x20000000+640K"),
    ("STM32H503", "CEKR", "B", "8*8K | 8*8K", 16, "0x20000000+32K"),
    ("STM32F401", "CRV", "C", "4*16K, 1*64K, 1*128K", 4, "0x20000000+64K"),
    ("STM32F401", "CRV", "E", "4*16K, 1*64K, 3*128K", 4, "0x20000000+96K"),
    ("STM32F405 STM32F415", "ORVZ", "G", "4*16K, 1*64K, 7*128K", 4, "0x10000000+64K, 0x20000000+128K"),
    ("STM32F407 STM32F417", "IVZ", "G", "4*16K, 1*64K, 7*128K", 4, "0x10000000+64K, 0x20000000+128K"),
    ("STM32F407 STM32F417", "IVZ", "E", "4*16K, 1*64K, 3*128K", 4, "0x10000000+64K, 0x20000000+128K"),
    ("STM32F411", "CRV", "E", "4*16K, 1*64K, 3*128K", 4, "0x20000000+128K"),
    ("STM32F429", "ABINVZ", "I", "4*16K, 1*64K, 7*128K | 4*16K, 1*64K, 7*128K", 4, "0x10000000+64K, 0x20000000+192K"),
    ("STM32F446", "MRVZ", "E", "4*16K, 1*64K, 3*128K", 4, "0x20000000+128K"),
    ("STM32F722", "IRVZ", "E", "4*16K, 1*64K, 3*128K", 4, "0x20000000+256K"),
    ("STM32F746", "BINVZ", "G", "4*32K, 1*128K, 3*256K", 4, "0x20000000+320K"),
    ("STM32F767", "BINVZ", "I", "4*32K, 1*128K, 7*256K", 4, "0x20000000+512K"),
    ("STM32G071", "CEGKR", "B", "64*2K", 8, "0x20000000+36K"),
    ("STM32G0B1", "CKMNRV", "E", "128*2K | 128*2K", 8, "0x20000000+144K"),
    ("STM32G431", "CKMRV", "B", "64*2K", 8, "0x10000000+10K, 0x20000000+32K"),
    ("STM32G474", "CMPQRV", "E", "128*2K | 128*2K", 8, "0x10000000+32K, 0x20000000+128K"),
    ("STM32H723", "VZ", "G", "8*128K", 32, "0x20000000+128K, 0x24000000+320K, 0x30000000+32K, 0x38000000+16K"),
    (
        "STM32H743 STM32H753",
        "ABIVXZ",
        "I",
        "8*128K | 8*128K",
        32,
        "0x20000000+128K, 0x24000000+512K, 0x30000000+288K, 0x38000000+64K",
    ),
    ("STM32L432", "K", "C", "128*2K", 8, "0x10000000+16K, 0x20000000+64K"),
    ("STM32L433", "CRV", "C", "128*2K", 8, "0x10000000+16K, 0x20000000+64K"),
    ("STM32L476", "JMQRVZ", "G", "256*2K | 256*2K", 8, "0x10000000+32K, 0x20000000+96K"),
    ("STM32L496", "AQRVZ", "G", "256*2K | 256*2K", 8, "0x10000000+64K, 0x20000000+320K"),
    ("STM32U575 STM32U585", "ACOQRVZ", "I", "128*8K | 128*8K", 16, "0x20000000+768K, 0x28000000+16K"),
]
"""All that the first tables had: lines, packages, size, sectors, program unit, RAM."""


@pytest.mark.parametrize("row", FIRST_TABLE)
def test_what_the_first_tables_had_is_as_it_was(row: tuple[str, str, str, str, int, str]) -> None:
    lines, packages, size, sectors, unit, ram = row
    for name in [f"{line}{package}{size}" for line in lines.split() for package in packages]:
        chip = find_chip(name)
        assert written(chip) == sectors
        assert chip.geometry.program_unit == unit
        assert chip.ram == parse_ranges(ram)
        spans = [region.span for region in chip.geometry.regions]
        assert all(a.end == b.start for a, b in pairwise(spans))


def written(chip: Chip) -> str:
    """Its sectors, with `|` between banks."""
    banks: dict[int, list[str]] = {}
    for region in chip.geometry.regions:
        banks.setdefault(region.bank, []).append(f"{region.count}*{region.sector_size // KIB}K")
    return " | ".join(", ".join(runs) for runs in banks.values())


MANUALS: list[tuple[str, list[int], Sequence[float], int, dict[int, int], int | None, Range | None]] = [
    # PM0075, RM0008: medium density, pages of 1 KB
    ("STM32F103C8", [0x08000000], [1] * 64, 2, {0x20000000: 20}, 0x1FFFF800, None),
    # RM0091: STM32F07x, pages of 2 KB
    ("STM32F072RB", [0x08000000], [2] * 64, 2, {0x20000000: 16}, 0x1FFFF800, None),
    # RM0090: bank 1 and 2 of 1 MB each; OTP of 512 bytes and its 16 lock bytes
    (
        "STM32F427ZI",
        [0x08000000, 0x08100000],
        ([16] * 4 + [64] + [128] * 7) * 2,
        4,
        {0x10000000: 64, 0x20000000: 192},
        0x1FFEC000,
        Range(0x1FFF7800, 0x1FFF7A10),
    ),
    # RM0430: 1.5 MB in one bank; SRAM2 at two addresses
    (
        "STM32F413ZH",
        [0x08000000],
        [16] * 4 + [64] + [128] * 11,
        4,
        {0x10000000: 64, 0x20000000: 320},
        0x1FFFC000,
        Range(0x1FFF7800, 0x1FFF7A10),
    ),
    # RM0410: one bank where nDBANK is set
    (
        "STM32F765ZG",
        [0x08000000],
        [32] * 4 + [128] + [256] * 3,
        4,
        {0x20000000: 512},
        0x1FFF0000,
        Range(0x1FF0F000, 0x1FF0F410),
    ),
    # RM0440: the smaller flash has a hole between its banks
    (
        "STM32G474RC",
        [0x08000000, 0x08040000],
        [2] * 128,
        8,
        {0x10000000: 32, 0x20000000: 128},
        0x1FFF7800,
        Range(0x1FFF7000, 0x1FFF7400),
    ),
    # RM0433: the same
    (
        "STM32H743ZG",
        [0x08000000, 0x08100000],
        [128] * 8,
        32,
        {0x20000000: 128, 0x24000000: 512, 0x30000000: 288, 0x38000000: 64},
        None,
        None,
    ),
    # RM0455: sectors of 8 KB, flash words of 16 bytes
    (
        "STM32H7A3ZI",
        [0x08000000, 0x08100000],
        [8] * 256,
        16,
        {0x20000000: 128, 0x24000000: 1024, 0x30000000: 128, 0x38000000: 32},
        None,
        Range(0x08FFF000, 0x08FFF400),
    ),
    # RM0481: two banks, all of the SRAM
    (
        "STM32H563RG",
        [0x08000000, 0x08080000],
        [8] * 128,
        16,
        {0x20000000: 640},
        None,
        Range(0x08FFF000, 0x08FFF800),
    ),
    # RM0376: pages of 128 bytes, two banks of 96 KB
    ("STM32L072CZ", [0x08000000, 0x08018000], [0.125] * 1536, 4, {0x20000000: 20}, 0x1FF80000, None),
    # RM0432: pages of 4 KB where DBANK is set
    (
        "STM32L4R5ZI",
        [0x08000000, 0x08100000],
        [4] * 512,
        8,
        {0x10000000: 64, 0x20000000: 640},
        0x1FF00000,
        Range(0x1FFF7000, 0x1FFF7400),
    ),
    # RM0456: 4 MB
    (
        "STM32U5A5ZJ",
        [0x08000000, 0x08200000],
        [8] * 512,
        16,
        {0x20000000: 2496, 0x28000000: 16},
        None,
        Range(0x0BFA0000, 0x0BFA0200),
    ),
    # GD32F4xx User Manual: behind 2 MB as of an STM32F4, four sectors of 256 KB
    (
        "GD32F407VK",
        [0x08000000, 0x08100000],
        ([16] * 4 + [64] + [128] * 7) * 2 + [256] * 4,
        4,
        {0x10000000: 64, 0x20000000: 128},
        0x1FFEC000,
        Range(0x1FFF7800, 0x1FFF7A10),
    ),
    # RM_AT32F435_437: 4032 KB, the second bank shorter
    ("AT32F437VM", [0x08000000, 0x08200000], [4] * 1008, 4, {0x20000000: 512}, 0x1FFFC000, None),
    # RM0434
    (
        "STM32WB55RG",
        [0x08000000],
        [4] * 256,
        8,
        {0x10000000: 64, 0x20000000: 256},
        0x1FFF8000,
        Range(0x1FFF7000, 0x1FFF7400),
    ),
]
"""By hand: name, starts of the banks, KiB of each sector, program unit, KiB of RAM, option bytes, OTP."""


@pytest.mark.parametrize("row", MANUALS, ids=[row[0] for row in MANUALS])
def test_a_chip_is_as_its_manual_says(
    row: tuple[str, list[int], Sequence[float], int, dict[int, int], int | None, Range | None],
) -> None:
    name, starts, sizes, unit, ram, option_bytes, otp = row
    chip = find_chip(name)
    sectors = list(chip.geometry.sectors())
    assert [sector.span.size / KIB for sector in sectors] == sizes
    banks = {sector.bank for sector in reversed(sectors)}
    assert [min(each.span.start for each in sectors if each.bank == bank) for bank in sorted(banks)] == starts
    assert chip.geometry.program_unit == unit
    assert {area.start: area.size // KIB for area in chip.ram} == ram
    assert [area.start for area in chip.option_bytes][:1] == ([] if option_bytes is None else [option_bytes])
    assert chip.otp == (() if otp is None else (otp,))


@pytest.mark.parametrize(
    ("name", "alias"), [("STM32H563RG", True), ("STM32H503RB", False), ("STM32L552ZE", True), ("STM32F405RG", False)]
)
def test_trustzone_shows_the_flash_twice(name: str, *, alias: bool) -> None:
    assert find_chip(name).secure_alias is alias


def test_a_mode_that_option_bytes_choose_is_named() -> None:
    assert "DBANK" in find_chip("STM32G474RE").mode
    assert "DUAL_BANK" in find_chip("STM32G0B1RE").mode
    assert "nDBANK" in find_chip("STM32F767ZI").mode
    assert "DB1M" in find_chip("STM32F429ZG").mode
    assert find_chip("STM32F405RG").mode == ""


POPULAR = """
F103C8 F072RB F042K6 F303CC F412ZG F413ZH F765ZI G0B1CB H750VB H7A3ZI H523RE H562ZI H7S3L8 L072CZ
L151CB L552ZE
WB55RG U5A5ZJ U5G9ZJ C071RB F401CC F411CE F427VI F469NI
G491RE H743VI L412KB L4S5VI U073RC U375RG U535CE WBA65RI
"""


@pytest.mark.parametrize("part", POPULAR.split())
def test_popular_chips_are_known(part: str) -> None:
    assert find_chip(part).name == f"STM32{part}"


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
        ("STM32H563RGT", "STM32H563RG"),
        ("STM32H563ZIT6Q", "STM32H563ZI"),
        ("STM32H563MIY3QTR", "STM32H563MI"),
        ("f405rgt6", "STM32F405RG"),
        ("F405RG", "STM32F405RG"),
        ("h563rgtx", "STM32H563RG"),
        ("STM32L151CBT6A", "STM32L151CB"),
        ("stm32wba65riv6", "STM32WBA65RI"),
        ("gd32f103c8t6", "GD32F103C8"),
        ("AT32F403ACGT7", "AT32F403ACG"),
        ("at32f415kcu7-4", "AT32F415KC"),
    ],
)
def test_names_are_found_as_people_type_them(part: str, name: str) -> None:
    assert find_chip(part).name == name


@pytest.mark.parametrize(
    "part",
    [
        "",
        "STM32",
        "STM32H563",
        "F4",
        "STM32H563RG-T6",
        "STM32H563RGT6 ",
        "STM32H563RGT6ABCDEFG",
        "STM32STM32F405RG",
        "\u017fTM32F405RG",
    ],
)
def test_anything_else_is_not_found(part: str) -> None:
    with pytest.raises(ConfigError, match="the chip table has no"):
        find_chip(part)


@pytest.mark.parametrize(
    ("part", "nearest"),
    [
        ("STM32H536RG", "STM32H563RG"),
        ("h536rg", "STM32H563RG"),
        ("f4o5rgt6", "STM32F405RG"),
        ("GD32F104C8", "GD32F103C8"),
        ("STM32F405RB", "STM32F405RG"),
        ("STM32F103C7", "STM32F103C8"),
        ("STM32H563", "STM32H563xG"),
        ("stm32f407xx", "STM32F407xE"),
    ],
)
def test_the_nearest_names_are_suggested(part: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_chip(part)
    near = re.findall(r"[A-Z]+32\w+", caught.value.hint)
    assert nearest in near
    assert len(near) <= 3
    assert "sectors" in caught.value.hint


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("STM32WBA55CG", "STM32WBA55 has no USB"),
        ("wba55cgu6", "STM32WBA55 has no USB"),
        ("STM32F030F4P6", "STM32F030 has no USB"),
        ("STM32N657X0H3Q", "STM32N657 has no flash of its own"),
        ("STM32MP157CAA3", "STM32MP157 has no flash of its own"),
        ("GD32F103RGT6", "what is public about GD32F103RG does not agree"),
        ("STM32F205RBT6", "what is public about STM32F205RB does not agree"),
    ],
)
def test_why_a_chip_is_not_there_is_said_where_that_is_known(part: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_chip(part)
    assert reason in caught.value.message
    assert "the nearest" not in caught.value.hint
    assert "sectors" in caught.value.hint


def test_a_hostile_name_is_shown_harmlessly() -> None:
    with pytest.raises(ConfigError) as caught:
        find_chip("\x1b[2J" * 100)
    assert re.fullmatch(r'the chip table has no "[^\x1b]{1,40}"', caught.value.message)


def test_a_chip_cannot_be_changed() -> None:
    chip = find_chip("STM32H563RG")
    with pytest.raises(AttributeError):
        chip.name = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_the_file_is_read_only_when_a_chip_is_named(tmp_path: Path) -> None:
    """Most commands never name one, and are the quicker for it."""
    profile = '[profiles.p]\ndfu = "0483:df11"\n{}\n'
    (tmp_path / "sectors.toml").write_text(profile.format('sectors = "8*8K@0x08000000"\nram = "0x20000000+16K"'))
    (tmp_path / "flash.toml").write_text(profile.format('flash = "STM32H563RG"'))
    script = """
import json, sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from flashdeck_tui.cli.root import root
from flashdeck.config_file import load
read = []
for name in sys.argv[1:]:
    load(Path(name))
    read.append(any(path.endswith("chips.generated.json") for path in opened))
print(json.dumps(read))
"""
    files = [str(tmp_path / name) for name in ("sectors.toml", "flash.toml")]
    ended = subprocess.run(  # noqa: S603 -- this interpreter, and the script above
        [sys.executable, "-c", script, *files], check=True, capture_output=True, text=True
    )
    assert json.loads(ended.stdout) == [False, True]
