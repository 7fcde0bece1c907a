"""How much of a configuration is taken: as much as the number says, and no more."""

from pathlib import Path

import pytest

from flashdeck.chips import MAX_NAME, NEAREST, chip_names, find_chip
from flashdeck.config import (
    DEFAULT_SETTLE,
    DEFAULT_WITHIN,
    MAX_FAILS,
    MAX_GUARDS,
    MAX_MAP,
    MAX_SERIAL,
    Config,
    EnterCommand,
    Partition,
)
from flashdeck.config_file import MAX_FILES, load
from flashdeck.errors import ConfigError
from flashdeck.geometry import (
    MAX_RANGES,
    MAX_SECTOR_SIZE,
    MAX_SECTORS,
    PROGRAM_UNIT,
    Range,
    parse_ranges,
    parse_sectors,
)
from flashdeck.names import LONGEST, few, near
from flashdeck.paths import board_file_path
from flashdeck.patterns import ATTEMPTS, MAX_PATTERN, parse_pattern
from flashdeck.recording import MAX_FILE, MAX_LINE, End, decode, encode
from flashdeck.text import MAX_PATH, MAX_QUANTITY, parse_duration, parse_size
from flashdeck.toml.reader import MAX_FILE_SIZE
from flashdeck.toml.spellings import MAX_TEXT, MAX_WORDS, read_text
from flashdeck.toml.tables import WrongValueError
from flashdeck.toml.values import FEW, shown

PROFILE = '[profiles.p]\ndfu = "0483:df11"\nflash = "STM32H563RG"\n'
APP = f'{PROFILE}[profiles.p.partitions.app]\naddress = 0x08020000\nsize = "384K"\n'


def read(place: Path, text: str) -> Config:
    main = place / "flashdeck.toml"
    main.write_text(text)
    return load(main)


def test_a_file_may_have_so_many_bytes(tmp_path: Path) -> None:
    read(tmp_path, "#" * MAX_FILE_SIZE)
    with pytest.raises(ConfigError, match="is larger"):
        read(tmp_path, "#" * (MAX_FILE_SIZE + 1))


def test_so_many_files_may_belong_together(tmp_path: Path) -> None:
    names = [f"{number}.toml" for number in range(MAX_FILES)]
    for name in names:
        (tmp_path / name).touch()
    assert len(read(tmp_path, f"include = {names[1:]}").files) == MAX_FILES
    with pytest.raises(ConfigError, match="more than"):
        read(tmp_path, f"include = {names}")


def test_a_command_may_have_so_many_words(tmp_path: Path) -> None:
    way = f"{PROFILE}app = '1:2'\nenter = {{ command = "
    words = ["x"] * MAX_WORDS
    assert read(tmp_path, f"{way}{words} }}").profiles["p"].enter == EnterCommand(command=tuple(words))
    with pytest.raises(ConfigError, match="words"):
        read(tmp_path, f"{way}{[*words, 'x']} }}")


def test_a_path_may_have_so_many_characters(tmp_path: Path) -> None:
    longest = "/" + "p" * (MAX_PATH - 1)
    assert read(tmp_path, f"{APP}image = '{longest}'").profiles["p"].partitions["app"].image == longest
    with pytest.raises(ConfigError, match="image"):
        read(tmp_path, f"{APP}image = '{longest}p'")


def test_a_partition_may_have_so_many_guards(tmp_path: Path) -> None:
    read(tmp_path, f"{APP}guards = {['fits'] * MAX_GUARDS}")
    with pytest.raises(ConfigError, match="guards"):
        read(tmp_path, f"{APP}guards = {['fits'] * (MAX_GUARDS + 1)}")


def test_a_console_may_have_so_many_patterns_of_crashes(tmp_path: Path) -> None:
    judged = f"{APP}[profiles.p.console]\nport = '/dev/ttyS0'\nready = 'ok'\n"
    console = read(tmp_path, f"{judged}fail = {['x'] * MAX_FAILS}").profiles["p"].console
    assert console is not None
    assert len(console.fail) == MAX_FAILS
    assert console.within == DEFAULT_WITHIN
    with pytest.raises(ConfigError, match="fail"):
        read(tmp_path, f"{judged}fail = {['x'] * (MAX_FAILS + 1)}")


def test_a_build_settles_for_the_usual_time_where_nothing_else_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, APP).profiles["p"].partitions["app"].settle == DEFAULT_SETTLE
    assert Partition("app", Range.sized(0, 16)).settle == DEFAULT_SETTLE


def test_a_serial_may_have_so_many_characters(tmp_path: Path) -> None:
    board = f'{PROFILE}[boards.left]\nprofile = "p"\nserial = '
    longest = "S" * MAX_SERIAL
    assert read(tmp_path, f"{board}'{longest}'").boards["left"].serial == longest
    with pytest.raises(ConfigError, match="serial"):
        read(tmp_path, f"{board}'{longest}S'")


