import copy
import glob
import re
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flashdeck.config import (
    DEFAULT_GUARDS,
    FASTEST_BAUD,
    LEAST_STAYS,
    MAX_KEPT_BUILDS,
    MAX_PER_CONTROLLER,
    SLOWEST_BAUD,
    BankPolicy,
    ByteOrder,
    Config,
    Console,
    Crc,
    Enter,
    EnterCommand,
    ErasePolicy,
    Guard,
    Hooks,
    Host,
    MapPolicy,
    Outside,
    PartitionKind,
    PollPolicy,
    RollbackCause,
    UsbId,
    VerifyPolicy,
)
from flashdeck.config_file import default_config, load
from flashdeck.config_labgrid import DEFAULT_PORT, LabgridTable
from flashdeck.config_screen import Notify, ScreenTable, ThemeName
from flashdeck.config_show import to_builtins, to_toml
from flashdeck.config_tables import BoardTable, ConfigTable, DaemonTable, PartitionTable, ProfileTable
from flashdeck.errors import ConfigError, ExitCode
from flashdeck.geometry import Range
from flashdeck.lab_user import LONGEST_LAB_NAME
from flashdeck.paths import data_file
from flashdeck.toml.reader import MAX_FILE_SIZE
from flashdeck.toml.tables import keys_of
from flashdeck.toml.writer import to_plain
from flashdeck.verdict import Verdict

PROFILE = """
[profiles.product]
dfu = "0483:df11"
flash = "STM32H563RG"
"""
SECTORS = '[profiles.p]\ndfu = "0483:df11"\nsectors = "8*8K@0x08000000"\n'
BOOTLOADER = """
[profiles.product.partitions.bootloader]
address = 0x08000000
size = "128K"
protected = true
"""
APP1 = """
[profiles.product.partitions.app1]
address = 0x08020000
size = "384K"
"""
LEFT = """
[boards.left]
profile = "product"
serial = "336E36833233"
"""


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return tmp_path / "flashdeck.toml"


def read(main: Path, text: str) -> Config:
    main.write_text(text)
    return load(main)


def refusal(main: Path, text: str) -> ConfigError:
    """The error that `text` is refused with; its message names the file."""
    main.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(main)
    error = caught.value
    assert error.exit_code is ExitCode.CONFIG_INVALID
    assert str(main) in error.message
    assert all(line.isprintable() for line in (*error.message.splitlines(), error.hint))
    return error


# What works


def test_the_example_is_a_valid_configuration() -> None:
    config = load(data_file("flashdeck.example.toml"))
    product = config.profiles["product"]
    assert product.dfu == UsbId(0x0483, 0xDF11)
    assert product.app == UsbId(0x0483, 0x5740)
    assert product.chip == "STM32H563RG"
    assert product.enter is Enter.DETACH
    assert product.partitions["app1"].span == Range(0x08020000, 0x08080000)
    assert product.partitions["app1"].image == str(Path.home() / "fw/app1/Debug/APP1.bin")
    assert product.protected == (Range(0x08000000, 0x08020000),)
    assert product.partitions["partition2"].settle == 0.5
    assert config.boards["left"].serial == "336E36833233"
    assert config.boards["right"].port == "1-4.3"
    assert config.boards["right"].profile is product


def test_the_example_shows_every_key_that_works() -> None:
    text = data_file("flashdeck.example.toml").read_text()
    tables = (ConfigTable, DaemonTable, LabgridTable, ProfileTable, PartitionTable, BoardTable, ScreenTable)
    keys = [key.name for table in tables for key in keys_of(table)]
    assert [key for key in keys if not re.search(rf"^#?{key} = |^#?\[(.*\.)?{key}\b", text, re.MULTILINE)] == []


def test_ram_beside_sectors_makes_a_stack_guard_possible(main: Path) -> None:
    partition = '[profiles.p.partitions.a]\naddress = 0x08000000\nsize = "8K"\n'
    without = read(main, SECTORS + partition).profiles["p"]
    assert without.geometry.ram == ()
    assert Guard.STACK not in without.partitions["a"].guards
    profile = read(main, SECTORS + 'ram = "0x20000000 + 128K,0x10000000+64K"\n' + partition).profiles["p"]
    assert profile.geometry.ram == (Range(0x10000000, 0x10010000), Range(0x20000000, 0x20020000))
    assert profile.partitions["a"].guards == DEFAULT_GUARDS
    assert 'ram = "0x10000000+64K, 0x20000000+128K"' in to_toml(read(main, main.read_text()))


def test_what_else_is_known_of_a_chip_is_in_its_profile(main: Path) -> None:
    profile = read(main, PROFILE).profiles["product"]
    assert (profile.otp, profile.secure_alias) == ((Range(0x08FFF000, 0x08FFF800),), True)
    profile = read(main, PROFILE.replace("STM32H563RG", "f405rgt6")).profiles["product"]
    assert (profile.chip, profile.secure_alias) == ("STM32F405RG", False)
    assert profile.option_bytes == (Range(0x1FFFC000, 0x1FFFC010),)
    profile = read(main, SECTORS).profiles["p"]
    assert (profile.option_bytes, profile.otp, profile.secure_alias) == ((), (), False)


def test_the_configuration_of_the_demo_is_valid() -> None:
    assert load(data_file("demo", "flashdeck.toml")).boards


def test_an_empty_file_is_an_empty_configuration(main: Path) -> None:
    assert read(main, "") == Config(files=(main,))


def test_the_defaults_are_the_documented_ones(main: Path) -> None:
    profile = read(main, PROFILE + APP1).profiles["product"]
    assert (profile.app, profile.enter, profile.enter_hint, profile.leave) == (None, Enter.MANUAL, "", True)
    assert (profile.map, profile.erase, profile.verify) == (MapPolicy.CHECK, ErasePolicy.NEEDED, VerifyPolicy.AUTO)
    assert (profile.poll, profile.banks, profile.trust_cache) == (PollPolicy.AUTO, BankPolicy.CHECK, False)
    app1 = profile.partitions["app1"]
    assert (app1.protected, app1.image, app1.auto, app1.guards, app1.settle) == (False, "", True, DEFAULT_GUARDS, 0.05)


