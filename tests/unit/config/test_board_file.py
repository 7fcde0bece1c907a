"""boards.toml: what the daemon writes is what the configuration reads, and nothing else is taken."""

import os
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashdeck.config import MAX_SERIAL, Board, Config, Pins
from flashdeck.config_file import board_file_damage, default_config, load
from flashdeck.config_show import to_toml
from flashdeck.errors import ConfigError, ErrorKind, FlashdeckError, RequestError
from flashdeck.paths import board_file_path
from flashdeck.text import clean
from flashdeckd.boards.board_file import HEADER, write_board_file
from flashdeckd.host import files

MAIN = """
[profiles.product]
dfu = "0483:df11"
flash = "STM32H563RG"
[profiles.other]
dfu = "1209:0001"
flash = "STM32H563RI"
[boards.left]
profile = "product"
serial = "336E36833233"
[boards.spare]
profile = "product"
"""
ADOPTED = """
[boards.right]
profile = "product"
serial = "S2"
port = "1-4.3"
[boards.right.pinned]
map = "@Internal Flash /0x08000000/128*008Kg"
bcd_device = 512
"""
PINS = Pins(map="@Internal Flash /0x08000000/128*008Kg", bcd_device=0x0200)


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "flashdeck.toml"
    path.write_text(MAIN)
    return path


def read(main: Path, text: str) -> Config:
    board_file_path(main).write_text(text)
    return load(main)


def refusal(main: Path, text: str) -> ConfigError:
    board_file_path(main).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(main)
    assert str(board_file_path(main)) in caught.value.message
    return caught.value


def adopted(config: Config) -> list[Board]:
    return [board for board in config.boards.values() if board.pins is not None]


# Reading


def test_adopted_boards_join_the_written_ones(main: Path) -> None:
    config = read(main, 'disarmed = ["left"]\n' + ADOPTED)
    assert list(config.boards) == ["left", "spare", "right"]
    assert config.boards["right"] == Board("right", config.profiles["product"], PINS, serial="S2", port="1-4.3")
    assert config.boards["left"].pins is None
    assert config.disarmed == {"left"}
    assert config.files == (main, board_file_path(main))


def test_an_adopted_board_completes_a_written_one_without_serial_and_port(main: Path) -> None:
    config = read(main, ADOPTED.replace("right", "spare"))
    assert list(config.boards) == ["left", "spare"]
    assert config.boards["spare"].serial == "S2"
    assert config.boards["spare"].pins == PINS


def test_any_other_board_of_the_same_name_is_an_error_that_names_both_files(main: Path) -> None:
    error = refusal(main, ADOPTED.replace("right", "left"))
    assert "[boards.left]" in error.message
    assert str(main) in error.message


