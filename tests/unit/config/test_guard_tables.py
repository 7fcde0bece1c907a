"""Guards, vectors and version of a partition, as the configuration has them."""

from pathlib import Path

import pytest

from flashdeck.config import ByteOrder, Config, Crc, CrcField, CrcGuard, Guard, Partition, PartitionKind
from flashdeck.config_file import load
from flashdeck.config_show import to_builtins, to_toml
from flashdeck.errors import ConfigError
from flashdeck.geometry import Range

PROFILE = '[profiles.p]\ndfu = "0483:df11"\nflash = "STM32H563RG"\n'
APP = '[profiles.p.partitions.app]\naddress = 0x08020000\nsize = "384K"\n'
SLOT = '[profiles.p]\ndfu = "cafe:4000"\n[profiles.p.partitions.app]\nalt = 0\nsize = "64K"\n'
FITS = frozenset((Guard.FITS,))


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return tmp_path / "flashdeck.toml"


def read(main: Path, text: str) -> Config:
    main.write_text(text)
    return load(main)


def app(main: Path, lines: str, before: str = PROFILE + APP) -> Partition:
    return read(main, before + lines).profiles["p"].partitions["app"]


def crc(main: Path, table: str) -> CrcGuard:
    (guard,) = app(main, f'guards = ["fits", {table}]').guards - FITS
    assert isinstance(guard, CrcGuard)
    return guard


# Guards


def test_the_default_guards_are_those_that_can_be_applied(main: Path) -> None:
    assert app(main, "").guards == {Guard.FITS, Guard.RESET, Guard.STACK}
    assert app(main, 'holds = "data"').guards == FITS
    assert app(main, 'holds = "data"').holds is PartitionKind.DATA
    assert app(main, "", SLOT).guards == FITS


def test_a_guard_for_mcuboot_is_taken_everywhere(main: Path) -> None:
    guards = 'guards = ["fits", "mcuboot"]'
    for partition in (app(main, guards), app(main, guards, SLOT), app(main, 'holds = "data"\n' + guards)):
        assert partition.guards == FITS | {Guard.MCUBOOT}


@pytest.mark.parametrize(
    ("table", "guard"),
    [
        ('{ crc = "crc32" }', CrcGuard(Crc.CRC32)),
        ('{ crc = "crc32", at = "end" }', CrcGuard(Crc.CRC32)),
        ('{ crc = "stm32", at = "+0x5fffc" }', CrcGuard(Crc.STM32, at=0x5FFFC)),
        ('{ crc = "crc16-ccitt", at = 8, from = "+0x200", order = "big" }',
         CrcGuard(Crc.CRC16_CCITT, at=8, start=0x200, order=ByteOrder.BIG)),
        ('{ crc = "crc32", at = 8, from = 512, length = "+0x4" }', CrcGuard(Crc.CRC32, at=8, start=512, length=4)),
        ('{ crc = "crc32", at = 8, from = 512, to = "end" }', CrcGuard(Crc.CRC32, at=8, start=512)),
        ('{ crc = "crc32", at = 8, from = 512, to = "4K" }', CrcGuard(Crc.CRC32, at=8, start=512, end=4096)),
        ('{ crc = "crc32-mpeg2", at = 0x1C, field = "zeros" }',
         CrcGuard(Crc.CRC32_MPEG2, at=0x1C, field=CrcField.ZEROS)),
        ('{ crc = "crc32-mpeg2", at = 0x1C, to = 0x100, field = "skipped" }',
         CrcGuard(Crc.CRC32_MPEG2, at=0x1C, end=0x100, field=CrcField.SKIPPED)),
    ],
)  # fmt: skip
def test_a_crc_is_a_guard_with_parameters(main: Path, table: str, guard: CrcGuard) -> None:
    assert crc(main, table) == guard