def test_a_map_that_was_pinned_may_have_so_many_characters(tmp_path: Path) -> None:
    main = tmp_path / "flashdeck.toml"
    board_file = board_file_path(main)
    main.write_text(PROFILE)
    board = '[boards.left]\nprofile = "p"\nserial = "S1"\n[boards.left.pinned]\nbcd_device = 1\nmap = '
    longest = "@" * MAX_MAP
    board_file.write_text(f"{board}'{longest}'")
    pins = load(main).boards["left"].pins
    assert pins is not None
    assert pins.map == longest
    board_file.write_text(f"{board}'{longest}@'")
    with pytest.raises(ConfigError, match="map"):
        load(main)


def test_a_part_number_may_have_so_many_characters() -> None:
    name = chip_names()[0]
    for length, hinted in ((MAX_NAME, True), (MAX_NAME + 1, False)):
        with pytest.raises(ConfigError) as caught:
            find_chip(name.ljust(length, "?"))
        assert ("the nearest are" in caught.value.hint) is hinted


@pytest.mark.parametrize("part", ["STM32H563RZ", "STM32F40"])
def test_so_many_near_names_are_proposed(part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_chip(part)
    near = caught.value.hint.removeprefix("the nearest are ").partition("; ")[0].split(", ")
    assert len(near) == NEAREST
    for name in near:
        find_chip(name)


def test_a_run_of_sectors_has_its_bounds() -> None:
    assert parse_sectors(f"{MAX_SECTORS}*{PROGRAM_UNIT}@0").regions[0].count == MAX_SECTORS
    assert parse_sectors(f"1*{MAX_SECTOR_SIZE}@0").regions[0].sector_size == MAX_SECTOR_SIZE
    for wrong in (
        f"{MAX_SECTORS + 1}*{PROGRAM_UNIT}@0",
        f"1*{PROGRAM_UNIT // 2}@0",
        f"1*{MAX_SECTOR_SIZE + PROGRAM_UNIT}@0",
    ):
        with pytest.raises(ValueError, match="sector"):
            parse_sectors(wrong)


def test_so_many_ranges_are_taken() -> None:
    ranges = [f"0x{number * 16:x}+16" for number in range(MAX_RANGES + 1)]
    assert len(parse_ranges(",".join(ranges[1:]))) == MAX_RANGES
    with pytest.raises(ValueError, match="more than"):
        parse_ranges(",".join(ranges))


def test_a_quantity_may_have_so_many_characters() -> None:
    assert parse_size("1".rjust(MAX_QUANTITY, "0")) == 1
    assert parse_duration("1s".rjust(MAX_QUANTITY, "0")) == 1
    for parsed in (parse_size, parse_duration):
        with pytest.raises(ValueError, match="is not a"):
            parsed("1s".rjust(MAX_QUANTITY + 1, "0") if parsed is parse_duration else "1".rjust(MAX_QUANTITY + 1, "0"))


def test_an_expression_may_have_so_many_characters() -> None:
    assert parse_pattern("v" * MAX_PATTERN)
    with pytest.raises(ValueError, match="are the most"):
        parse_pattern("v" * (MAX_PATTERN + 1))


def test_an_expression_is_tried_at_so_many_places() -> None:
    pattern = parse_pattern("a[^!]?!")
    assert pattern.search(b"a" * ATTEMPTS + b"b!")
    assert pattern.search(b"a" * (ATTEMPTS + 1) + b"b!") == ""


def test_a_recording_may_have_so_many_bytes_and_a_line_so_many() -> None:
    assert decode("recording", bytes(MAX_FILE + MAX_LINE)) == (), "one line that was cut off"
    with pytest.raises(ConfigError, match="at most"):
        decode("recording", bytes(MAX_FILE + MAX_LINE + 1))
    end = encode(End(at=1.0)).rstrip()
    assert decode("recording", end.ljust(MAX_LINE) + b"\n") == (End(at=1.0),)
    with pytest.raises(ConfigError, match="line 1"):
        decode("recording", end.ljust(MAX_LINE + 1) + b"\n")


def test_a_text_may_have_so_many_characters(tmp_path: Path) -> None:
    assert read_text("t" * MAX_TEXT) == "t" * MAX_TEXT
    with pytest.raises(WrongValueError):
        read_text("t" * (MAX_TEXT + 1))
    hint = f"{PROFILE}enter = 'manual'\nenter_hint = "
    read(tmp_path, f"{hint}'{'h' * MAX_TEXT}'")
    with pytest.raises(ConfigError, match="enter_hint"):
        read(tmp_path, f"{hint}'{'h' * (MAX_TEXT + 1)}'")


def test_so_many_items_of_a_wrong_value_are_shown() -> None:
    items = list(range(FEW))
    assert shown(items) == str(items)
    assert shown([*items, 0]) == f"{str(items)[:-1]}, …]"
    assert shown({f"k{number}": 0 for number in range(FEW + 1)}).count("…") == FEW


def test_so_many_characters_of_a_name_are_compared_and_shown() -> None:
    known = "n" * LONGEST
    assert near(f"{known}x", [known]) == [known], "what follows does not count"
    assert near("n" * (LONGEST - 1) + "x" * LONGEST, ["n" * (LONGEST - 1) + "y"], alike=0.99) == []
    assert few([known]) == known
    assert few([f"{known}n"]) == f"{known[1:]}…"
