"""`suggest`: what is printed is configuration, once what is marked is filled in."""

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
from flashdeck.model import DeviceState
from flashdeck.text import clean
from flashdeck_tui.cli.suggestion import suggestions, to_toml

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


def offer(daemon: CannedDaemon, *devices: DeviceState) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(), devices=devices)


def filled_in(text: str) -> str:
    """`text` after somebody followed its comments: a chip for each profile, and the partitions."""
    return re.sub(
        r'^#(?=(flash = "STM32H563RG"|\[profiles|address|size|protected|image))', "", text, flags=re.MULTILINE
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


@pytest.mark.parametrize(
    ("product", "chips"),
    [
        ("STM32  BOOTLOADER", ["STM32H563RG"]),
        ("ACME stm32f405 DFU", ["STM32F405OE", "STM32F405OG", "STM32F405RG", "STM32F405VG"]),
        ("STM32H503 loader", ["STM32H503CB", "STM32H503EB", "STM32H503KB", "STM32H503RB"]),
        ("STM32F405RGT6", ["STM32F405RG"]),
        ("STM32H5", ["STM32H563RG"]),
    ],
)
def test_few_chips_are_offered_and_those_that_the_product_names(
    daemon: CannedDaemon, cli: Cli, product: str, chips: list[str]
) -> None:
    offer(daemon, DeviceState(port="1-1", usb_id="0483:df11", serial="S1", product=product, note="not configured"))
    assert re.findall(r'^#flash = "(.*)"', cli("suggest").out, re.MULTILINE) == chips


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
@given(serial=st.text(max_size=100), product=st.text(max_size=100), note=st.text(max_size=100))
def test_whatever_a_device_says_stays_in_its_place(serial: str, product: str, note: str) -> None:
    device = DeviceState(port="1-1", usb_id="0483:df11", serial=serial, product=product, note=note)
    text = to_toml(suggestions([device], [], {}, []))
    assert clean(text.replace("\n", ""), len(text)) == text.replace("\n", "")
    with tempfile.TemporaryDirectory() as directory:
        (one,) = read(filled_in(text), Path(directory)).boards.values()
    assert one.serial == clean(serial)
    assert bool(one.port) == (not serial)