def test_several_crcs_may_be_asked_for(main: Path) -> None:
    guards = app(main, 'guards = [{ crc = "crc32", at = 8, from = 16 }, { crc = "crc16-ccitt" }, "stack"]').guards
    assert guards == {CrcGuard(Crc.CRC32, at=8, start=16), CrcGuard(Crc.CRC16_CCITT), Guard.STACK}


@pytest.mark.parametrize(
    ("lines", "problem", "hint"),
    [
        ('guards = ["fits", 1]', "guards: ", "an array, as"),
        ('guards = "stack"', 'guards: "stack" is text', "an array, as"),
        ('guards = ["stak"]', 'guards: "stak" is not a value', '"mcuboot"'),
        ("guards = [{ }]", "[profiles.p.partitions.app.guards] crc: is missing", 'crc = "crc32"'),
        ('guards = [{ crc = "crc33" }]', 'crc: "crc33" is not a value', '"crc32-mpeg2"'),
        ('guards = [{ crc = "crc32", att = 8 }]', "att: unknown key", "did you mean at?"),
        ('guards = [{ crc = "crc32", at = "start" }]', 'at: "start" is no distance', '"+0x200" or "end"'),
        ('guards = [{ crc = "crc32", at = -4 }]', "at: -4 is a negative number", "whole number"),
        ('guards = [{ crc = "crc32", at = 0x5fffd }]', "at: is not inside the partition", "partition's start"),
        ('guards = [{ crc = "crc32", at = 8, from = 0x60000 }]', "from: is not inside the partition", ""),
        ('guards = [{ crc = "crc32", at = 8, from = 16, to = 0x60001 }]', "to: is not inside the partition", ""),
        ('guards = [{ crc = "crc32", at = 8, from = 16, to = 16 }]', "to: +0x10 is not behind from", ""),
        ('guards = [{ crc = "crc32", at = "end", to = 16 }]', 'to: with at = "end"', "take to out"),
        ('guards = [{ crc = "crc32", field = "zeros" }]', 'field: with at = "end"', "take field out"),
        ('guards = [{ crc = "crc32", at = 8, length = 4, to = 16 }]', "to: how much is covered is already", "keep one"),
        ('guards = [{ crc = "crc32", at = 8, length = 0x5fffd }]', "length: is not inside the partition", ""),
        ('guards = [{ crc = "crc32", length = 4 }]', 'length: with at = "end"', "take length out"),
        ('guards = [{ crc = "crc32", at = 0 }]', "at: the CRC (+0x0) lies in what it covers", 'field = "zeros"'),
        ('guards = [{ crc = "crc32", at = 8, to = 64 }]', "at: the CRC (+0x8) lies in what it covers", "from"),
        ('guards = [{ crc = "crc32", at = 2, from = 4 }]', "at: the CRC (+0x2) lies in what it covers", "from"),
        ('guards = [{ crc = "crc32", at = 8, from = 16, field = "ones" }]', "field: is for a CRC that lies in", ""),
        ('guards = [{ crc = "crc32", order = "middle" }]', 'order: "middle" is not a value', '"little" or "big"'),
        ('guards = [{ crc = "crc32", field = "blank", at = 4 }]', 'field: "blank" is not a value', '"skipped"'),
        ("guards = [" + '"fits",' * 17 + "]", "guards: has 17 guards", "at most 16"),
        ('holds = "data"\nguards = ["stack"]', 'guards: "stack" looks for a program', "holds"),
        ('holds = "data"\nguards = ["reset", "fits"]', 'guards: "reset" looks for a program', "holds"),
        ('holds = "data"\nvectors = 512', 'the vector table is, and holds = "data"', "take it out"),
        ("vectors = 0x202", "vectors: +0x202 is not a multiple of 4", ""),
        ('vectors = "+0x5fffc"', "vectors: +0x5fffc is not inside the partition", '"+0x200"'),
        ('vectors = "0x200 bytes"', 'vectors: "0x200 bytes" is no distance', '"+0x200"'),
        ("vectors = -4", "vectors: -4 is a negative number", ""),
        ("vectors = [4]", "vectors: [4] is an array", ""),
        ('version = "(a+)+b"', "version: a+: what comes behind it can begin with", "(?P<version>"),
        ('version = "("', 'version: a "(" is not closed', ""),
        ("version = 1", "version: 1 is a number", "text in quotes"),
        (f'version = "{"v" * 201}"', "version: has 201 characters", ""),
        ('protected = true\nversion = "v.*"', "version: this partition is protected", ""),
        ('protected = true\nguards = ["fits"]', "guards: this partition is protected", ""),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_place(main: Path, lines: str, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        app(main, lines)
    assert problem in caught.value.message
    assert hint in caught.value.advice
    assert all(line.isprintable() for line in caught.value.advice.splitlines())


def test_an_alternate_setting_has_no_vectors(main: Path) -> None:
    with pytest.raises(ConfigError, match="a partition with alt has no address"):
        app(main, "vectors = 512", SLOT)


@pytest.mark.parametrize("value", ["0x200", "512", '"+0x200"', '"0x200"', '"+512"'])
def test_the_place_of_the_vectors_is_a_distance(main: Path, value: str) -> None:
    assert app(main, f"vectors = {value}").vectors == 0x200
    assert app(main, f"protected = true\nvectors = {value}").vectors == 0x200


def test_the_pattern_of_versions(main: Path) -> None:
    pattern = app(main, r"version = 'fw (?P<version>\S+)'").version
    assert pattern is not None
    assert pattern.search(b"\0fw 1.2\0") == "1.2"
    assert app(main, "").version is None


# Secure addresses

SECURE = '[profiles.p.partitions.app]\naddress = 0x0c020000\nsize = "384K"\n'


def test_a_chip_with_trustzone_may_be_described_by_its_secure_addresses(main: Path) -> None:
    profile = read(main, PROFILE + SECURE).profiles["p"]
    assert profile.partitions["app"].span == Range(0x0C020000, 0x0C080000)
    assert profile.geometry.banks_of(Range(0x0C000000, 0x0C100000)) == {0, 1}
    assert not profile.geometry.sectors_in(Range(0x08000000, 0x08100000))
    assert Range(0x20000000, 0x200A0000) in profile.geometry.ram
    assert Range(0x30000000, 0x300A0000) in profile.geometry.ram


def test_one_profile_has_one_kind_of_addresses(main: Path) -> None:
    bootloader = '[profiles.p.partitions.bootloader]\naddress = 0x08000000\nsize = "128K"\nprotected = true\n'
    for text in (PROFILE + SECURE + bootloader, PROFILE + bootloader + SECURE):
        with pytest.raises(ConfigError) as caught:
            read(main, text)
        assert "0x08000000 is not secure" in caught.value.message
        assert "0x0c000000" in caught.value.hint


def test_a_chip_without_trustzone_has_no_secure_addresses(main: Path) -> None:
    with pytest.raises(ConfigError, match="0x0c020000 is not in the flash"):
        read(main, PROFILE.replace("STM32H563RG", "STM32F407VG") + SECURE)


# Writing it out


@pytest.mark.parametrize(
    "lines",
    [
        'guards = ["fits", "mcuboot", { crc = "crc32" }, { crc = "stm32", at = 8, from = 512, to = 4096 }]',
        'guards = [{ crc = "crc32", at = 8, from = 512, length = 4 }]',
        'guards = [{ crc = "crc16-xmodem", at = 0x1c, order = "big", field = "ones" }]',
        'vectors = "+0x200"\nversion = \'v="([^"]*)"\\x00\'',
        'holds = "data"',
        "protected = true\nvectors = 512",
    ],
)  # fmt: skip
def test_what_is_written_out_reads_back_to_the_same(main: Path, lines: str) -> None:
    config = read(main, PROFILE + APP + lines)
    assert read(main, to_toml(config)).profiles == config.profiles
    shown = to_builtins(config)
    assert shown["files"] == [str(main)]
