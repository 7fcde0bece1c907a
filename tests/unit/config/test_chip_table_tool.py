"""The tool that makes the chip table, on tiny checkouts with parts whose manuals it knows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chip_table import __main__ as tool
from chip_table import boards, embassy, modm, openocd, probe_rs
from chip_table.claims import SourceError
from chip_table.compare import Result, compare, problems
from chip_table.table import sums, to_json

KIB = 1024
F405_SECTORS = ((0, 16), (0x10000, 64), (0x20000, 128))
F405_RAM = ((0x10000000, 64), (0x20000000, 128))
F405_BANKS = (
    (
        ("BANK_1_REGION_1", 0x08000000, 64, 16),
        ("BANK_1_REGION_2", 0x08010000, 64, 64),
        ("BANK_1_REGION_3", 0x08020000, 896, 128),
    ),
)


@dataclass(frozen=True)
class Sources:
    """Three checkouts that agree on an F405RG, unless told otherwise."""

    root: Path
    part: str = "STM32F405RG"
    usb: bool = True
    banks: Sequence[Sequence[tuple[str, int, float, float]]] = F405_BANKS
    """For each mode: memories as name, address, KiB, KiB of a sector."""
    embassy_ram: Sequence[tuple[int, int]] = F405_RAM
    modm_ram: Sequence[tuple[int, int]] = F405_RAM
    modm_usb: bool = True
    modm_size: int = 1024
    sectors: Sequence[tuple[int, float]] = F405_SECTORS
    """As offset and KiB."""
    end: int = 0x08100000
    extra: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """More algorithms: where they start and end."""

    def compare(self) -> Result:
        self.write()
        return compare([*embassy.read(self.root), *modm.read(self.root), *probe_rs.read(self.root)])

    def write(self) -> None:
        self._write("data/chips", f"{self.part}.json", json.dumps(self._embassy()))
        self._write("devices/stm32", "stm32.xml", self._modm())
        self._write("probe-rs/targets", "STM32F4_Series.yaml", self._probe_rs())

    def _write(self, directory: str, name: str, text: str) -> None:
        (self.root / directory).mkdir(parents=True, exist_ok=True)
        (self.root / directory / name).write_text(text)

    def _embassy(self) -> object:
        ram = [
            {"name": "SRAM", "kind": "ram", "address": address, "size": size * KIB}
            for address, size in (*self.embassy_ram, (0, 16), (0x40024000, 4), (0x60000000, 1024))
        ]
        modes = [
            [
                {
                    "name": name,
                    "kind": "flash",
                    "address": address,
                    "size": int(size * KIB),
                    "settings": {"erase_size": int(sector * KIB)},
                }
                for name, address, size, sector in mode
            ]
            for mode in self.banks
        ]
        names = ["FLASH", "USBPD", *(["USB_OTG_FS"] if self.usb else [])]
        return {
            "name": self.part,
            "memory": [[*mode, *ram] for mode in modes] or [ram],
            "cores": [{"peripherals": [{"name": name} for name in names]}],
        }

    def _modm(self) -> str:
        ram = "".join(f'<memory name="sram" start="{at:#x}" size="{size * KIB}"/>' for at, size in self.modm_ram)
        other = (
            '<memory device-size="-" name="flash" start="0x8000000" size="1"/>'
            '<memory name="backup" start="0x40024000" size="4096"/>'
        )
        usb = '<driver name="usb_otg_fs"/>' if self.modm_usb else '<driver name="usbpd"/>'
        return (
            f"<modm><device><valid-device>{self.part.lower()}t6</valid-device><driver name='core'>"
            f'<memory name="flash" start="0x8000000" size="{self.modm_size * KIB}"/>{ram}{other}'
            f"</driver>{usb}</device></modm>"
        )

    def _probe_rs(self) -> str:
        algorithms = {"main": (0x08000000, self.end), **self.extra}
        lines = ["name: Series", "variants:", f"- name: {self.part}", "  flash_algorithms:"]
        lines += [f"  - {name}" for name in algorithms]
        lines += ["flash_algorithms:"]
        for name, (start, end) in algorithms.items():
            lines += [f"- name: {name}", "  default: true", "  flash_properties:", "    address_range:"]
            lines += [f"      start: {start:#x}", f"      end: {end:#x}", "    page_size: 0x400", "    sectors:"]
            sectors = self.sectors if name == "main" else [(0, (end - start) / KIB)]
            for offset, size in sectors:
                lines += [f"    - size: {int(size * KIB):#x}", f"      address: {offset:#x}"]
        return "\n".join(lines) + "\n"


def test_what_the_sources_agree_on_is_in_the_table(tmp_path: Path) -> None:
    result = Sources(tmp_path, extra={"f4_opt": (0x1FFFC000, 0x1FFFC010), "f4_otp": (0x1FFF7800, 0x1FFF7A10)}).compare()
    assert list(problems(result)) == []
    assert list(sums(result)) == ["STM32F4: 1 parts, 1024 KiB"]
    assert json.loads(to_json(result)) == {
        "chips": [
            {
                "names": "STM32F405[R]G",
                "sectors": "4*16K@0x08000000, 1*64K, 7*128K",
                "unit": 4,
                "ram": "0x10000000+64K, 0x20000000+128K",
                "options": "0x1fffc000+16",
                "otp": "0x1fff7800+528",
                "manual": "RM0090",
            }
        ],
        "without_usb": "",
        "without_flash": "",
        "unproven": "",
    }


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"modm_size": 512}, "1024 KiB, and 512 in modm"),
        ({"modm_ram": ((0x20000000, 128),)}, "RAM:"),
        ({"modm_usb": False}, "one source has USB and one has not"),
        ({"sectors": ((0, 16), (0x10000, 64), (0x20000, 64))}, "the sectors differ"),
        ({"sectors": ((0, 16),)}, "the sectors differ"),
        ({"end": 0x08080000}, "the sectors differ"),
        ({"banks": [[("BANK_1", 0x08000000, 512, 128)]]}, "512 KiB is not what its name says"),
        ({"banks": [[("BANK_1", 0x08000000, 512, 128), ("BANK_2", 0x08080000, 512, 128)]]}, "has 1 bank"),
        ({"banks": [[("BANK_1", 0x08010000, 1024, 128)]]}, "no source has its banks"),
        ({"banks": [[("BANK_1", 0x08000000, 1024, 96)]]}, "no source has its banks"),
        ({"extra": {"f4_opt": (0x1FFFD000, 0x1FFFD010)}}, "option bytes: 0x1fffd000"),
        ({"extra": {"f4_otp": (0x1FFF7900, 0x1FFF7A10)}}, "OTP: 0x1fff7900"),
    ],
)
def test_what_they_do_not_agree_on_is_left_out_and_said(
    tmp_path: Path, changed: dict[str, object], reason: str
) -> None:
    result = Sources(tmp_path, **changed).compare()  # pyright: ignore[reportArgumentType] -- one field each, of its type
    assert result.rows == []
    (line,) = problems(result)
    assert line.startswith("STM32F405?G: left out: ")
    assert reason in line
    assert json.loads(to_json(result))["unproven"] == "STM32F405[R]G"


def test_a_part_whose_manual_nobody_looked_up_is_left_out(tmp_path: Path) -> None:
    assert Sources(tmp_path, part="STM32X999RG").compare().left_out == {"STM32X999?G": "nobody looked its manual up"}


def test_a_source_alone_is_not_enough(tmp_path: Path) -> None:
    Sources(tmp_path).write()
    for readers, reason in (
        ((embassy,), "one source has its sectors"),
        ((embassy, probe_rs), "one source has its RAM"),
    ):
        result = compare(claim for reader in readers for claim in reader.read(tmp_path))
        assert result.left_out == {"STM32F405?G": reason}


def test_a_manual_decides_where_the_sources_are_wrong(tmp_path: Path) -> None:
    """One source with half the RAM, one with another size of the flash: both are known, and what is right."""
    wrong = Sources(
        tmp_path,
        part="STM32L4P5RG",
        banks=[
            [("BANK_1", 0x08000000, 1024, 8)],
            [("BANK_1", 0x08000000, 512, 4), ("BANK_2", 0x08080000, 512, 4)],
        ],
        embassy_ram=((0x20000000, 320),),
        modm_ram=((0x20000000, 160),),
        modm_size=512,
        sectors=((0, 4),),
    )
    result = wrong.compare()
    (row,) = result.rows
    assert [(region.address, region.count, region.bank) for region in row.layout] == [
        (0x08000000, 128, 0),
        (0x08080000, 128, 1),
    ]
    assert sum(area.size for area in row.ram) == (64 + 320) * KIB
    assert "DBANK" in row.mode
    (line,) = problems(result)
    assert "corrected: flash of 1024 KiB by its name" in line
    assert "RM0432" in line


def test_banks_that_no_source_has_are_halves_by_the_manual(tmp_path: Path) -> None:
    result = Sources(
        tmp_path,
        part="STM32L072CZ",
        banks=[[("BANK_1", 0x08000000, 192, 0.125)]],
        embassy_ram=((0x20000000, 20),),
        modm_ram=((0x20000000, 20),),
        modm_size=192,
        sectors=((0, 0.125),),
        end=0x08030000,
    ).compare()
    assert '"sectors": "768*128@0x08000000 | 768*128@0x08018000"' in to_json(result)


def test_a_source_with_one_bank_and_a_part_of_the_ram_is_corrected(tmp_path: Path) -> None:
    result = Sources(
        tmp_path,
        part="STM32H563RG",
        banks=[[("BANK_1", 0x08000000, 1024, 8)]],
        embassy_ram=((0x20000000, 256),),
        modm_ram=((0x20000000, 640),),
        sectors=((0, 8),),
    ).compare()
    text = to_json(result)
    assert '"sectors": "64*8K@0x08000000 | 64*8K@0x08080000"' in text
    assert '"ram": "0x20000000+640K"' in text
    (line,) = problems(result)
    assert line.count("RM0481") == 2


def test_lines_that_have_no_usb_or_no_flash_are_named(tmp_path: Path) -> None:
    assert Sources(tmp_path / "a", part="STM32WBA55CG", usb=False, modm_usb=False).compare().without_usb == [
        "STM32WBA55"
    ]
    Sources(tmp_path / "b", part="STM32N657X0", banks=[]).write()
    assert compare(embassy.read(tmp_path / "b")).without_flash == ["STM32N657"]


ARTERY = """
    [ARTERY_SERIES_F415] = {
        .flash_regs_base = 0x40022000,
        .usd_base = 0x1FFFF800,
    },
    {
        .pid = 0x70030240,
        .name = "AT32F415KCU7-4",
        .series = ARTERY_SERIES_F415,
        .flash_size = 256,
        .page_size = 2048,
        .usd_size = 1024,
    },