def test_a_completed_board_keeps_its_profile(main: Path) -> None:
    error = refusal(main, ADOPTED.replace("right", "spare").replace('"product"', '"other"'))
    assert '[boards.spare] profile: "other"' in error.message
    assert str(main) in error.message
    assert '"product"' in error.message


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (ADOPTED.replace('"product"', '"gone"'), '[boards.right] profile: there is no profile "gone"'),
        (ADOPTED.replace("port", "prot"), "[boards.right] prot: unknown key"),
        (ADOPTED.replace("map", "maps"), "[boards.right.pinned] maps: unknown key"),
        (ADOPTED.replace("bcd_device = 512", "bcd_device = 65536"), "bcd_device: 65536 has more than 16 bits"),
        (ADOPTED.replace("bcd_device = 512", 'bcd_device = "512"'), "bcd_device: "),
        (ADOPTED.split("[boards.right.pinned]", maxsplit=1)[0], "[boards.right] pinned: is missing"),
        (ADOPTED.replace('serial = "S2"\nport = "1-4.3"', ""), "[boards.right]: an adopted board has a serial or a"),
        (ADOPTED.replace('"1-4.3"', '"4.3"'), '[boards.right] port: "4.3" is not a USB port'),
        (ADOPTED.replace("boards.right", 'boards."a b"'), '"a b" cannot be a name'),
        ('disarmed = "left"', "disarmed: "),
        ("[profiles.product]", "profiles: unknown key"),
        (ADOPTED.replace('"S2"\nport = "1-4.3"', '"336E36833233"'), "the same serial as board left"),
        ("boards = {", "is not valid TOML"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_by_name(main: Path, text: str, seen: str) -> None:
    assert seen in refusal(main, text).message


def test_a_file_that_is_no_text_at_all_is_refused(main: Path) -> None:
    board_file_path(main).write_bytes(b"\xff\xfe\0")
    with pytest.raises(ConfigError, match="UTF-8") as caught:
        load(main)
    assert "adopted again" in caught.value.hint


def test_a_disarmed_board_that_is_not_there_any_more_stops_nothing(main: Path) -> None:
    assert read(main, 'disarmed = ["long-gone"]').disarmed == {"long-gone"}


def test_the_file_is_read_where_there_is_no_configuration(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    path = tmp_path / "flashdeck" / "boards.toml"
    path.parent.mkdir()
    path.write_text('disarmed = ["left"]')
    assert default_config(environ=environ) == Config(files=(path,), disarmed=frozenset({"left"}))
    path.write_text(ADOPTED)
    with pytest.raises(ConfigError, match='no profile "product"'):
        default_config(environ=environ)
    path.unlink()
    assert default_config(environ=environ) == Config()


def test_the_name_is_the_daemons_alone(main: Path) -> None:
    with pytest.raises(ConfigError, match="belongs to the file that flashdeckd writes"):
        load(board_file_path(main))
    main.write_text('include = ["boards.toml"]\n' + MAIN)
    board_file_path(main).write_text(ADOPTED)
    with pytest.raises(ConfigError, match=r"include: .*boards\.toml is always read"):
        load(main)


def test_what_is_shown_reads_back_to_the_same_beside_the_file(main: Path) -> None:
    written = 'disarmed = ["left"]\nonce = ["right"]\n'
    config = read(main, written + ADOPTED + ADOPTED.replace("right", "spare").replace("S2", "S3"))
    main.write_text(to_toml(config))
    again = load(main)
    assert again.boards == config.boards
    assert (again.disarmed, again.once) == (config.disarmed, {"right"})


# Writing


def test_only_boards_with_pins_are_written(main: Path) -> None:
    config = read(main, ADOPTED)
    path = board_file_path(main)
    write_board_file(path, config.boards.values(), ["left"])
    assert path.read_text().startswith(HEADER)
    assert "336E36833233" not in path.read_text()
    assert load(main) == replace(config, disarmed=frozenset({"left"}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in main.parent.iterdir()) == ["boards.toml", "flashdeck.toml"]


def test_a_name_that_could_not_be_read_back_is_not_written(main: Path) -> None:
    right = read(main, ADOPTED).boards["right"]
    before = board_file_path(main).read_bytes()
    with pytest.raises(RequestError, match="cannot be a board's name"):
        write_board_file(board_file_path(main), [replace(right, name="no name")], [])
    assert board_file_path(main).read_bytes() == before


def test_with_nothing_to_say_the_file_is_still_one_that_is_read(main: Path) -> None:
    write_board_file(board_file_path(main), [], [])
    assert load(main).boards.keys() == {"left", "spare"}


def test_the_directory_is_made_where_there_was_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config" / "flashdeck" / "boards.toml"
    write_board_file(path, [], ["left"])
    assert path.is_file()


def test_a_link_stays_a_link(main: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.touch()
    board_file_path(main).symlink_to(real)
    write_board_file(board_file_path(main), [], ["left"])
    assert board_file_path(main).is_symlink()
    assert load(main).disarmed == {"left"}


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = board_file_path(main)
    write_board_file(path, [], ["left"])
    before = path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FlashdeckError, match="No space left on device") as caught:
        write_board_file(path, [], ["right"])
    assert str(path) in caught.value.message
    assert path.read_bytes() == before
    assert sorted(each.name for each in main.parent.iterdir()) == ["boards.toml", "flashdeck.toml"]


def test_a_place_that_is_not_ours_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "create", denied)
    with pytest.raises(FlashdeckError) as caught:
        write_board_file(tmp_path / "boards.toml", [], [])
    assert caught.value.kind is ErrorKind.NO_PERMISSION


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", fullmatch=True)
device_text = st.text(max_size=MAX_SERIAL).map(lambda text: clean(text, MAX_SERIAL))
ports = st.sampled_from(["", "1-4.2", "12-1.2.3.4", "pci-0000:00:14.0-usb-0:4.2"])
pins = st.builds(Pins, map=device_text, bcd_device=st.integers(0, 0xFFFF))


@settings(max_examples=100, deadline=None)
@given(
    known=st.dictionaries(
        names, st.tuples(device_text, ports, pins).filter(lambda it: bool(it[0] or it[1])), max_size=4
    ),
    disarmed=st.sets(names, max_size=3),
    once=st.sets(names, max_size=3),
)
def test_whatever_a_device_says_is_read_back(
    known: dict[str, tuple[str, str, Pins]], disarmed: set[str], once: set[str]
) -> None:
    if len({(serial, port) for serial, port, _ in known.values()}) < len(known):
        known = dict(list(known.items())[:1])  # two of one identity are refused, and another test's business
    with tempfile.TemporaryDirectory() as directory:
        main = Path(directory, "flashdeck.toml")
        main.write_text(MAIN.split("[boards", 1)[0])
        profile = load(main).profiles["product"]
        boards = [Board(name, profile, pin, serial=serial, port=port) for name, (serial, port, pin) in known.items()]
        write_board_file(board_file_path(main), boards, disarmed, once)
        config = load(main)
    assert adopted(config) == boards
    assert (config.disarmed, config.once) == (disarmed, once)


@pytest.mark.timeout(60)
def test_a_pipe_in_its_place_is_said_and_not_waited_for(tmp_path: Path) -> None:
    main = tmp_path / "flashdeck.toml"
    main.write_text(MAIN)
    os.mkfifo(board_file_path(main))
    assert board_file_damage(board_file_path(main)) == ""
    with pytest.raises(ConfigError, match=r"boards\.toml: is not a file"):
        load(main)


@pytest.mark.parametrize("written", ["right", "mine"])
def test_a_board_that_is_written_and_adopted_is_told_with_both_places_and_what_to_do(main: Path, written: str) -> None:
    main.write_text(f'{MAIN}[boards.{written}]\nprofile = "product"\nserial = "S2"\nport = "1-4.3"\n')
    line = MAIN.count("\n") + 1
    told = refusal(main, ADOPTED)
    text = f"{told.message} {told.hint}"
    assert f"{main}:{line}" in text
    assert f"{board_file_path(main)}:" in text
    assert f"take [boards.right] and [boards.right.pinned] out of {board_file_path(main)}" in text
    assert f"or [boards.{written}] out of {main}" in text
