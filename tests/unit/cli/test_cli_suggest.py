"""`suggest`: what is printed is configuration, once what is marked is filled in."""

import os
import re
import shlex
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from canned_daemon import CannedDaemon, board
from cli_run import Cli
from flashdeck import api
from flashdeck.config import Config
from flashdeck.config_file import load
from flashdeck.errors import ConfigError
from flashdeck.geometry import Range, parse_sectors
from flashdeck.model import ConfigurationState, DeviceMode, DeviceState, WayIntoDfu
from flashdeck.text import clean
from flashdeck_tui.cli.suggestion import MOST_RUNNING, WIDTH, suggestions, to_toml
from flashdeckd.host.files import matching
from unit.scanning.trees import APP2, elf, raw, write

ONE = DeviceState(
    port="1-4.2", usb_id="0483:df11", serial="S1", product="Demo board", note="not configured: never touched"
)
TWIN = DeviceState(port="1-4.3", usb_id="0483:df11", serial="S2", note="not configured: never touched")
MUTE = DeviceState(port="1-5", usb_id="1209:db42", note="not configured: never touched")
PROFILES = """
[profiles.product]
dfu = "0483:df11"
flash = "STM32H563RG"
[profiles.product-manual]
dfu = "0483:df11"
flash = "STM32H563RG"
[boards.product-1]
profile = "product"
serial = "S9"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whose path is shown as ~."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def offer(daemon: CannedDaemon, *devices: DeviceState) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(), devices=devices)
    has_real_boards(daemon)


def has_real_boards(daemon: CannedDaemon) -> None:
    daemon.on_loop(lambda: daemon.hub.publish_daemon(replace(daemon.hub.daemon, virtual=False)))


def filled_in(text: str) -> str:
    """`text` after somebody followed its comments: a chip for each profile, and the partitions."""
    return re.sub(
        r'^#(?=(flash = "STM32H563RG"|\[profiles|address|alt|size|protected|image))', "", text, flags=re.MULTILINE
    )


def read(text: str, directory: Path) -> Config:
    path = directory / "pasted.toml"
    path.write_text(text)
    return load(path)


def test_a_device_of_a_known_product_is_ready_to_paste(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(PROFILES)
    offer(daemon, ONE)
    run = cli("suggest", "--config", str(config))
    assert (run.code, run.err) == (0, "")
    assert '# "Demo board", 0483:df11 at 1-4.2, serial S1' in run.out
    assert 'profile = "product" # or "product-manual", which has the same USB id' in run.out
    assert "flashdeck adopt 1-4.2 --profile product --name product-2" in run.out, "product-1 is taken"
    assert list(tomllib.loads(run.out)) == ["boards"]
    pasted = read(PROFILES + run.out, tmp_path)
    assert (pasted.boards["product-2"].serial, pasted.boards["product-2"].port) == ("S1", "")


def test_a_serial_that_two_devices_have_shown_at_once_is_not_suggested(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(PROFILES)
    offer(daemon, replace(ONE, serial_shared=True))
    run = cli("suggest", "--config", str(config))
    assert "Two devices have shown this serial at once" in run.out
    board = read(PROFILES + run.out, tmp_path).boards["product-2"]
    assert (board.serial, board.port) == ("", "1-4.2")


def test_the_default_configuration_is_looked_into(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "config" / "flashdeck" / "flashdeck.toml"
    path.parent.mkdir(parents=True)
    path.write_text(PROFILES)
    offer(daemon, ONE)
    assert "[profiles" not in cli("suggest").out
    path.write_text("profile = 1")
    assert cli("suggest").code == 11


def test_a_new_product_comes_with_a_profile_to_fill_in(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    offer(daemon, ONE, TWIN, MUTE)
    run = cli("suggest")
    assert run.code == 0
    assert run.out.count("[profiles.product]\n") == 1
    with pytest.raises(ConfigError, match=r"\[profiles.product\] flash: is missing"):
        read(run.out, tmp_path)
    config = read(filled_in(run.out), tmp_path)
    assert {name: str(profile.dfu) for name, profile in config.profiles.items()} == {
        "product": "0483:df11",
        "product2": "1209:db42",
    }
    known_by = {name: (each.profile.name, each.serial, each.port) for name, each in config.boards.items()}
    assert known_by == {
        "product-1": ("product", "S1", ""),
        "product-2": ("product", "S2", ""),
        "product2-1": ("product2", "", "1-5"),
    }
    partitions = config.profiles["product"].partitions
    assert partitions["bootloader"].protected
    assert partitions["app"].image.endswith(".bin")


@pytest.mark.parametrize("line", ['flash = "STM32H563RG"', 'sectors = "128*8K@0x08000000"'])
def test_every_choice_of_a_flash_can_be_taken(daemon: CannedDaemon, cli: Cli, tmp_path: Path, line: str) -> None:
    offer(daemon, ONE)
    text = cli("suggest").out
    assert f"#{line}" in text
    assert read(text.replace(f"#{line}", line), tmp_path).boards["product-1"].serial == "S1"


MAP = "@Internal Flash   /0x08000000/16*8Ka,112*8Kg"
KNOWN = replace(ONE, setting_names=(MAP,), dfu_version=0x011A)


def on_a_screen(text: str) -> None:
    """It fits a terminal of 80 columns and 24 lines."""
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= WIDTH


def test_the_file_and_the_commands_are_those_of_the_daemon_that_was_asked(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path
) -> None:
    offer(daemon, ONE)
    assert cli("suggest").out.startswith(
        "# For ~/config/flashdeck/flashdeck.toml; after that: flashdeck config reload\n"
    )
    its_own = tmp_path / "own.toml"
    its_own.write_text(PROFILES)
    read_from = ConfigurationState(files=(str(its_own),), read_at=0.0)
    daemon.on_loop(lambda: daemon.hub.publish_daemon(replace(daemon.hub.daemon, virtual=True, configuration=read_from)))
    run = cli("suggest", "--socket", str(daemon.socket))
    begins = f"flashdeck --socket {daemon.socket}"
    text = run.out.replace("\n#", "")
    assert f"For ~/own.toml; after that: {begins} config reload " in text
    assert "[profiles" not in text, "it has one of that id"
    assert f"{begins} adopt 1-4.2" in text


def test_a_board_whose_map_is_known_takes_one_screen_and_names_its_chip(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path
) -> None:
    offer(daemon, KNOWN)
    run = cli("suggest")
    on_a_screen(run.out)
    assert 'flash = "STM32H563xG" # or "STM32U575xG"\n' in run.out
    profile = read(filled_in(run.out), tmp_path).profiles["product"]
    assert profile.chip == "STM32H563xG"


@pytest.mark.parametrize(
    ("shown", "app"),
    [
        (MAP, Range(0x08020000, 0x08080000)),  # where its map lets it be written, in the first bank
        ("@Internal Flash  /0x08000000/128*8Kg", Range(0x08010000, 0x08080000)),
        ("@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg", Range(0x08020000, 0x08100000)),
        ("@Internal Flash  /0x08000000/64*2Kg", Range(0x08004000, 0x08020000)),
        ("@Internal Flash  /0x08000000/7*3Kg", Range(0x08000C00, 0x08005400)),
        ("@Internal Flash  /0x08000000/01*128Kg", Range(0x08000000, 0x08020000)),  # one sector
        ("@Internal Flash  /0x08000000/8*8Kg/0x08100000/8*8Kg", Range(0x08002000, 0x08010000)),  # a hole
    ],
)
def test_examples_lie_in_the_flash_that_is_known(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path, shown: str, app: Range
) -> None:
    offer(daemon, replace(ONE, setting_names=(shown,)))
    run = cli("suggest")
    assert len(run.out.splitlines()) <= 24
    profile = read(filled_in(run.out), tmp_path).profiles["product"]
    assert profile.partitions["app"].span == app


def test_builds_become_partitions_and_what_lies_below_them_the_bootloader(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path, home: Path
) -> None:
    write(
        home, {"fw/APP1/Debug/APP1.elf": elf(), "fw/APP2/Debug/APP2.elf": elf(base=APP2), "fw/other.bin": raw(base=0)}
    )
    offer(daemon, KNOWN)
    run = cli("suggest", str(home / "fw"))
    on_a_screen(run.out)
    profile = read(run.out, tmp_path).profiles["product"]
    assert [(each.name, each.span, each.protected) for each in profile.partitions.values()] == [
        ("bootloader", Range(0x08000000, 0x08020000), True),
        ("app1", Range(0x08020000, 0x08080000), False),
        ("app2", Range(0x08080000, 0x08100000), False),
    ]
    assert 'image = "~/fw/APP1/Debug/APP1.elf"\n' in run.out
    assert profile.partitions["app1"].image == str(home / "fw/APP1/Debug/APP1.elf")
    reply = cli("suggest", str(home / "fw"), "--json").json
    assert [each["name"] for each in reply["devices"][0]["partitions"]] == ["bootloader", "app1", "app2"]
    assert [each["name"] for each in reply["devices"][0]["chips"]] == ["STM32H563xG", "STM32U575xG"]


def test_a_path_that_looks_like_a_glob_means_that_file(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, {"fw [old]/app.elf": elf()})
    offer(daemon, KNOWN)
    profile = read(cli("suggest", str(tmp_path)).out, tmp_path).profiles["product"]
    assert list(matching(profile.partitions["app"].image)) == [str(tmp_path / "fw [old]" / "app.elf")]


def test_what_gets_no_partition_is_named_with_the_reason(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, {"a/app.elf": elf(), "b/far.elf": elf(base=0x08200000), "c/old.elf": elf("0")}, at=100.0)
    os.utime(tmp_path / "a" / "app.elf", (900, 900))
    offer(daemon, KNOWN)
    out = cli("suggest", str(tmp_path)).out.replace("\n#", "")
    assert "far.elf: it is linked for 0x08200000-0x08200fff, which is not in this flash" in out
    assert "old.elf: app is for the same place and is newer" in out
    assert len(cli("suggest", str(tmp_path), "--json").json["devices"][0]["partitions"]) == 2
    bare = tmp_path / "empty"
    bare.mkdir()
    run = cli("suggest", str(bare))
    assert "no build that could be flashed was found" in run.err
    assert "#image" in run.out
    assert cli("suggest", str(tmp_path / "nowhere")).code == 2


def test_sectors_come_from_the_map_where_no_chip_is_known_by_it(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, {"app.elf": elf(base=0x08004000)})
    offer(daemon, replace(ONE, setting_names=("@Internal Flash  /0x08000000/64*2Kg",), product="STM32  BOOTLOADER"))
    run = cli("suggest", str(tmp_path))
    profile = read(run.out, tmp_path).profiles["product"]
    assert profile.geometry == parse_sectors("64*2K@0x08000000")
    assert profile.partitions["app"].span == Range(0x08004000, 0x08020000)
    assert "kinds of chips are possible" in run.out.replace("\n#", "")


def test_devices_with_one_usb_id_and_two_maps_are_two_products(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    f4 = replace(TWIN, setting_names=("@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg",))
    offer(daemon, KNOWN, f4)
    config = read(filled_in(cli("suggest").out), tmp_path)
    assert {name: profile.chip for name, profile in config.profiles.items()} == {
        "product": "STM32H563xG",
        "product2": "STM32F407xG",
    }
    assert [board.profile.name for board in config.boards.values()] == ["product", "product2"]


def test_of_the_profiles_with_its_usb_id_those_count_whose_flash_it_shows(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(PROFILES.replace('flash = "STM32H563RG"', 'flash = "STM32F407VG"', 1))
    offer(daemon, KNOWN)
    assert 'profile = "product-manual"\n' in cli("suggest", "--config", str(config)).out


def test_a_plain_dfu_device_has_alternate_settings(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    offer(daemon, replace(ONE, dfu_version=0x0110, setting_names=("internal flash",)))
    profile = read(filled_in(cli("suggest").out), tmp_path).profiles["product"]
    assert profile.is_plain
    assert profile.partitions["app"].alternate == 0


def test_a_plain_dfu_device_is_no_board_of_a_profile_with_addresses(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(PROFILES)
    offer(daemon, replace(ONE, dfu_version=0x0110, setting_names=("internal flash",)))
    assert "[profiles.product2]" in cli("suggest", "--config", str(config)).out


def test_what_is_running_is_named_where_nothing_is_in_dfu_mode(daemon: CannedDaemon, cli: Cli) -> None:
    running = DeviceState(
        port="1-7",
        usb_id="0483:5740",
        product="Product",
        mode=DeviceMode.RUNNING,
        ways_into_dfu=(WayIntoDfu.DETACH, WayIntoDfu.TOUCH),
    )
    daemon.answers[api.GetBoards] = api.BoardList(boards=(), devices=(), running=(running,) * (MOST_RUNNING + 1))
    run = cli("suggest")
    text = run.out.replace("\n#", "")
    assert "0483:5740 at 1-7, Product is running; bring it into DFU mode (detach or touch-1200, or by hand)" in text
    assert text.count("is running") == MOST_RUNNING
    assert tomllib.loads(run.out) == {}
    assert len(cli("suggest", "--json").json["running"]) == MOST_RUNNING + 1


def test_a_long_comment_is_broken_where_a_screen_ends(daemon: CannedDaemon, cli: Cli) -> None:
    wordy = DeviceState(port="1-7", usb_id="0483:5740", product="a " * 60, mode=DeviceMode.RUNNING)
    daemon.answers[api.GetBoards] = api.BoardList(boards=(), devices=(), running=(wordy,))
    assert max(map(len, cli("suggest").out.splitlines())) in {WIDTH - 1, WIDTH}


def test_builds_of_this_machine_are_none_for_a_board_of_another(cli: Cli, tmp_path: Path) -> None:
    run = cli("--host", "box", "suggest", str(tmp_path))
    assert run.code == 2
    assert "watches files of its own" in run.err


def test_without_a_daemon_the_machine_is_looked_at(offline: Cli) -> None:
    run = offline("suggest")
    assert run.code == 0
    assert run.out.startswith("# Nothing to suggest")
    assert run.err.startswith("no daemon answers: looking without one\n")


def test_a_serial_that_two_have_is_no_identity(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    same = [DeviceState(port=f"1-{n}", usb_id="0483:df11", serial="SAME", note="not configured") for n in (1, 2)]
    offer(daemon, *same)
    config = read(filled_in(cli("suggest").out), tmp_path)
    assert [(each.serial, each.port) for each in config.boards.values()] == [("", "1-1"), ("", "1-2")]
    present = api.BoardList(boards=(board("left", serial="SAME"),), devices=(same[0],))
    daemon.answers[api.GetBoards] = present
    config = read(filled_in(cli("suggest").out), tmp_path)
    assert [each.port for each in config.boards.values()] == ["1-1"], "a configured board has that serial"


def test_json_is_the_same_as_data(daemon: CannedDaemon, cli: Cli) -> None:
    offer(daemon, ONE, MUTE)
    text = cli("suggest").out
    reply = cli("suggest", "--json").json
    assert reply["toml"].rstrip("\n") == text.rstrip("\n")
    first, second = reply["devices"]
    assert (first["name"], first["profile"], first["profiles"], first["serial"]) == ("product-1", "product", [], "S1")
    assert first["chips"] == []
    assert "which chip it is" in first["chip_note"]
    assert first["adopt"] == ["flashdeck", "adopt", "1-4.2", "--profile", "product", "--name", "product-1"]
    assert f"#   {shlex.join(first['adopt'])}\n" in text
    assert (second["serial"], second["port"], second["device"]["usb_id"]) == ("", "1-5", "1209:db42")


def test_nothing_to_suggest_is_no_error_and_still_configuration(daemon: CannedDaemon, cli: Cli) -> None:
    offer(daemon)
    run = cli("suggest")
    assert (run.code, tomllib.loads(run.out)) == (0, {})
    assert cli("suggest", "--json").json["devices"] == []


def test_a_device_that_several_boards_match_says_so(daemon: CannedDaemon, cli: Cli) -> None:
    offer(daemon, DeviceState(port="1-1", usb_id="0483:df11", note="matches boards left, right: never touched"))
    assert "# The daemon says: matches boards left, right: never touched\n" in cli("suggest").out


@settings(max_examples=100, deadline=None)
@given(
    serial=st.text(max_size=100),
    product=st.text(max_size=100),
    note=st.text(max_size=100),
    names=st.lists(st.text(max_size=60), max_size=2),
)
def test_whatever_a_device_says_stays_in_its_place(serial: str, product: str, note: str, names: list[str]) -> None:
    device = DeviceState(
        port="1-1", usb_id="0483:df11", serial=serial, product=product, note=note, setting_names=tuple(names)
    )
    text = to_toml(suggestions([device], [], {}, []))
    assert clean(text.replace("\n", ""), len(text)) == text.replace("\n", "")
    with tempfile.TemporaryDirectory() as directory:
        (one,) = read(filled_in(text), Path(directory)).boards.values()
    assert one.serial == clean(serial)
    assert bool(one.port) == (not serial)