"""
ARTERY_TARGETS = """
variants:
- name: AT32F415KCU7-4
  memory_map:
  - !Nvm
    range:
      start: 0x8000000
      end: 0x8040000
  - !Ram
    range:
      start: 0x20000000
      end: 0x20008000
  flash_algorithms:
  - at32f415_256
  - at32f415_usd
  - at32f415_ext
flash_algorithms:
- name: at32f415_256
  flash_properties:
    address_range:
      start: 0x8000000
      end: 0x8040000
    sectors:
    - size: 0x800
      address: 0x0
- name: at32f415_usd
  flash_properties:
    address_range:
      start: 0x1ffff800
      end: 0x1ffffc00
    sectors:
    - size: 0x400
      address: 0x0
- name: at32f415_ext
  flash_properties:
    address_range:
      start: 0x8400000
      end: 0x8800000
    sectors:
    - size: 0x1000
      address: 0x0
"""
GIGADEVICE_TARGETS = """
variants:
- name: GD32F407VK
  memory_map:
  - !Ram
    range:
      start: 0x20000000
      end: 0x20020000
  flash_algorithms:
  - gd32f4xx_3mb
flash_algorithms:
- name: gd32f4xx_3mb
  flash_properties:
    address_range:
      start: 0x8000000
      end: 0x8300000
    sectors:
    - size: 0x4000
      address: 0x0
    - size: 0x10000
      address: 0x10000
    - size: 0x20000
      address: 0x20000
    - size: 0x4000
      address: 0x100000
    - size: 0x10000
      address: 0x110000
    - size: 0x20000
      address: 0x120000
    - size: 0x40000
      address: 0x200000