def test_every_value_arrives(main: Path) -> None:
    config = read(
        main,
        """
        [daemon]
        settle = "80ms"
        [profiles.p]
        dfu = "1209:DB42"
        app = "1209:1"
        enter = "detach"
        enter_hint = "press BOOT"
        leave = false
        sectors = "4*16K@0x08000000, 1*64K"
        map = "ignore"
        erase = "partition"
        verify = "always"
        poll = "spec"
        banks = "trusted"
        trust_cache = true
        [profiles.p.partitions.one]
        address = 134217728
        size = 0x10000
        image = "/b/one.bin"
        auto = false
        guards = ["reset"]
        [profiles.p.partitions.two]
        address = 0x08010000
        size = "64K"
        settle = "1s"
        """,
    )
    p = config.profiles["p"]
    assert (p.dfu, p.app) == (UsbId(0x1209, 0xDB42), UsbId(0x1209, 0x0001))
    assert (p.enter, p.enter_hint, p.leave) == (Enter.DETACH, "press BOOT", False)
    assert (p.chip, [region.count for region in p.geometry.regions]) == ("", [4, 1])
    assert (p.map, p.erase, p.verify) == (MapPolicy.IGNORE, ErasePolicy.PARTITION, VerifyPolicy.ALWAYS)
    assert (p.poll, p.banks, p.trust_cache) == (PollPolicy.SPEC, BankPolicy.TRUSTED, True)
    one, two = p.partitions.values()
    assert (one.span, one.image, one.auto) == (Range(0x08000000, 0x08010000), "/b/one.bin", False)
    assert (one.guards, one.settle) == (frozenset({Guard.RESET}), 0.08)
    assert two.settle == 1.0


def test_without_a_known_ram_there_is_no_stack_guard(main: Path) -> None:
    text = '[profiles.p]\ndfu = "0483:df11"\nsectors = "8*8K@0"\n[profiles.p.partitions.a]\naddress = 0\nsize = "8K"\n'
    assert read(main, text).profiles["p"].partitions["a"].guards == {Guard.FITS, Guard.RESET}
    error = refusal(main, text + 'guards = ["fits", "stack"]')
    assert "[profiles.p.partitions.a] guards" in error.message
    assert "RAM" in error.message


def test_a_board_may_have_neither_serial_nor_port(main: Path) -> None:
    boards = read(main, PROFILE + '[boards.a]\nprofile = "product"\n[boards.b]\nprofile = "product"\n').boards
    assert [(board.serial, board.port) for board in boards.values()] == [("", ""), ("", "")]


@pytest.mark.parametrize(
    "port",
    ["1-4", "1-4.2", "12-1.2.3.4", "pci-0000:00:14.0-usb-0:4.2", "platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.4"],
)
def test_both_forms_of_a_port_are_taken(main: Path, port: str) -> None:
    assert read(main, PROFILE + f'[boards.a]\nprofile = "product"\nport = "{port}"').boards["a"].port == port


# Image paths


def test_a_relative_image_is_relative_to_its_file(main: Path) -> None:
    config = read(main, PROFILE + APP1 + 'image = "build/../out/APP1.bin"')
    assert config.profiles["product"].partitions["app1"].image == str(main.parent / "out/APP1.bin")


