"""Partitions of plain DFU 1.1 devices: alternate settings in place of addresses."""

from pathlib import Path

import pytest

from flashdeck.config import Config, Guard, PollPolicy
from flashdeck.config_file import load
from flashdeck.config_show import to_builtins, to_toml
from flashdeck.errors import ConfigError
from flashdeck.geometry import Range

PROFILE = """
[profiles.gadget]
dfu = "cafe:4000"
"""
BOOT = """
[profiles.gadget.partitions.boot]
alt = 1
size = "16K"
protected = true
"""
FIRMWARE = """
[profiles.gadget.partitions.firmware]
alt = 0
size = "1000"
image = "/fw/firmware.bin"
"""


def read(directory: Path, text: str) -> Config:
    file = directory / "flashdeck.toml"
    file.write_text(text)
    return load(file)


def test_an_alternate_setting_needs_no_flash_and_counts_from_zero(tmp_path: Path) -> None:
    profile = read(tmp_path, PROFILE + BOOT + FIRMWARE).profiles["gadget"]
    boot, firmware = profile.partitions["boot"], profile.partitions["firmware"]
    assert profile.is_plain
    assert (boot.alternate, boot.protected, boot.span) == (1, True, Range(0, 16 * 1024))
    assert (firmware.alternate, firmware.span) == (0, Range(0, 1000))
    assert firmware.guards == {Guard.FITS}
    assert profile.poll is PollPolicy.AUTO
    assert read(tmp_path, PROFILE + 'poll = "spec"' + FIRMWARE).profiles["gadget"].poll is PollPolicy.SPEC
    assert profile.protected == (), "no range of addresses is protected: a plain device has none"


def test_a_name_is_taken_without_its_padding(tmp_path: Path) -> None:
    profile = read(tmp_path, PROFILE + FIRMWARE.replace("0", '" main flash "', 1)).profiles["gadget"]
    assert profile.partitions["firmware"].alternate == "main flash"


@pytest.mark.parametrize("named", [False, True])
def test_what_is_shown_reads_back_to_the_same(tmp_path: Path, named: bool) -> None:
    text = PROFILE + 'verify = "always"\nleave = false\n' + BOOT + FIRMWARE
    config = read(tmp_path, text.replace("alt = 1", 'alt = "b"').replace("alt = 0", 'alt = "f"') if named else text)
    again = read(tmp_path, to_toml(config))
    assert again == config
    shown = to_builtins(config)["profiles"]
    assert isinstance(shown, dict)
    assert shown["gadget"]["partitions"]["firmware"]["alt"] == ("f" if named else 0)
    assert "flash" not in shown["gadget"]


NAMED = FIRMWARE.replace("alt = 0", 'alt = "one"')


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        (PROFILE + FIRMWARE + "address = 0x08000000", "address: a device takes either addresses", "0x011a"),
        (PROFILE + FIRMWARE + BOOT.replace("alt = 1", "address = 0"), "boot] address: a device takes", "keep the one"),
        (PROFILE + FIRMWARE + BOOT.replace("alt = 1", ""), "boot] alt: is missing", ""),
        (PROFILE + FIRMWARE + BOOT.replace("alt = 1", "alt = 0"), "alt: firmware is this alternate setting", "change"),
        (PROFILE + NAMED + BOOT, "alt: is a number here and a name for firmware", "either numbers or names"),
        (PROFILE + NAMED + NAMED.replace("re]", "re2]").replace("one", "one "), "firmware is this alternate", "change"),
        (PROFILE + FIRMWARE.replace("alt = 0", "alt = 256"), "256 is no number of an alternate", "0 to 255"),
        (PROFILE + FIRMWARE.replace("alt = 0", "alt = -1"), "alt: -1 is a negative number", "whole number"),
        (PROFILE + FIRMWARE.replace("alt = 0", "alt = true"), "alt: true is a truth value", "whole number"),
        (PROFILE + FIRMWARE.replace("alt = 0", 'alt = "  "'), "alt: is blank", "alt = 0 or"),
        (PROFILE + FIRMWARE.replace("alt = 0", 'alt = ""'), "alt: is empty", ""),
        (PROFILE + FIRMWARE.replace('size = "1000"', "size = 0"), "size: is 0", ""),
        (PROFILE + FIRMWARE.replace('size = "1000"', ""), "size: is missing", ""),
        (PROFILE + FIRMWARE + 'guards = ["fits", "stack"]', 'guards: "stack" needs an address', '"fits"'),
        (PROFILE + FIRMWARE + 'guards = ["reset"]', 'guards: "reset" needs an address', '"fits"'),
        (PROFILE + FIRMWARE + 'guards = ["stak"]', 'guards: "stak" is not a value', '"fits"'),
        (PROFILE + FIRMWARE + "base = 0", "base: is about addresses", "remove base"),
        (PROFILE + FIRMWARE + 'outside = "leave-out"', "outside: is about addresses", "remove outside"),
        (PROFILE + BOOT + "auto = false", "auto: this partition is protected", "remove auto"),
        (PROFILE + 'flash = "STM32H563RG"' + FIRMWARE, "flash: means nothing for partitions with alt", "take it out"),
        (PROFILE + 'sectors = "1*8K@0"' + FIRMWARE, "sectors: means nothing", "take it out"),
        (PROFILE + 'map = "ignore"' + FIRMWARE, "map: means nothing", "take it out"),
        (PROFILE + 'erase = "needed"' + FIRMWARE, "erase: means nothing", "take it out"),
        (PROFILE + 'banks = "check"' + FIRMWARE, "banks: means nothing", "take it out"),
    ],
)
def test_mistakes_are_named_with_a_way_out(tmp_path: Path, text: str, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert problem in caught.value.message
    assert hint in caught.value.advice


@pytest.mark.parametrize(
    ("partition", "now", "is_protected"),
    [
        ("firmware", BOOT + FIRMWARE, False),
        ("firmware", BOOT.replace("alt = 1", "alt = 0"), True),
        ("boot", BOOT.replace("boot", "other"), True),
        ("firmware", BOOT.replace("alt = 1", 'alt = "boot"'), True),
        ("firmware", FIRMWARE, False),
    ],
    ids=["another one", "its own", "by another name", "by a name in place of a number", "none"],
)
def test_another_profile_protects_an_alternate_setting(
    tmp_path: Path, partition: str, now: str, *, is_protected: bool
) -> None:
    before = read(tmp_path, PROFILE + BOOT + FIRMWARE).profiles["gadget"].partitions[partition]
    assert read(tmp_path, PROFILE + now).profiles["gadget"].protects(before) is is_protected