"""


def write_artery(root: Path, *, kib: int = 256, ram: int = 32) -> None:
    """Checkouts that agree on an AT32F415KC and a GD32F407VK, unless told otherwise."""
    for directory in ("src/flash/nor", "boards", "probe-rs/targets"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "src/flash/nor/artery.c").write_text(ARTERY)
    (root / "probe-rs/targets/AT32F4_Series.yaml").write_text(ARTERY_TARGETS)
    (root / "probe-rs/targets/GD32F4xx_Series.yaml").write_text(GIGADEVICE_TARGETS)
    for mcu, size, ram_size in (("AT32F415KCU7-4", kib, ram), ("gd32f407vkt6", 3072, 128)):
        upload = {"maximum_size": size * KIB, "maximum_ram_size": ram_size * KIB}
        (root / f"boards/{mcu}.json").write_text(json.dumps({"build": {"mcu": mcu}, "upload": upload}))
    (root / "boards/other.json").write_text('{"build": {}, "upload": {}}')


def compare_artery(root: Path) -> Result:
    return compare([*openocd.read(root), *boards.read(root, boards.AT32), *probe_rs.read(root)])


def test_parts_of_other_makers_are_compared_too(tmp_path: Path) -> None:
    write_artery(tmp_path)
    artery, gigadevice = json.loads(to_json(compare_artery(tmp_path)))["chips"]
    assert artery == {
        "names": "AT32F415[K]C",
        "sectors": "128*2K@0x08000000",
        "unit": 4,
        "ram": "0x20000000+32K",
        "options": "0x1ffff800+1K",
        "manual": "RM_AT32F415",
    }
    assert gigadevice["sectors"] == ("4*16K@0x08000000, 1*64K, 7*128K | 4*16K@0x08100000, 1*64K, 7*128K, 4*256K")


@pytest.mark.parametrize(("kib", "ram", "reason"), [(128, 32, "the flash has 256 KiB"), (256, 64, "RAM:")])
def test_so_is_what_they_do_not_agree_on(tmp_path: Path, kib: int, ram: int, reason: str) -> None:
    write_artery(tmp_path, kib=kib, ram=ram)
    assert reason in compare_artery(tmp_path).left_out["AT32F415?C"]


def checkouts(root: Path) -> list[str]:
    """The arguments of the command, all from one place."""
    names = ("embassy", "modm", "probe-rs", "openocd", "gd32", "at32")
    return [word for name in names for word in (f"--{name}", str(root))]


def test_the_command_writes_the_file_and_says_what_it_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Sources(tmp_path, modm_usb=False).write()
    output = tmp_path / "chips.json"
    write_artery(tmp_path)
    monkeypatch.setattr("sys.argv", ["chip_table", *checkouts(tmp_path), "--output", str(output)])
    assert tool.main() == 0
    table = json.loads(output.read_text())
    assert [row["names"] for row in table["chips"]] == ["AT32F415[K]C", "GD32F407[V]K"]
    assert table["unproven"] == "STM32F405[R]G"
    assert "left out: one source has USB" in capsys.readouterr().err


def test_what_is_no_checkout_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["chip_table", *checkouts(tmp_path)])
    with pytest.raises(SystemExit):
        tool.main()
    assert "has no data/chips/*.json" in capsys.readouterr().err
    for reader in (modm, probe_rs, openocd):
        with pytest.raises(SourceError):
            list(reader.read(tmp_path))
    with pytest.raises(SourceError):
        list(boards.read(tmp_path, boards.GD32))
