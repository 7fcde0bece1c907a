"""Boards with the flash of a chip: its sectors, its memory map, and what it takes twice."""

import random
from pathlib import Path

import pytest
import usb.core
import usb.util

from flash_rig import Rig, image
from flashdeck.chips import find_chip
from flashdeck.errors import ConfigError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.memory_map import parse_memory_map
from flashdeckd.flash.target import AddressTarget
from flashdeckd.virtual.bench_file import read_specs
from flashdeckd.virtual.chip_flash import chip_flash
from flashdeckd.virtual.nor import FlashLayout, NorFlash, Overwrite
from flashdeckd.virtual.spec import Model
from flashdeckd.virtual.virtual_bench import load_bench

BASE = 0x08000000
K = 1024
CHIPS = {
    "STM32F405RG": ("4*16Kg,1*64Kg,7*128Kg", 4),
    "STM32F722ZE": ("4*16Kg,1*64Kg,3*128Kg", 4),
    "STM32F746ZG": ("4*32Kg,1*128Kg,3*256Kg", 4),
    "STM32F767ZI": ("4*32Kg,1*128Kg,7*256Kg", 4),
    "STM32H743ZI": ("16*128Kg", 32),
    "STM32L476RG": ("512*2Kg", 8),
    "STM32G071RB": ("64*2Kg", 8),
    "STM32H563RG": ("128*8Kg", 16),
}
ALL = pytest.mark.parametrize("part", CHIPS)


def bench_file(folder: Path, text: str) -> Path:
    path = folder / "bench.toml"
    path.write_text(f"[boards.one]\nstart = 'dfu'\ntiming = 'none'\n{text}")
    return path


@ALL
@pytest.mark.parametrize("model", [Model.ROM, Model.CLASSIC])
def test_the_memory_map_says_the_sectors_of_the_chip(tmp_path: Path, part: str, model: Model) -> None:
    bench = load_bench(bench_file(tmp_path, f"model = '{model}'\nflash = '{part}'\napp_address = {BASE}"))
    (device,) = usb.core.find(find_all=True, backend=bench.backend)
    (configuration,) = device
    text = usb.util.get_string(device, next(iter(configuration)).iInterface) or ""
    runs, unit = CHIPS[part]
    assert text == f"@Internal Flash   /0x08000000/{runs}"
    geometry = find_chip(part).geometry
    told = parse_memory_map(text)
    assert all(told.sectors_at(sector.span.start) == (sector.span,) for sector in geometry.sectors())
    assert sum(segment.span.size for segment in told.segments) == sum(each.span.size for each in geometry.sectors())
    assert chip_flash(part).layout.word == geometry.program_unit == unit


def test_what_lies_before_the_application_is_read_only_in_it(tmp_path: Path) -> None:
    (spec,) = read_specs(bench_file(tmp_path, "model = 'classic'\nflash = 'STM32F405RG'\napp_address = 0x08008000"))
    assert spec.memory_map == "@Internal Flash   /0x08000000/2*16Ka,2*16Kg,1*64Kg,7*128Kg"


@ALL
def test_an_erase_takes_exactly_its_own_sector(part: str) -> None:
    layout = chip_flash(part).layout
    flash = NorFlash(layout)
    flash.load(layout.base, bytes(layout.size))
    for number, sector in enumerate(layout.sectors()):
        flash.erase(sector.span.end - 1).advance()
        start, end = sector.span.start - BASE, sector.span.end - BASE
        assert flash.content[start:end] == b"\xff" * sector.span.size
        assert bytes(flash.content).count(0xFF) == sector.span.size
        flash.load(sector.span.start, bytes(sector.span.size))
        assert flash.sector_of(sector.span.start) == flash.sector_of(sector.span.end - 1) == number


@pytest.mark.parametrize(
    ("part", "again", "left"),
    [
        ("STM32H563RG", b"\x0f", None),
        ("STM32L476RG", b"\x0f", None),
        ("STM32G071RB", b"\x00", b"\x00"),
        ("STM32L476RG", b"\x00", b"\x00"),
        ("STM32F405RG", b"\x0f", b"\x05"),
        ("STM32F746ZG", b"\xf0", b"\x50"),
        ("STM32H743ZI", b"\x0f", b"\x05"),
    ],
)
def test_a_word_that_is_programmed_twice(part: str, again: bytes, left: bytes | None) -> None:
    layout = chip_flash(part).layout
    flash = NorFlash(layout)
    first = flash.write(BASE, b"\x55" * layout.word)
    first.advance()
    assert not first.failed
    second = flash.write(BASE, again * layout.word)
    second.advance()
    assert second.failed == (left is None)
    assert flash.content[: layout.word] == (left or b"\x55") * layout.word
    assert flash.content[layout.word] == 0xFF


