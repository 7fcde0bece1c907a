"""`config check` and `config show`, which need no daemon."""

import tomllib
from pathlib import Path

import pytest

from cli_run import Cli
from flashdeck import extras

GOOD = """
[profiles.product]
dfu = "0483:df11"
flash = "STM32H563RG"
[profiles.product.partitions.app1]
address = 0x08020000
size = "384K"
image = "APP1.bin"
[boards.left]
profile = "product"
serial = "336E36833233"
"""

RIGHT = '[boards.right]\nprofile = "product"\nprot = "1-4"\n'


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_good_configuration(offline: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / "config" / "flashdeck" / "flashdeck.toml", GOOD)
    run = offline("config", "check")
    assert (run.code, run.err) == (0, "")
    assert run.out == f"ok: 1 board, 1 profile in {path}\n"
    checked = offline("config", "check", "--config", str(path), "--json").json
    assert checked == {
        "ok": True,
        "files": [str(path)],
        "profiles": ["product"],
        "boards": ["left"],
        "adopted": [],
        "unconfirmed": [],
        "notes": [],
    }


def test_a_console_that_cannot_be_recorded_here_is_said(
    offline: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "c.toml", GOOD + '[profiles.product.console]\nport = "/dev/ttyS0"\n')
    assert offline("config", "check", "--config", str(path)).err == ""

    def is_here(module: str) -> bool:
        return module != "serial"

    monkeypatch.setattr(extras, "_is_here", is_here)
    run = offline("config", "check", "--config", str(path))
    assert run.code == 0
    assert run.err.startswith("[profiles.product.console] needs pyserial, which is not installed; ")
    assert run.err.endswith("; its boards are flashed all the same\n")
    (note,) = offline("config", "check", "--config", str(path), "--json").json["notes"]
    assert f"{note}\n" == run.err


def test_with_virtual_it_is_the_configuration_of_emulated_boards(offline: Cli, tmp_path: Path) -> None:
    write(tmp_path / "config" / "flashdeck" / "flashdeck.toml", "wrong")
    path = write(tmp_path / "config" / "flashdeck-virtual" / "flashdeck.toml", GOOD)
    assert str(path) in offline("--virtual", "config", "check").out
    assert "product" in offline("config", "show", "--virtual").out
    assert offline("config", "check").code == 11


def test_show_fills_in_defaults_and_reads_back(offline: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", GOOD)
    run = offline("config", "show", "--config", str(path))
    assert run.code == 0
    shown = tomllib.loads(run.out)
    assert shown["profiles"]["product"]["map"] == "check"
    assert shown["profiles"]["product"]["partitions"]["app1"]["image"] == str(tmp_path / "APP1.bin")
    as_json = offline("config", "show", "--config", str(path), "--json").json
    assert as_json["files"] == [str(path)]
    assert as_json["boards"]["left"]["serial"] == "336E36833233"


def test_adopted_boards_are_shown_with_the_rest(offline: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", GOOD)
    pinned = '[boards.right]\nprofile = "product"\nport = "1-4.3"\n[boards.right.pinned]\nbcd_device = 0x0200\n'
    write(tmp_path / "boards.toml", 'disarmed = ["left"]\n' + pinned)
    checked = offline("config", "check", "--config", str(path))
    assert checked.code == 0
    assert "2 boards (1 adopted), 1 profile" in checked.out
    assert str(tmp_path / "boards.toml") in checked.out
    assert offline("config", "check", "--config", str(path), "--json").json["adopted"] == ["right"]
    assert "# bcd_device = 0x0200" in offline("config", "show", "--config", str(path)).out
    shown = offline("config", "show", "--config", str(path), "--json").json
    assert shown["boards"]["right"]["pinned"] == {"map": "", "bcd_device": 0x0200}
    assert shown["disarmed"] == ["left"]


def test_a_bad_configuration_is_11_and_names_the_place(offline: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", GOOD.replace("serial", "seriel"))
    for command in ("check", "show"):
        run = offline("config", command, "--config", str(path))
        assert run.code == 11
        assert run.out == ""
        assert str(path) in run.err
        assert "seriel" in run.err
        failed = offline("config", command, "--config", str(path), "--json")
        assert failed.code == 11
        assert failed.json["error"]["kind"] == "config-invalid"


def test_no_configuration_is_11(offline: Cli) -> None:
    assert offline("config", "check").code == 11


def test_all_mistakes_are_told_a_line_each(offline: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", GOOD.replace("serial", "seriel") + RIGHT)
    run = offline("config", "check", "--config", str(path))
    assert run.code == 11
    assert run.err.splitlines() == [
        "error: 2 mistakes",
        f"  {path}:11: [boards.left] seriel: unknown key: did you mean serial?",
        f"  {path}:14: [boards.right] prot: unknown key: did you mean port?",
    ]
