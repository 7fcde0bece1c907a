"""Chips from maps, strings and builds: real maps, odd ones, and lies."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashdeck.chips import alike_chips, chip_names, find_chip
from flashdeck.errors import ConfigError
from flashdeck.first_board.chip_guess import (
    INTERNAL_FLASH,
    LONGEST_SECTORS,
    MAX_SECTORS_TEXT,
    MOST_GUESSES,
    MOST_NARROWED,
    ChipGuesses,
    guess_chips,
    maps_of,
    sectors_shown,
    shows,
)
from flashdeck.first_board.found import BuildLayout, FoundBuild, FoundImage
from flashdeck.geometry import parse_sectors
from flashdeck.model import DeviceState

ROM = "STM32  BOOTLOADER"
H5 = "@Internal Flash   /0x08000000/16*8Ka,112*8Kg"
H5_SAMPLE = "@Internal Flash   /0x08000000/4*8Ka,252*8Kg"
F4 = "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg"


def plugged(*names: str, product: str = "", maker: str = "", usb_id: str = "0483:df11") -> DeviceState:
    return DeviceState(port="1-1", usb_id=usb_id, product=product, manufacturer=maker, setting_names=names)


def built(name: str, start: int, stack: int, *, size: int = 0x8000, program: bool = True) -> FoundBuild:
    image = FoundImage(
        path=f"/fw/{name}.elf",
        format="ELF",
        size=size,
        start=start,
        end=start + size,
        is_program=program,
        initial_stack=stack if program else None,
    )
    return FoundBuild(name=name, layout=BuildLayout.PLAIN, best=image)


def named(found: ChipGuesses) -> list[str]:
    return [each.name for each in found.guesses]


@pytest.mark.parametrize(
    ("device", "chips"),
    [
        # The ROM's maps, as they are listed all over the web.
        (plugged(F4, product=ROM), ["STM32F407xG", "STM32F429xG", "STM32F205xG"]),
        (
            plugged("@Internal Flash  /0x08000000/04*016Kg,01*064Kg,01*128Kg", product=ROM),
            ["STM32F411xC", "STM32F401xC", "STM32F446xC"],
        ),
        (
            plugged(f"{F4},04*016Kg,01*064Kg,07*128Kg", "@Option Bytes  /0x1FFFC000/01*016 e", product=ROM),
            ["STM32F429xI", "STM32F469xI"],
        ),
        (
            plugged("@Internal Flash  /0x08000000/04*032Kg,01*128Kg,03*256Kg", product=ROM),
            ["STM32F746xG", "STM32F767xG"],
        ),
        (plugged("@Internal Flash  /0x08000000/04*032Kg,01*128Kg,07*256Kg", product=ROM), ["STM32F767xI"]),
        (plugged("@Internal Flash   /0x08000000/16*128Kg", product=ROM), ["STM32H743xI", "STM32H742xI"]),
        (plugged("@Internal Flash   /0x08000000/512*0002Kg", product=ROM), ["STM32L476xG", "STM32L496xG"]),
        (
            plugged("@Internal Flash   /0x08000000/256*4Kg", product=ROM),
            ["STM32L4R5xG", "STM32WB55xG", "STM32L4P5xG"],
        ),
        (
            plugged("@Internal Flash  /0x08000000/256*02Kg", product="STM32G0B1 in FS Mode"),
            ["STM32G0B1xE", "STM32G0B1xC"],
        ),
        (plugged("@Internal Flash  /0x08000000/1536*128 g", product=ROM), ["STM32L072xZ", "STM32L073xZ"]),
        # Data EEPROM beside it is another memory.
        (
            plugged("@Flash/0x08000000/1536*128 g", "@Data/0x08080000/1*6Ke", product=ROM),
            ["STM32L072xZ", "STM32L073xZ"],
        ),
        # A bootloader of one's own: read-only in front, or only the application's part, or the largest chip's map.
        (plugged(H5), ["STM32H563xG", "STM32U575xG"]),
        (plugged(H5, product="STM32H562 board"), ["STM32H562xG"]),
        (plugged("@App/0x08020000/112*8Kg", product="STM32H563RG"), ["STM32H563xG"]),
        (plugged("@App/0x08020000/48*8Kg/0x08080000/64*8Kg"), ["STM32H563xG", "STM32U575xG"]),
        (plugged("@Internal Flash/0x08000000/16*8Ka,16*8Kg,96*8Kg,99*8Kg", product="STM32H563RG"), ["STM32H563xG"]),
        # Other makers.
        (plugged("@Internal Flash  /0x08000000/256*002Kg", maker="Artery", usb_id="2e3c:df11"), ["AT32F403AxE"]),
        (
            plugged("@Internal Flash  /0x08000000/04*016Kg,01*64Kg,03*128Kg", maker="GigaDevice", usb_id="28e9:0001"),
            ["GD32F407xE", "GD32F425xE"],
        ),
        # Only its name.
        (plugged(product="ACME stm32f405 DFU"), ["STM32F405xE", "STM32F405xG"]),
        (plugged(product="STM32F405RGT6"), ["STM32F405xG"]),
        (plugged(product="STM32H503 loader"), ["STM32H503xB"]),
    ],
)
def test_a_device_is_narrowed_to_these(device: DeviceState, chips: list[str]) -> None:
    found = guess_chips(device)
    assert named(found) == chips
    assert all(each.reason for each in found.guesses)


@pytest.mark.parametrize(
    ("device", "note"),
    [
        (plugged(), "nothing that the board shows says which chip it is"),
        (plugged(product="Thing", usb_id="1209:db42"), "nothing that the board shows"),
        (plugged("@Internal Flash  /0x08000000/64*2Kg", product=ROM), "kinds of chips are possible"),
        (plugged("@Internal Flash  /0x08000000/7*3Kg"), "no chip that is known has the sectors"),
        (plugged("@Internal Flash  /0x08000000/12"), "its memory map cannot be read"),
        (plugged("@Internal Flash  /0x08000000/4*8Kg", "@More/0x08002000/4*16Kg"), "contradicts itself"),
        (plugged("@Option Bytes  /0x1FFFC000/01*016 e"), "nothing that the board shows"),
        (plugged("@SPI Flash/0x90000000/128*64Kg"), "nothing that the board shows"),
        # GD32VF103: the map of its ROM is known to be wrong, and it is no Arm.
        (plugged("@Internal Flash  /0x08000000/512*002Kg", product="GD32", usb_id="28e9:0189"), "known to be wrong"),
    ],
)
def test_where_nothing_narrows_there_is_no_guess_but_a_reason(device: DeviceState, note: str) -> None:
    found = guess_chips(device)
    assert not found.guesses
    assert note in found.note


def test_a_build_says_which_of_them_by_its_stack() -> None:
    app = built("APP1", 0x08020000, 0x200A0000)
    assert named(guess_chips(plugged(H5), [app])) == ["STM32H563xG"]
    (guess,) = guess_chips(plugged(H5), [app]).guesses
    assert guess.alike == ("STM32H562xG",)
    assert guess.reason == (
        "its memory map shows 128*8K@0x08000000; the stack of APP1 begins at 0x200a0000, the end of its RAM"
    )
    assert named(guess_chips(plugged(F4, product=ROM), [built("fw", 0x08000000, 0x20020000)])) == [
        "STM32F407xG",
        "STM32F205xG",
    ]


def test_a_sample_with_the_map_of_the_largest_chip_may_be_on_a_smaller_one() -> None:
    """ST's DFU sample for the H563 shows 2 MB, whatever the chip has. The ROM's own map is right."""
    found = guess_chips(plugged(H5_SAMPLE), [built("APP1", 0x08020000, 0x200A0000)])
    assert named(found) == ["STM32H563xI", "STM32H563xG"]
    assert "largest" in found.guesses[1].reason
    far = built("APP2", 0x08100000, 0x200A0000)
    assert named(guess_chips(plugged(H5_SAMPLE), [far])) == ["STM32H563xI"], (
        "a build that only the larger one has room for"
    )
    assert named(guess_chips(plugged(H5_SAMPLE, product=ROM), [built("APP1", 0x08020000, 0x200A0000)])) == [
        "STM32H563xI"
    ]


def test_a_build_for_another_chip_narrows_nothing_and_is_said() -> None:
    found = guess_chips(plugged(H5), [built("OTHER", 0x08020000, 0x24080000)])
    assert named(found) == ["STM32H563xG", "STM32U575xG"]
    assert "OTHER fits none of the chips" in found.note
    data = built("data", 0x08020000, 0, program=False)
    outside = built("RAM", 0x24000000, 0x24080000)
    assert guess_chips(plugged(H5), [data, outside]) == guess_chips(plugged(H5))


def test_without_a_device_the_builds_have_to_do() -> None:
    assert named(guess_chips(None, [built("APP1", 0x08020000, 0x200A0000)])) == [
        "STM32H563xG",
        "STM32H563xI",
        "STM32L4R5xG",
    ]
    assert "no build says" in guess_chips(None).note


def test_what_a_strange_name_promises_does_not_hide_the_map() -> None:
    """Its strings name a chip that has not these sectors: the map is told to be odd, and the name counts."""
    found = guess_chips(plugged(H5, product="STM32F405RG"))
    assert named(found) == ["STM32F405xG"]
    assert "no chip that is known has the sectors" in found.note


def test_as_many_kinds_as_may_be_named_and_one_more() -> None:
    """64 pages of 2 KB have more kinds of chips than can be told apart; 512 of them have few."""
    many = guess_chips(plugged("@Internal Flash  /0x08000000/128*2Kg", product=ROM))
    assert not many.guesses
    assert int(many.note.split()[0]) > MOST_NARROWED
    few = guess_chips(plugged(F4, product=ROM))
    assert len(few.guesses) == MOST_GUESSES
    assert few.note == "3 other kinds of chips would fit too"


def test_maps_are_read_where_they_can_be() -> None:
    broken = plugged("@Broken/0x0800", H5, H5, "DFU")
    (only,) = maps_of(broken)
    assert only.name == "Internal Flash"
    assert maps_of(None) == ()
    assert sectors_shown(maps_of(broken)) == "128*8K@0x08000000"
    assert sectors_shown(maps_of(plugged(F4))) == "4*16K@0x08000000, 1*64K, 7*128K"
    assert sectors_shown(maps_of(plugged("@X/0x08000000/4*8Kg/0x08002000/4*16Kg"))) == ""
    assert sectors_shown(maps_of(plugged("@SPI Flash/0x90000000/128*64Kg"))) == "", INTERNAL_FLASH


def test_a_profile_is_told_by_its_flash() -> None:
    maps = maps_of(plugged(H5))
    assert shows(maps, find_chip("STM32H563RG").geometry)
    assert not shows(maps, find_chip("STM32F407VG").geometry)
    assert shows((), find_chip("STM32F407VG").geometry), "without a map nothing is told"


def test_long_maps_are_cut_in_a_reason_and_never_in_a_configuration() -> None:
    runs = ",".join(f"{count}*{1 + count % 2}K{'g'}" for count in range(1, 60))
    device = plugged(f"@Internal Flash/0x08000000/{runs}")
    (shown,) = re.findall(r"memory map \((.*)\)", guess_chips(device).note)
    assert len(shown) == LONGEST_SECTORS
    text = sectors_shown(maps_of(device))
    assert parse_sectors(text).regions[0].sector_size == 2048


def test_sectors_are_whole_up_to_so_many_characters() -> None:
    """Each run apart takes 17 characters, and one more where it has ten sectors; the comma behind the last is none."""
    runs, tens = divmod(MAX_SECTORS_TEXT + 2, 17)

    def shown(tens: int) -> str:
        counts = [10] * tens + [1] * (runs - tens)
        names = [f"@I/0x{0x08000000 + at * 0x10000:08x}/{count}*1Kg" for at, count in enumerate(counts)]
        return sectors_shown(maps_of(plugged(*names)))

    assert len(parse_sectors(shown(tens)).regions) == runs
    assert len(shown(tens)) == len(shown(tens + 1)) == MAX_SECTORS_TEXT
    assert shown(tens + 1).endswith("…")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=80), st.sampled_from([H5, F4])), max_size=4), st.text(max_size=40))
def test_no_string_breaks_it(names: list[str], product: str) -> None:
    found = guess_chips(plugged(*names, product=product))
    assert len(found.guesses) <= MOST_GUESSES
    assert found.guesses or found.note
    for each in found.guesses:
        find_chip(each.name)


def test_a_name_with_an_x_is_every_package_of_that_size() -> None:
    lines = [line for alike in alike_chips() for line in alike]
    assert len(lines) == len(set(lines))
    for line in lines:
        chip = find_chip(line)
        assert chip.name == line
        packages = [name for name in chip_names() if (name[:-2], name[-1]) == (line[:-2], line[-1])]
        assert packages
        assert {find_chip(name).geometry for name in packages} == {chip.geometry}
    assert find_chip("h563xG").name == "STM32H563xG"
    with pytest.raises(ConfigError):
        find_chip("STM32H563xQ")
    with pytest.raises(ConfigError):
        find_chip("xG")