def test_an_image_may_be_in_the_home_directory(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for image in ("~/fw/*/APP1.BIN", "~//fw/*/APP1.BIN"):
        config = read(main, PROFILE + APP1 + f'image = "{image}"')
        assert config.profiles["product"].partitions["app1"].image == "/home/me/fw/*/APP1.BIN"


def test_only_what_was_written_is_a_pattern(tmp_path: Path) -> None:
    directory = tmp_path / "a[1]*"
    directory.mkdir()
    (directory / "x1.bin").touch()
    image = read(directory / "f.toml", PROFILE + APP1 + 'image = "x?.bin"').profiles["product"].partitions["app1"].image
    assert glob.glob(image) == [str(directory / "x1.bin")]  # noqa: PTH207 - pathlib has no absolute patterns


@pytest.mark.parametrize("name", ["app.bin", "app.HEX", "*.dfu", "out/blinky", "build/*", "app.axf", "a.out", "x.txt"])
def test_an_image_may_have_any_name(main: Path, name: str) -> None:
    image = read(main, PROFILE + APP1 + f'image = "{name}"').profiles["product"].partitions["app1"].image
    assert image == str(main.parent / name)


@pytest.mark.parametrize("name", ["dir/", "..", ".", "~", "~/", "build/.", "build/.."])
def test_a_directory_is_no_image(main: Path, name: str) -> None:
    error = refusal(main, PROFILE + APP1 + f'image = "{name}"')
    assert f'image: "{name}" is a directory' in error.message
    assert "name the file" in error.hint


def test_what_a_partition_holds_and_takes_of_a_file(main: Path) -> None:
    text = (
        PROFILE + BOOTLOADER + 'holds = "data"\n' + APP1 + 'outside = "leave-out"\nbase = 0x08000000\nholds = "program"'
    )
    config = read(main, text)
    partitions = config.profiles["product"].partitions
    assert shown_again(config, main) == config
    assert partitions["bootloader"].holds is PartitionKind.DATA
    app1 = partitions["app1"]
    assert (app1.holds, app1.outside, app1.base) == (PartitionKind.PROGRAM, Outside.LEAVE_OUT, 0x08000000)
    app1 = read(main, PROFILE + APP1).profiles["product"].partitions["app1"]
    assert (app1.holds, app1.outside, app1.base) == (PartitionKind.PROGRAM, Outside.REFUSE, None)


def test_an_unknown_home_directory_is_told(main: Path) -> None:
    assert "no such home" in refusal(main, PROFILE + APP1 + 'image = "~nobody-like-this/a.bin"').message
    with pytest.raises(ConfigError, match="no such home"):
        load(Path("~nobody-like-this/flashdeck.toml"))


# Includes


def test_an_included_file_has_its_own_relative_paths(tmp_path: Path, main: Path) -> None:
    (tmp_path / "fw").mkdir()
    (tmp_path / "fw" / "flashdeck.toml").write_text(PROFILE + APP1 + 'image = "out/a.bin"')
    config = read(main, 'include = ["fw/flashdeck.toml"]\n[daemon]\nsettle = "70ms"\n' + LEFT)
    app1 = config.profiles["product"].partitions["app1"]
    assert app1.image == str(tmp_path / "fw/out/a.bin")
    assert app1.settle == 0.07
    assert config.boards["left"].profile is config.profiles["product"]
    assert config.files == (main, tmp_path / "fw/flashdeck.toml")


def test_includes_may_include(tmp_path: Path, main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.toml").write_text('include = ["../b.toml"]\n' + LEFT)
    (tmp_path / "b.toml").write_text(PROFILE)
    assert read(main, 'include = ["~/one/a.toml"]').boards.keys() == {"left"}


def test_a_circle_is_refused(tmp_path: Path, main: Path) -> None:
    (tmp_path / "a.toml").write_text('include = ["flashdeck.toml"]')
    main.write_text('include = ["a.toml"]')
    with pytest.raises(ConfigError, match=r"a\.toml:1: include: .*flashdeck\.toml is included by itself"):
        load(main)


def test_a_file_that_includes_itself_is_refused(main: Path) -> None:
    assert "included by itself" in refusal(main, 'include = ["./flashdeck.toml"]').message


def test_a_repeat_is_refused_also_under_another_name(tmp_path: Path, main: Path) -> None:
    (tmp_path / "a.toml").write_text(PROFILE)
    (tmp_path / "b.toml").symlink_to(tmp_path / "a.toml")
    assert "b.toml is included a second time" in refusal(main, 'include = ["a.toml", "b.toml"]').message


def test_a_name_in_two_files_is_refused_and_both_are_named(tmp_path: Path, main: Path) -> None:
    other = tmp_path / "a.toml"
    other.write_text(PROFILE)
    error = refusal(main, 'include = ["a.toml"]' + PROFILE)
    assert f"{other}:2: [profiles.product]: is also in {main}:2" in error.message


def test_only_the_main_file_speaks_for_the_daemon(tmp_path: Path, main: Path) -> None:
    (tmp_path / "a.toml").write_text("[daemon]\n")
    main.write_text('include = ["a.toml"]')
    with pytest.raises(ConfigError, match=r"a\.toml:1: daemon: only the main file"):
        load(main)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no such file"),
        (b"\xff\xfe", "is not UTF-8 text (byte 0)"),
        (b"a = ", "is not valid TOML"),
        (b"a = " + b"9" * 5000, "is not valid TOML"),
        (b"a = " + b"[" * 5000, "is not valid TOML"),
        (b"#" * (MAX_FILE_SIZE + 1), "is larger than 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_the_one_that_wants_it(
    tmp_path: Path, main: Path, content: bytes | None, problem: str
) -> None:
    other = tmp_path / "a.toml"
    if content is not None:
        other.write_bytes(content)
        with pytest.raises(ConfigError, match=re.escape(f"{other}: {problem}")):
            load(other)
    assert f"{main}:1: include: {other}: {problem}" in refusal(main, 'include = ["a.toml"]').message


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        load(tmp_path)


# The default place


def test_without_a_file_the_configuration_is_empty(tmp_path: Path) -> None:
    assert default_config(environ={"XDG_CONFIG_HOME": str(tmp_path / "none")}) == Config()


def test_the_default_file_is_read_and_a_virtual_daemon_has_another(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    (tmp_path / "flashdeck").mkdir()
    (tmp_path / "flashdeck" / "flashdeck.toml").write_text(PROFILE)
    assert default_config(environ=environ).profiles.keys() == {"product"}
    assert default_config(virtual=True, environ=environ) == Config()


def test_a_dangling_link_is_not_the_same_as_no_file(tmp_path: Path) -> None:
    (tmp_path / "flashdeck").mkdir()
    (tmp_path / "flashdeck" / "flashdeck.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match="there is no such file"):
        default_config(environ={"XDG_CONFIG_HOME": str(tmp_path)})


HUGE = f"0x{'f' * 5000}"
"""Python reads so many digits, and writes them only in hexadecimal."""

# Mistakes: the text, what the message says, what the hint says

COMMAND = PROFILE + 'app = "0483:5740"\nenter = '
MISTAKES = [
    # unknown keys, and known ones that do not work yet
    ('[deamon]\nsettle = "1s"', "deamon: unknown key", "did you mean daemon?"),
    ('[daemon]\nsetle = "1s"', "[daemon] setle: unknown key", "did you mean settle?"),
    (PROFILE + "verfy = 1", "[profiles.product] verfy: unknown key", "did you mean verify?"),
    (PROFILE + APP1 + "adress = 1", "[profiles.product.partitions.app1] adress: unknown key", "did you mean address?"),
    (PROFILE + APP1 + "zzz = 1", "zzz: unknown key", "known here: address, alt, auto, base"),
    (PROFILE + LEFT + "ports = 1", "[boards.left] ports: unknown key", "did you mean port?"),
    ('"\\u001b[2J" = 1', "unknown key", "known here"),
    ('[hosts]\nlab = "me@lab"', '[hosts] lab: "me@lab" is text', "a table, as [hosts.lab]"),
    ('[hosts.lab]\nssh = "-oProxyCommand=x"', "[hosts.lab] ssh: ", ""),
    ('[hosts.lab]\nssh = "me@-oProxyCommand=x"', "[hosts.lab] ssh: ", ""),
    ('[hosts.lab]\nssh = "me@lab; true"', "[hosts.lab] ssh: ", ""),
    ("[hosts.lab]\ncommand = []", "[hosts.lab] command: is empty", "name the program"),
    ('[hosts.lab]\ncommand = ["-c", "flashdeck"]', "[hosts.lab] command: -c is no program", "the program first"),
    ('[labgrid]\nname = "x"', "[labgrid] coordinator: is missing", "say where it listens"),
    ('[labgrid]\ncoordinator = "http://lab"', '"http://lab" is no address of a coordinator', "lab.example:20408"),
    ('[labgrid]\ncoordinator = "-c"', '"-c" is no address of a coordinator', "lab.example:20408"),
    ('[labgrid]\ncoordinator = "lab"\nname = "a/b"', '[labgrid] name: "a/b" is no name', "rack-1"),
    ('[labgrid]\ncoordinator = "lab"\ngroup = "*"', '[labgrid] group: "*" is no name', "rack-1"),
    ('[labgrid]\ncoordinator = "lab"\nonly_for = "ann"', '[labgrid] only_for: "ann" is no user of a lab', "host/user"),
    ('[labgrid]\ncoordinator = "lab"\nssh = "-oProxyCommand=x"', "[labgrid] ssh: ", ""),
    ("[hosts.lab]\nport = 22", "[hosts.lab] port: unknown key", ""),
    ("[hosts.lab]\nhosts = []", "[hosts.lab] hosts: is empty", '["bench", "rack-*"]'),
    ('[hosts.lab]\nssh = "b"\nhosts = ["a"]', "[hosts.lab] ssh: means nothing beside hosts", "each of those machines"),
    ('[tui]\ntheme = "drak"', '[tui] theme: "drak" is not a value it may have', 'use "dark" or "light"'),
    ("[tui]\nkeyz = {}", "[tui] keyz: unknown key", "did you mean keys?"),
    ('[tui]\nnotify = "osc"', '[tui] notify: "osc" is not a value it may have', '"osc9"'),
    ('[tui]\nmouse = "no"', '[tui] mouse: "no" is text', "true or false"),
    ('[tui.keys]\nhodl = "f6"', '[tui.keys] hodl: there is no action "hodl"', "did you mean hold?"),
    ('[tui.keys]\nhold = "F13"', '[tui.keys] hold: there is no key "F13"', "did you mean f"),
    ('[tui.keys]\nhold = "ctrl+shift+x"', '[tui.keys] hold: there is no key "ctrl+shift+x"', "did you mean ctrl+"),
    ('[tui.keys]\nhold = "½½"', '[tui.keys] hold: there is no key "½½"', "as it is typed"),
    ('[tui.keys]\nhold = "j"', '[tui.keys] hold: "j" moves in lists', "choose another key"),
    ('[tui.keys]\nhold = "ctrl+i"', "which terminals send as tab", "choose another key"),
    ('[tui.keys]\nhold = "ctrl+m"', '"ctrl+m" is what terminals send for "enter"', 'write "enter"'),
    ('[tui.keys]\nhold = "ctrl+c"', '"ctrl+c" copies and quits', "choose another key"),
    ('[tui.keys]\nhold = "f"', '[tui.keys] hold: "f" is the key of flash, too', "give hold or flash another key"),
    ('[tui.keys]\nhold = "f6"\nflash = "f6"', '"f6" is the key of', "another key"),
    ("[tui.keys]\nhold = 6", "[tui.keys] hold: 6 is a number", "text in quotes"),
    (PROFILE + "trust_cash = true", "[profiles.product] trust_cash: unknown key", "did you mean trust_cache?"),
    (PROFILE + 'trust_cache = "yes"', 'trust_cache: "yes" is text', "true or false"),
    (PROFILE + "hooks = 1", "hooks: is not supported by this version", "leave it out"),
    # types, in the words of TOML
    ("daemon = 1", "daemon: 1 is a number", "write a table, as [daemon]"),
    ("profiles = []", "profiles: [] is an array", "write a table, as [profiles]"),
    ("[profiles]\np = 3", "[profiles] p: 3 is a number", "write a table, as [profiles.p]"),
    ('include = "a.toml"', 'include: "a.toml" is text', "write an array"),
    ("include = [1]", "include: [1] is an array", "an array of texts"),
    ("[daemon]\nsettle = 50", "[daemon] settle: 50 is a number", '"50ms"'),
    ('[daemon]\nsettle = "50"', 'settle: "50" is not a duration', ""),
    ('[daemon]\nsettle = "0ms"', 'settle: "0ms" is not between 0.001 s and 600 s', ""),
    ('[daemon]\nsettle = "11min"', 'settle: "11min" is not between', ""),
    (PROFILE + "leave = 1", "leave: 1 is a number", "true or false"),
    (PROFILE + 'leave = "yes"', 'leave: "yes" is text', "true or false"),
    (PROFILE + "enter = true", "enter: true is not a value it may have", '"touch-1200" or "manual" or { command = … }'),
    (COMMAND + "{ comand = ['x'] }", "[profiles.product.enter] comand: unknown key", "did you mean command?"),
    (COMMAND + "{ }", "[profiles.product.enter] command: is missing", 'as { command = ["./enter-dfu"] }'),
    (COMMAND + '{ command = "x -y" }', 'command: "x -y" is text', "an array of texts"),
    (COMMAND + "{ command = [] }", "command: [] is an array", 'as ["program", "--option", "./file"]'),
    (COMMAND + "{ command = ['x', 1] }", 'command: ["x", 1] is an array', "an array of texts"),
    (COMMAND + "{ command = ['-x'] }", 'command: "-x" is no program', "name the program first"),
    (COMMAND + "{ command = [''] }", "command: is empty", ""),
    (COMMAND + "{ command = ['x', \"\\u001b\"] }", "has characters that cannot be printed", ""),
    (COMMAND + "{ command = ['~nobody-at-all/x'] }", "there is no such home directory", ""),
    (PROFILE + 'map = "off"', 'map: "off" is not a value it may have', 'use "check" or "ignore"'),
    (PROFILE + 'poll = ["auto"]', 'poll: ["auto"] is not a value', 'use "auto" or "spec"'),
    (PROFILE + "banks = 1979-05-27", "banks: 1979-05-27 is not a value", '"trusted"'),
    (PROFILE + 'enter_hint = ""', "enter_hint: is empty", "leave it out"),
    (PROFILE + 'enter_hint = "\\u001b[2J"', "has characters that cannot be printed", ""),
    (PROFILE + f'enter_hint = "{"x" * 201}"', "has 201 characters", "at most 200"),
    # profiles
    ("[profiles.p]\n" + 'flash = "STM32H563RG"', "[profiles.p] dfu: is missing", ""),
    ('[profiles.p]\ndfu = "0483-df11"\nflash = "STM32H563RG"', 'dfu: "0483-df11" is not a USB id', '"0483:df11"'),
    ('[profiles.p]\ndfu = "0483:df11"', "[profiles.p] flash: is missing", "sectors ="),
    (PROFILE + 'sectors = "1*8K@0"', "sectors: the geometry is already given by flash", "keep one"),
    (PROFILE + 'ram = "0x20000000+640K"', "ram: the RAM is already given by flash", "keep one"),
    ('[profiles.p]\ndfu = "0483:df11"\nram = "0x20000000+640K"', "[profiles.p] flash: is missing", "sectors ="),
    (SECTORS + 'ram = "640K"', 'ram: "640K" is not a range of addresses', ""),
    (SECTORS + 'ram = "0x20000000+0K"', 'ram: "0x20000000+0K" is empty', ""),
    (SECTORS + 'ram = "0xffffff00+1K"', "ends at 0x100000300, outside 32-bit addresses", ""),
    (SECTORS + 'ram = "0x20000000+16K, 0x20001000+16K"', "overlap", ""),
    (SECTORS + 'ram = "0x08001000+16K"', "is flash by sectors", "addresses of the RAM"),
    (SECTORS + f'ram = "{", ".join(f"{0x20000000 + n * 16:#x}+16" for n in range(17))}"', "more than 16 ranges", ""),
    (SECTORS + "ram = 640", "ram:", ""),
    (SECTORS + 'ram = " "', "ram:", ""),
    (
        SECTORS + '[profiles.p.partitions.a]\naddress = 0x08000000\nsize = "8K"\nguards = ["stack"]',
        'guards: there is no "stack" guard where nothing says where the RAM is',
        "ram =",
    ),
    (
        '[profiles.p]\ndfu = "0483:df11"\nflash = "STM32H563R"',
        'flash: the chip table has no "STM32H563R"',
        "STM32H563RG",
    ),
    ('[profiles.p]\ndfu = "0483:df11"\nsectors = "8K"', 'sectors: "8K" is not a run of sectors', ""),
    (PROFILE + 'enter = "detach"', "there is no app to know it by", 'app = "0483:5740"'),
    (PROFILE + 'enter = "touch-1200"', '"touch-1200" is for the running application, and there is no app', 'app = "'),
    (
        PROFILE + 'enter = { command = ["x"] }',
        "a command is for the running application, and there is no app",
        'app = "',
    ),
    ('[profiles."my product"]\n', '"my product" cannot be a name', "up to 32"),
    (f"[profiles.{'x' * 33}]\n", "cannot be a name", "up to 32"),
    ('[profiles."\\u202e"]\n', "cannot be a name", "up to 32"),
    # partitions
    (PROFILE + '[profiles.product.partitions."-x"]\n', '"-x" cannot be a name', "letter or digit first"),
    (PROFILE + "[profiles.product.partitions.a]\nsize = 8192", "address: is missing", ""),
    (PROFILE + "[profiles.product.partitions.a]\naddress = 0x08000000", "size: is missing", ""),
    (PROFILE + '[profiles.product.partitions.a]\naddress = "0x08000000"\nsize = 1', "is text", "without quotes"),
    (PROFILE + "[profiles.product.partitions.a]\naddress = -1\nsize = 1", "-1 is a negative number", "whole number"),
    (PROFILE + "[profiles.product.partitions.a]\naddress = 0x08000000\nsize = 1.5", "with a fraction", '"384K"'),
    (PROFILE + '[profiles.product.partitions.a]\naddress = 0x08000000\nsize = "1G"', '"1G" is not a size', ""),
    (PROFILE + "[profiles.product.partitions.a]\naddress = 0x08000000\nsize = 0", "size: is 0", ""),
    (PROFILE + '[profiles.product.partitions.a]\naddress = 0xfffff000\nsize = "8K"', "outside 32-bit", ""),
    (PROFILE + '[profiles.product.partitions.a]\naddress = 0x07ffe000\nsize = "8K"', "not in the flash", "0x08000000-"),
    (PROFILE + '[profiles.product.partitions.a]\naddress = 0x080fe000\nsize = "16K"', "beyond the flash", "0x080fffff"),
    (
        PROFILE + '[profiles.product.partitions.a]\naddress = 0x08001000\nsize = "8K"',
        "address: 0x08001000 is inside the sector 0x08000000-0x08001fff",
        "start at 0x08000000 or 0x08002000",
    ),
    (
        PROFILE + '[profiles.product.partitions.a]\naddress = 0x08000000\nsize = "12K"',
        "ends inside the sector 0x08002000-0x08003fff",
        'use "8K" or "16K"',
    ),
    (PROFILE + "[profiles.product.partitions.a]\naddress = 0x08000000\nsize = 1", "ends inside", 'use "8K"'),
    (
        '[profiles.p]\ndfu = "1:2"\nsectors="1*8K@0,1*8K@0x4000"\n[profiles.p.partitions.a]\naddress = 0\nsize = 24576',
        "goes across a hole in the flash",
        "the flash is 0x00000000-0x00001fff, 0x00004000-0x00005fff",
    ),
    (
        PROFILE + BOOTLOADER + '[profiles.product.partitions.a]\naddress = 0x0801e000\nsize = "16K"',
        "a (0x0801e000-0x08021fff) overlaps bootloader (0x08000000-0x0801ffff)",
        "move or shorten",
    ),
    (PROFILE + BOOTLOADER + "base = 0", "base: this partition is protected and never written", "remove base"),
    (PROFILE + BOOTLOADER + 'outside = "refuse"', "outside: this partition is protected", "remove outside"),
    (PROFILE + APP1 + "base = 0x100000000", "base: 0x100000000 is outside 32-bit addresses", "0x08000000"),
    (PROFILE + APP1 + 'base = "384K"', "base: ", "0x08020000"),
    (PROFILE + APP1 + 'holds = "nothing"', "holds: ", "data"),
    (PROFILE + APP1 + 'outside = "cut"', "outside: ", "leave-out"),
    (PROFILE + BOOTLOADER + 'image = "b.bin"', "image: this partition is protected and never written", "remove image"),
    (PROFILE + BOOTLOADER + "auto = false", "auto: this partition is protected and never written", "remove auto"),
    (
        PROFILE + APP1 + 'guards = ["stak"]',
        'guards: "stak" is not a value',
        'use "fits" or "mcuboot" or "reset" or "stack"',
    ),
    (PROFILE + APP1 + 'guards = "fits"', 'guards: "fits" is text', "an array, as"),
    # boards
    ("[boards.left]\n", "[boards.left] profile: is missing", ""),
    (PROFILE + '[boards.left]\nprofile = "prodct"', 'there is no profile "prodct"', "did you mean product?"),
    ('[boards.left]\nprofile = "x"', 'there is no profile "x"', "nothing is known here"),
    (PROFILE + '[boards.left]\nprofile = "product"\nserial = ""', "serial: is empty", "leave it out"),
    pytest.param(
        PROFILE + f'[boards.left]\nprofile = "product"\nserial = {HUGE}', "serial: 0xfff", "in quotes", id="huge text"
    ),
    pytest.param(
        PROFILE + f'[profiles.product.partitions.a]\naddress = {HUGE}\nsize = "8K"',
        "has more than 64 bits",
        "",
        id="huge address",
    ),
    pytest.param(
        PROFILE + f"[profiles.product.partitions.a]\naddress = 0x08000000\nsize = {HUGE}",
        "has more than 64 bits",
        "",
        id="huge size",
    ),
    pytest.param(
        f'[profiles.p]\ndfu = "1:2"\n[profiles.p.partitions.a]\nalt = {HUGE}\nsize = 1',
        "has more than 64 bits",
        "",
        id="huge alt",
    ),
    pytest.param(f"include = [{HUGE}]", "[0xfff", "an array of texts", id="huge in array"),
    (PROFILE + '[boards.left]\nprofile = "product"\nserial = 336', "serial: 336 is a number", "in quotes"),
    (PROFILE + '[boards.left]\nprofile = "product"\nserial = "a\\tb"', "cannot be printed", ""),
    (PROFILE + f'[boards.left]\nprofile = "product"\nserial = "{"x" * 127}"', "has 127 characters", "at most 126"),
    (PROFILE + '[boards.left]\nprofile = "product"\nport = "usb1"', 'port: "usb1" is not a USB port', '"1-4.2"'),
    (PROFILE + '[boards.left]\nprofile = "product"\nport = "1-4.2:1.0"', "names an interface", 'port = "1-4.2"'),
    (
        PROFILE + '[boards.left]\nprofile = "product"\nport = "pci-0000:00:14.0-usb-0:4.2:1.0"',
        "names an interface",
        'port = "pci-0000:00:14.0-usb-0:4.2"',
    ),
    (
        PROFILE + LEFT + LEFT.replace("left", "right"),
        "[boards.right] serial: board right has the same serial as board left",
        "of its own",
    ),
    (
        PROFILE + LEFT + 'port = "1-4"' + LEFT.replace("left", "right") + 'port = "1-4"',
        "board right has the same serial and port as board left",
        "of its own",
    ),
]


@pytest.mark.parametrize(("text", "message", "hint"), MISTAKES)
def test_a_mistake_is_told_with_file_table_and_key(main: Path, text: str, message: str, hint: str) -> None:
    error = refusal(main, text)
    assert message in error.message
    assert hint in error.advice


def test_two_products_may_have_boards_with_the_same_serial(main: Path) -> None:
    other = PROFILE.replace("product", "other").replace("0483:df11", "1209:0001")
    text = PROFILE + other + LEFT + LEFT.replace("left", "right")
    assert (
        len(read(main, text.replace('[boards.right]\nprofile = "product"', '[boards.right]\nprofile = "other"')).boards)
        == 2
    )


# Showing it


def shown_again(config: Config, path: Path) -> Config:
    path.write_text(to_toml(config))
    return load(path)


@pytest.mark.parametrize("parts", [("flashdeck.example.toml",), ("demo", "flashdeck.toml")])
def test_what_is_shown_reads_back_to_the_same(main: Path, parts: tuple[str, ...]) -> None:
    config = load(data_file(*parts))
    again = shown_again(config, main)
    assert {**to_builtins(again), "files": []} == {**to_builtins(config), "files": []}


def test_two_actions_may_exchange_their_keys(main: Path) -> None:
    text = '[tui.keys]\nhold = "f"\nflash = "f6"\nquit = "none"\n'
    assert read(main, text).screen.keys == {"hold": "f", "flash": "f6", "quit": "none"}


screens = st.fixed_dictionaries(
    {},
    optional={
        "theme": st.sampled_from([*ThemeName]),
        "ascii": st.booleans(),
        "mouse": st.booleans(),
        "notify": st.sampled_from([*Notify]),
        "keys": st.dictionaries(
            st.sampled_from(["hold", "flash", "next-problem"]), st.sampled_from(["f6", '"', "\\", "none"]), max_size=1
        ),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(screen=screens)
def test_any_settings_of_the_screen_survive_being_shown(main: Path, screen: dict[str, Any]) -> None:
    config = read(main, tomli_w.dumps({"tui": screen}))
    assert shown_again(config, main).screen == config.screen


printable = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=30)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", fullmatch=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(profile=names, partition=names, board=names, hint=printable, serial=printable, settle=st.integers(1, 600_000))
def test_any_text_and_name_survives_being_shown(
    main: Path, *, profile: str, partition: str, board: str, hint: str, serial: str, settle: int
) -> None:
    def quoted(text: str) -> str:
        return "'" + text.replace("'", "") + "x'"  # a literal string, which has no escapes

    config = read(
        main,
        f"""
        [profiles.'{profile}']
        dfu = "0483:df11"
        flash = "STM32H563RG"
        enter_hint = {quoted(hint)}
        [profiles.'{profile}'.partitions.'{partition}']
        address = 0x08000000
        size = "8K"
        settle = "{settle}ms"
        [boards.'{board}']
        profile = '{profile}'
        serial = {quoted(serial)}
        """,
    )
    again = shown_again(config, main)
    assert (again.profiles, again.boards) == (config.profiles, config.boards)


offsets = st.integers(0, 500).map(lambda n: 4 * n)
crcs = st.fixed_dictionaries(
    {"crc": st.sampled_from([*Crc]), "at": offsets.map(lambda n: 0x1000 + n)},
    optional={"from": st.just("+0x2800"), "order": st.sampled_from([*ByteOrder])},
) | st.fixed_dictionaries({"crc": st.sampled_from([*Crc])}, optional={"from": offsets})
in_a_program = {
    "image": printable.filter(lambda text: not text.endswith(("/", ".", "~"))).map(lambda text: f"/b/{text.strip()}x"),
    "auto": st.booleans(),
    "guards": st.lists(st.sampled_from([*Guard]) | crcs, max_size=4),
    "version": st.sampled_from([r"v(\S+)", 'fw "(?P<version>[^"]*)"']),
    "settle": st.integers(1, 600_000).map("{}ms".format) | st.integers(1, 600).map("{}s".format),
    "outside": st.sampled_from([*Outside]),
    "base": st.integers(0, 2**32 - 1),
    "vectors": offsets | offsets.map("+0x{:x}".format),
}
programs = st.fixed_dictionaries({"size": st.sampled_from(["16K", 16384, "0x4000"])}, optional=in_a_program)
kept_apart = st.fixed_dictionaries(
    {"size": st.just("16k"), "protected": st.sampled_from([True])}, optional={"vectors": offsets}
)
of_data = st.fixed_dictionaries({"size": st.just("16k"), "holds": st.just("data")}, optional={"auto": st.booleans()})
commands = st.lists(printable.filter(lambda text: text[0] not in "-~"), min_size=1, max_size=3)
ways = st.sampled_from([*Enter]) | commands.map(lambda words: {"command": words})
in_a_profile = {
    "app": st.sampled_from(["1209:0001", "0483:df11"]),
    "enter_hint": printable,
    "leave": st.booleans(),
    "map": st.sampled_from([*MapPolicy]),
    "erase": st.sampled_from([*ErasePolicy]),
    "verify": st.sampled_from([*VerifyPolicy]),
    "poll": st.sampled_from([*PollPolicy]),
    "banks": st.sampled_from([*BankPolicy]),
    "trust_cache": st.booleans(),
}
chips = st.fixed_dictionaries({"flash": st.sampled_from(["STM32H563RG", "h503cb"])}) | st.fixed_dictionaries(
    {"sectors": st.sampled_from(["16*8K@0x08000000", "4*16K@0x08000000, 1*64K"]), "ram": st.just("0x20000000+64K")}
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    profile=st.fixed_dictionaries({"dfu": st.just("0483:df11")}, optional=in_a_profile)
    | st.fixed_dictionaries({"dfu": st.just("0483:df11"), "app": st.just("0483:df11"), "enter": ways}),
    chip=chips,
    partitions=st.lists(programs | kept_apart | of_data, max_size=3),
)
def test_any_configuration_survives_being_shown(
    main: Path, *, profile: dict[str, Any], chip: dict[str, Any], partitions: list[dict[str, Any]]
) -> None:
    placed = {f"p{n}": {"address": 0x08000000 + 0x4000 * n, **each} for n, each in enumerate(partitions)}
    config = read(main, tomli_w.dumps({"profiles": {"p": {**profile, **chip, "partitions": placed}}}))
    assert shown_again(config, main).profiles == config.profiles
    assert to_builtins(shown_again(config, main)) == to_builtins(config)


def test_a_command_may_say_where_its_program_and_its_files_are(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    words = ["tools/enter", "-v", "./board.cfg", "../shared/x", "~/fw/y", "tools/z", "~", "--at=./here"]
    enter = read(main, COMMAND + f"{{ command = {words} }}").profiles["product"].enter
    here = main.parent
    kept = ("tools/z", "~", "--at=./here")
    paths = (str(here / "board.cfg"), str(here.parent / "shared/x"), "/home/me/fw/y")
    assert enter == EnterCommand(command=(str(here / "tools/enter"), "-v", *paths, *kept))
    config = read(main, COMMAND + '{ command = ["~/bin/enter"] }')
    assert config.profiles["product"].enter == EnterCommand(command=("/home/me/bin/enter",))
    assert '[profiles.product.enter]\ncommand = ["/home/me/bin/enter"]\n' in to_toml(config)
    assert to_plain(ProfileTable.of(config.profiles["product"]))["enter"] == {"command": ["/home/me/bin/enter"]}
    assert read(main, COMMAND + '{ command = ["enter"] }').profiles["product"].enter == EnterCommand(command=("enter",))


def console(keys: str) -> str:
    return PLAIN_APP.format(f"[profiles.p.console]\n{keys}\n")


PLAIN_APP = """[profiles.p]
dfu = "0483:df11"
app = "0483:5740"
{}[profiles.p.partitions.a]
alt = 0
size = "8K"
"""


def test_a_console_is_the_applications_port_or_a_path(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    config = read(main, console('port = "app"'))
    assert config.profiles["p"].console == Console(port="app", baud=115200, dtr=True, rts=True)
    assert read(main, console('port = "~/tty"')).profiles["p"].console == Console(port="/home/me/tty")
    found = read(main, console('port = "/dev/serial/by-id/x"\nbaud = 9600\ndtr = false\nrts = false'))
    assert found.profiles["p"].console == Console(port="/dev/serial/by-id/x", baud=9600, dtr=False, rts=False)
    assert shown_again(found, main).profiles == found.profiles
    assert read(main, PLAIN_APP.format("")).profiles["p"].console is None


@pytest.mark.parametrize(
    ("keys", "told", "hint"),
    [
        ("baud = 9600", "port: is missing", 'name it, as port = "app", or by its path'),
        ('port = "ttyACM0"', '"ttyACM0" is neither "app" nor the whole path of a port', "/dev/serial/by-id"),
        ('port = "app"\nbaud = 49', "baud", str(SLOWEST_BAUD)),
        ('port = "app"\nbaud = 12000001', "baud", str(FASTEST_BAUD)),
        ('port = "app"\nready = "(?=x)"', "it has a look-ahead, (?=", "put what you want into a group"),
        ('port = "app"\nready = ""', "ready: is empty", ""),
        ('port = "app"\nready = "x"\nfail = ["(?<!a)b"]', "fail", "match what is before as well"),
        ('port = "app"\nfail = ["x"]', "means nothing without ready", "by which line the application runs"),
        ('port = "app"\nstays = "2s"', "means nothing without ready", "by which line the application runs"),
        ('port = "app"\nready = "x"\npartition = "app9"', '"app9" is no partition with a program', ""),
    ],
)
def test_what_is_wrong_with_a_console(main: Path, keys: str, told: str, hint: str) -> None:
    error = refusal(main, console(keys))
    assert "[profiles.p.console] " in error.message
    assert told in error.message
    assert hint in f"{error.message} {error.hint}"


def judged(on_crash: str, *, stays: str = "2s") -> str:
    return console(f'port = "app"\nready = "x"\nstays = "{stays}"\non_crash = {on_crash}')


def test_after_which_verdicts_a_board_goes_back(main: Path) -> None:
    def after(on_crash: str) -> frozenset[Verdict]:
        config = read(main, judged(on_crash))
        assert shown_again(config, main).profiles == config.profiles
        found = config.profiles["p"].console
        assert found is not None
        return found.goes_back_after

    assert after('"nothing"') == frozenset()
    assert after('"rollback"') == {Verdict.CRASHED}
    assert after('{ rollback_after = ["crashed", "silent", "another build", "not seen"] }') == {
        Verdict.CRASHED,
        Verdict.SILENT,
        Verdict.ANOTHER_BUILD,
        Verdict.NOT_SEEN,
    }
    assert {fault.verdict for fault in RollbackCause} == after(
        f"{{ rollback_after = {[str(fault) for fault in RollbackCause]} }}"
    )


def test_a_board_goes_back_only_to_what_has_stood_for_long_enough(main: Path) -> None:
    error = refusal(main, judged('"rollback"', stays="1999ms"))
    assert "[profiles.p.console] on_crash: goes back to what ran" in error.message
    assert error.hint == f'write stays = "{LEAST_STAYS:g}s", or longer'
    assert read(main, judged('"rollback"', stays=f"{LEAST_STAYS:g}s")).profiles["p"].console is not None
    assert read(main, judged('"nothing"', stays="1s")).profiles["p"].console is not None
    error = refusal(main, console('port = "app"\non_crash = "rollback"'))
    assert "[profiles.p.console] on_crash: means nothing without ready" in error.message
    assert "by which line the application runs" in error.hint


@pytest.mark.parametrize(
    ("on_crash", "told"),
    [
        ('"roll back"', "rollback"),
        ("{ rollback_after = [] }", "is empty"),
        ('{ rollback_after = ["another-build"] }', "another build"),
        ('{ rollback_after = ["runs"] }', "crashed"),
        ("{ }", 'rollback_after = ["crashed", "silent"]'),
        ("true", "rollback"),
    ],
)
def test_what_is_wrong_with_what_follows_from_a_crash(main: Path, on_crash: str, told: str) -> None:
    error = refusal(main, judged(on_crash))
    assert "on_crash" in error.message
    assert told in f"{error.message} {error.hint}"


def test_the_port_of_an_application_needs_one(main: Path) -> None:
    text = console('port = "app"').replace('app = "0483:5740"\n', "")
    error = refusal(main, text)
    assert '[profiles.p.console] port: "app" is the port of the running application' in error.message
    assert 'app = "0483:5740"' in error.hint
    assert read(main, text.replace('"app"', '"/dev/ttyS0"')).profiles["p"].console == Console(port="/dev/ttyS0")


def test_an_empty_configuration_says_that_there_is_no_file() -> None:
    assert to_toml(Config()) == "# no configuration file\n"
    daemon = {"settle": "50ms", "keep_builds": 10, "spool_limit": 1024**3}
    assert to_builtins(Config()) == {
        "files": [],
        "daemon": daemon,
        "profiles": {},
        "boards": {},
        "disarmed": [],
        "once": [],
        "hooks": {},
        "slots": {},
        "hosts": {},
        "metrics": {},
        "tui": {"mouse": True, "notify": "off"},
    }


def test_a_lab_survives_being_shown(main: Path) -> None:
    assert read(main, "").labgrid is None
    keys = 'name = "rack-1"\ngroup = "desk"\nonly_for = "ci/ann"\nhost = "bench.example"\nssh = "ann@bench"'
    config = read(main, f'[labgrid]\ncoordinator = "lab.example"\n{keys}\n')
    assert config.labgrid == LabgridTable(
        coordinator="lab.example", name="rack-1", group="desk", only_for="ci/ann", host="bench.example", ssh="ann@bench"
    )
    assert shown_again(config, main).labgrid == config.labgrid
    assert cast("dict[str, object]", to_builtins(config)["labgrid"])["only_for"] == "ci/ann"


def test_a_name_in_a_lab_has_so_many_characters(main: Path) -> None:
    host = "h" * LONGEST_LAB_NAME
    table = read(main, f'[labgrid]\ncoordinator = "lab"\nonly_for = "{host}/ann"\nname = "{host}"').labgrid
    assert table is not None
    assert (table.only_for, table.name) == (f"{host}/ann", host)
    assert "is no user of a lab" in refusal(main, f'[labgrid]\ncoordinator = "lab"\nonly_for = "{host}h/ann"').message
    assert "is no name" in refusal(main, f'[labgrid]\ncoordinator = "lab"\nname = "{host}h"').message


def test_a_coordinator_without_a_port_has_the_usual_one(main: Path) -> None:
    def address(coordinator: str) -> str:
        table = read(main, f'[labgrid]\ncoordinator = "{coordinator}"').labgrid
        assert table is not None
        return table.address

    assert address("lab") == f"lab:{DEFAULT_PORT}"
    assert address("lab:1234") == "lab:1234"
    assert address("[::1]") == f"[::1]:{DEFAULT_PORT}"
    assert address("[::1]:99") == "[::1]:99"


def test_other_machines_survive_being_shown(main: Path) -> None:
    text = '[hosts.bench]\nssh = "ann@bench"\ncommand = ["~/bin/flashdeck", "--socket", "/s"]\n[hosts.lab]\n'
    text += '[hosts.both]\nhosts = ["bench", "la?"]\n'
    config = read(main, text)
    assert config.hosts["bench"] == Host(ssh="ann@bench", command=("~/bin/flashdeck", "--socket", "/s"))
    assert config.hosts["lab"] == Host()
    assert config.hosts["both"] == Host(hosts=("bench", "la?"))
    assert shown_again(config, main).hosts == config.hosts


def test_what_is_kept_of_the_images_is_configured(main: Path) -> None:
    config = read(main, '[daemon]\nkeep_builds = 0\nspool_limit = "3M"\n')
    assert (config.daemon.keep_builds, config.daemon.spool_limit) == (0, 3 * 1024**2)
    assert shown_again(config, main).daemon == config.daemon


@pytest.mark.parametrize(("keep", "taken"), [(MAX_KEPT_BUILDS, True), (MAX_KEPT_BUILDS + 1, False), (-1, False)])
def test_how_many_images_are_kept_has_a_limit(main: Path, keep: int, *, taken: bool) -> None:
    main.write_text(f"[daemon]\nkeep_builds = {keep}\n")
    assert (problem_of(main) is None) is taken


@pytest.mark.parametrize(
    ("limit", "taken"), [(1, True), (MAX_PER_CONTROLLER, True), (MAX_PER_CONTROLLER + 1, False), (0, False)]
)
def test_how_many_boards_of_a_controller_are_talked_to_has_bounds(main: Path, limit: int, *, taken: bool) -> None:
    main.write_text(f"[daemon]\nmax_per_controller = {limit}\n")
    assert (problem_of(main) is None) is taken
    if taken:
        config = read(main, main.read_text())
        assert config.daemon.max_per_controller == limit
        assert shown_again(config, main).daemon == config.daemon


def test_no_controller_has_a_limit_by_default(main: Path) -> None:
    assert read(main, "[daemon]\n").daemon.max_per_controller is None


# Anything at all


def places(table: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in table.items():
        found.append((*path, key))
        if isinstance(value, dict):
            found += places(cast("dict[str, Any]", value), (*path, key))
    return found


EXAMPLE = tomllib.loads(data_file("flashdeck.example.toml").read_text())
scalars = st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=12) | st.dates()
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=8), scalars, max_size=3)


def problem_of(main: Path) -> ConfigError | None:
    try:
        load(main)
    except ConfigError as error:
        return error
    return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(places(EXAMPLE)), key=st.none() | st.text(max_size=8), value=values)
def test_any_value_in_any_place_is_a_configuration_or_a_clear_error(
    main: Path, place: tuple[str, ...], key: str | None, value: object
) -> None:
    changed = copy.deepcopy(EXAMPLE)
    table = changed
    for part in place[:-1]:
        table = table[part]
    table[place[-1] if key is None else key] = value
    main.write_text(tomli_w.dumps(changed), newline="")
    problem = problem_of(main)
    if problem is not None:
        assert all(line.isprintable() for line in (*problem.message.splitlines(), problem.hint))
        assert str(main) in problem.message


def test_hooks_are_commands_of_the_main_file_and_are_shown_as_they_are(main: Path) -> None:
    text = '[hooks]\ndone = ["./notify", "--board", "./file"]\nfailed = ["mail", "me"]\n'
    config = read(main, text)
    here = str(main.parent)
    assert config.hooks == Hooks(done=(f"{here}/notify", "--board", f"{here}/file"), failed=("mail", "me"))
    assert shown_again(config, main).hooks == config.hooks
    assert to_builtins(config)["hooks"] == {
        "done": [f"{here}/notify", "--board", f"{here}/file"],
        "failed": ["mail", "me"],
    }
    assert read(main, "").hooks == Hooks()


def test_hooks_may_be_in_any_file_and_each_in_one(main: Path, tmp_path: Path) -> None:
    (tmp_path / "fw").mkdir()
    (tmp_path / "fw" / "a.toml").write_text('[hooks]\ndone = ["./done"]\n')
    config = read(main, 'include = ["fw/a.toml"]\n[hooks]\nfailed = ["./failed"]\n')
    assert config.hooks == Hooks(done=(f"{tmp_path}/fw/done",), failed=(f"{tmp_path}/failed",))
    assert config.included_hooks == {f"{tmp_path}/fw/a.toml": Hooks(done=(f"{tmp_path}/fw/done",))}
    assert shown_again(config, main).hooks == config.hooks
    error = refusal(main, 'include = ["fw/a.toml"]\n[hooks]\ndone = ["true"]\n')
    assert "a.toml:2: [hooks] done: is also in " in error.message
    assert error.hint == "keep one of the two"


@pytest.mark.parametrize("value", ['"true"', "[]", "[1]", '["-x"]', '[""]'])
def test_what_is_no_command_is_no_hook(main: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"\[hooks\] done"):
        read(main, f"[hooks]\ndone = {value}\n")