def test_sectors_that_lie_apart_have_nothing_between_them() -> None:
    regions = (Region(BASE, 2, 4 * K, 0), Region(BASE + 16 * K, 2, 4 * K, 1))
    layout = FlashLayout.of(Geometry(regions, program_unit=8), Overwrite.ZEROS)
    flash = NorFlash(layout)
    gap = BASE + 8 * K
    assert flash.sector_of(gap) == flash.bank_of(gap) == -1
    assert flash.read(gap - 8, 16) is None
    assert flash.read(gap, 8) is None
    assert flash.read(gap - 8, 8) == b"\xff" * 8
    for operation in (flash.erase(gap), flash.write(gap, bytes(8))):
        operation.advance()
        assert operation.failed
    assert flash.erase(BASE + 20 * K, banks=False).sector == 1, "its number in the first bank"
    assert layout.memory_map(BASE) == "@Internal Flash   /0x08000000/2*4Kg/0x08004000/2*4Kg"
    assert layout.memory_map(BASE + 16 * K) == "@Internal Flash   /0x08000000/2*4Ka/0x08004000/2*4Kg"


@ALL
@pytest.mark.parametrize("model", [Model.CLASSIC, Model.ROM, Model.USBX])
def test_the_engine_flashes_it_and_nothing_beside(part: str, model: Model) -> None:
    geometry = find_chip(part).geometry
    sectors = tuple(geometry.sectors())
    mine = next(number for number, sector in enumerate(sectors) if sector.span.start >= BASE + 64 * K)
    span = Range(sectors[mine].span.start, sectors[mine + 1].span.end)
    whole = Range(BASE, sectors[-1].span.end)
    old = random.Random(7).randbytes(whole.size)  # noqa: S311 - invented contents, nothing secret
    rig = Rig(model, old=old, layout=chip_flash(part).layout, app_address=span.start)
    target = AddressTarget(partition="app", span=span, geometry=geometry, protected=(Range(BASE, span.start),))
    data = image(span.size - 3 * K - 5, start=span.start)
    outcome = rig.flash(data, target)
    now = rig.memory(whole)
    assert now[span.start - BASE :].startswith(data), outcome
    assert now[: span.start - BASE] == old[: span.start - BASE]
    assert now[span.end - BASE :] == old[span.end - BASE :]
    assert rig.board.state().violations == ()


def test_an_application_may_have_its_stack_wherever_the_chip_has_ram(tmp_path: Path) -> None:
    def boots(part: str, stack: int) -> bool:
        (spec,) = read_specs(bench_file(tmp_path, f"model = 'rom'\nflash = '{part}'\napp_address = {BASE}"))
        flash = spec.new_flash()
        flash.load(BASE, stack.to_bytes(4, "little") + (BASE + 0x201).to_bytes(4, "little"))
        return spec.boots(flash)

    assert boots("STM32H743ZI", 0x24080000), "its end included"
    assert boots("STM32H743ZI", 0x20020000)
    assert boots("STM32F405RG", 0x10010000)
    assert not boots("STM32F405RG", 0x24000100)
    assert not boots("STM32F405RG", 0x20000000), "no room below it"
    assert not boots("STM32F405RG", 0xFFFFFFFF)


def test_times_are_those_of_the_family_unless_the_file_says_others(tmp_path: Path) -> None:
    (spec,) = read_specs(bench_file(tmp_path, "model = 'classic'\nflash = 'STM32L476RG'"))
    assert (spec.erase_time, spec.word_time) == (0.022, 0.000082)
    (spec,) = read_specs(bench_file(tmp_path, "model = 'classic'\nflash = 'STM32F405RG'\nerase_time = 0.5"))
    assert (spec.erase_time, spec.word_time) == (0.5, 0.000016)
    flash = NorFlash(spec.layout)
    assert [flash.share_of(number) for number in (0, 4, 5)] == [0.125, 0.5, 1.0]


@pytest.mark.parametrize(
    ("text", "seen", "hint"),
    [
        ("model = 'rom'\nflash = 'STM32F405RH'", "flash: ", "STM32F405RG"),
        ("model = 'rom'\nflash = 'STM32G071RB'", "app_address: ", "0x08000000-0x0801ffff"),
        ("model = 'rom'\nflash = 'STM32F405RG'\nbad_sectors = [12]", "no sector 12", "0 to 11"),
        ("model = 'tinyusb'\nflash = 'STM32F401RE'", "too small", "partition2"),
        ("model = 'rom'\nflash = 'STM32F401RE'\ncontents = [{address=0x08000000, size='1M'}]", "do not fit", ""),
    ],
)
def test_what_does_not_fit_the_chip_is_refused(tmp_path: Path, text: str, seen: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_specs(bench_file(tmp_path, text))
    assert seen in caught.value.message
    assert hint in caught.value.hint
