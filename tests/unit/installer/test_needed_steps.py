"""What an installation does on which machine: only what is missing, and nothing to what a person has changed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Config
from flashdeck.config_file import load
from flashdeck_tui.installer import needed_steps
from flashdeck_tui.installer.marked import is_ours, marked
from flashdeck_tui.installer.steps import Line, Remark, RemoveFile, Run, WriteFile
from flashdeck_tui.installer.this_machine import ThisMachine

ANN = ThisMachine(
    account="ann",
    home=Path("/home/ann"),
    uid=1000,
    is_root=False,
    groups=frozenset({"ann", "plugdev", "dialout"}),
    known_groups=frozenset({"ann", "plugdev", "dialout"}),
    program=("/opt/flash deck/bin/flashdeckd",),
    booted=True,
    has_user_manager=True,
    lingers=True,
    shells=frozenset({"bash", "fish"}),
    config_home=Path("/home/ann/.config"),
    data_home=Path("/home/ann/.local/share"),
)
UNITS = Path("/home/ann/.config/systemd/user")
EMPTY: Mapping[Path, str] = {}


def installed(
    machine: ThisMachine = ANN,
    files: Mapping[Path, str] = EMPTY,
    *,
    config: Config | None = None,
    system: bool = False,
    with_socket: bool = False,
) -> list[Line]:
    return needed_steps.install(
        machine,
        config or Config(),
        files.get,
        lambda shell: f"# completion of {shell}",
        system=system,
        with_socket=with_socket,
    )


def configured(path: Path, text: str) -> Config:
    path.write_text(text)
    return load(path)


def written(lines: list[Line]) -> dict[Path, str]:
    return {line.path: line.text for line in lines if isinstance(line, WriteFile)}


def commands(lines: list[Line], *, as_root: bool) -> list[str]:
    return [" ".join(line.words) for line in lines if isinstance(line, Run) and line.as_root is as_root]


def test_a_first_installation_brings_all_of_it() -> None:
    lines = installed(replace(ANN, groups=frozenset({"ann"}), known_groups=frozenset({"ann"}), lingers=False))
    files = written(lines)
    assert set(files) == {
        needed_steps.RULES,
        UNITS / "flashdeckd.service",
        Path("/home/ann/.local/share/bash-completion/completions/flashdeck"),
        Path("/home/ann/.config/fish/completions/flashdeck.fish"),
        Path("/home/ann/.local/share/man/man1/flashdeck.1"),
        Path("/home/ann/.local/share/man/man1/flashdeckd.1"),
    }
    assert 'ExecStart="/opt/flash deck/bin/flashdeckd"\n' in files[UNITS / "flashdeckd.service"]
    assert commands(lines, as_root=True) == [
        "udevadm control --reload",
        "udevadm trigger --subsystem-match=usb",
        "udevadm trigger --subsystem-match=tty",
        "groupadd --system plugdev",
        "usermod --append --groups plugdev ann",
        "loginctl enable-linger ann",
    ]
    assert commands(lines, as_root=False) == [
        "systemctl --user daemon-reload",
        "systemctl --user enable flashdeckd.service",
        "systemctl --user restart flashdeckd.service",
    ]
    assert all(line.as_root == (line.path == needed_steps.RULES) for line in lines if isinstance(line, WriteFile))


@pytest.mark.parametrize("system", [False, True])
def test_a_second_one_finds_nothing_to_do_and_a_newer_release_replaces_what_an_older_one_wrote(*, system: bool) -> None:
    files = written(installed(system=system))
    wants = needed_steps.SYSTEM_UNITS / "multi-user.target.wants/flashdeckd@ann.service"
    assert installed(files={**files, wants: ""}, system=system) == []
    older = {path: marked(f"# older\n{text}") for path, text in files.items()}
    lines = installed(files={**older, wants: ""}, system=system)
    assert written(lines) == files
    assert any("restart" in command for command in commands(lines, as_root=system))


@pytest.mark.parametrize("changed", [needed_steps.RULES, UNITS / "flashdeckd.service"])
def test_what_a_person_has_changed_stays_and_is_said(changed: Path) -> None:
    files = {**written(installed()), changed: "# mine\n"}
    (remark,) = installed(files=files)
    assert isinstance(remark, Remark)
    assert str(changed) in remark.text
    lines = needed_steps.uninstall(ANN, files.get, system=False)
    assert changed not in {line.path for line in lines if isinstance(line, RemoveFile)}
    assert any(isinstance(line, Remark) and str(changed) in line.text for line in lines)


def test_the_rules_name_each_device_of_the_configuration(tmp_path: Path) -> None:
    config = configured(
        tmp_path / "flashdeck.toml",
        '[profiles.p]\ndfu = "0483:df11"\napp = "1209:00AB"\nflash = "STM32H563RG"\n'
        '[profiles.q]\ndfu = "2fe3:0100"\nflash = "STM32H563RG"\n',
    )
    rules = written(installed(config=config))[needed_steps.RULES].splitlines()
    usb = [line for line in rules if line.startswith('SUBSYSTEM=="usb"')]
    tty = [line for line in rules if line.startswith('SUBSYSTEM=="tty"')]
    assert len(usb) == 3
    assert sum('ATTR{idVendor}=="1209", ATTR{idProduct}=="00ab"' in line for line in usb) == 1
    assert sum('ATTR{idVendor}=="2fe3", ATTR{idProduct}=="0100"' in line for line in usb) == 1
    assert [('ATTRS{idVendor}=="1209", ATTRS{idProduct}=="00ab"' in line) for line in tty] == [True]
    assert all("TAG+=" in line and "ATTR" in line for line in (*usb, *tty))


def test_the_rules_keep_the_devices_of_another_account(tmp_path: Path) -> None:
    text = '[profiles.p]\ndfu = "{0}:0001"\napp = "{0}:0002"\nflash = "STM32H563RG"\n'
    anns = configured(tmp_path / "ann.toml", text.format("1209"))
    bobs = configured(tmp_path / "bob.toml", text.format("2fe3"))
    files = written(installed(config=anns))
    both = {**files, **written(installed(replace(ANN, account="bob"), files, config=bobs))}
    lines = both[needed_steps.RULES].splitlines()
    for vendor in ("1209", "2fe3"):
        mine = [line for line in lines if line.startswith("SUBSYSTEM") and f'=="{vendor}"' in line]
        assert [line[12:15] for line in mine] == ["usb", "usb", "tty"]
    assert installed(files=both, config=anns) == []


@pytest.mark.parametrize("system", [False, True])
def test_what_the_service_of_another_account_needs_stays_and_is_said(*, system: bool) -> None:
    files = written(installed(system=system))
    shared = {needed_steps.RULES, *(path for path in files if not path.is_relative_to("/home"))}
    lines = needed_steps.uninstall(replace(ANN, others=frozenset({"bob"})), files.get, system=system)
    removed = {line.path for line in lines if isinstance(line, RemoveFile)}
    assert removed == set(files) - shared
    assert any("bob" in str(line) for line in lines if isinstance(line, Remark))
    assert any("disable" in command for command in commands(lines, as_root=system))


def test_who_touches_ports_may_open_them(tmp_path: Path) -> None:
    text = '[profiles.p]\ndfu = "0483:df11"\napp = "0483:5740"\nflash = "STM32H563RG"\n'
    config = configured(tmp_path / "flashdeck.toml", text)
    without = replace(ANN, groups=frozenset({"ann", "plugdev"}))
    assert "usermod --append --groups dialout ann" in commands(installed(without, config=config), as_root=True)
    assert "usermod --append --groups dialout ann" not in commands(installed(without), as_root=True)


def test_a_system_service_is_for_one_account_and_all_of_it_is_for_root() -> None:
    lines = installed(replace(ANN, has_user_manager=False, lingers=False), system=True)
    assert commands(lines, as_root=False) == []
    assert commands(lines, as_root=True)[-3:] == [
        "systemctl daemon-reload",
        "systemctl enable flashdeckd@ann.service",
        "systemctl restart flashdeckd@ann.service",
    ]
    assert all(line.as_root for line in lines if isinstance(line, WriteFile))
    assert Path("/etc/systemd/system/flashdeckd@.service") in written(lines)
    assert not any(path.is_relative_to("/home") for path in written(lines))


def test_a_machine_without_systemd_gets_the_rest_and_is_told() -> None:
    lines = installed(replace(ANN, booted=False, has_user_manager=False))
    assert needed_steps.RULES in written(lines)
    assert not any("systemctl" in command for root in (True, False) for command in commands(lines, as_root=root))
    assert "systemd does not run here" in str(lines[-1])


def test_a_manager_that_cannot_be_reached_is_told_with_the_command() -> None:
    lines = installed(replace(ANN, has_user_manager=False))
    assert not any("systemctl" in command for command in commands(lines, as_root=False))
    assert any("systemctl --user enable --now flashdeckd.service" in str(line) for line in lines)


def test_with_a_socket_the_service_starts_with_its_first_client() -> None:
    lines = installed(with_socket=True)
    assert "ListenStream=%t/flashdeck/flashdeckd.sock" in written(lines)[UNITS / "flashdeckd.socket"]
    assert commands(lines, as_root=False) == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now flashdeckd.socket",
    ]


@pytest.mark.parametrize("system", [False, True])
def test_what_was_installed_is_taken_away_again_and_nothing_else(*, system: bool) -> None:
    files = {**written(installed(system=system, with_socket=not system)), Path("/home/ann/.bashrc"): "# mine\n"}
    lines = needed_steps.uninstall(ANN, files.get, system=system)
    assert {line.path for line in lines if isinstance(line, RemoveFile)} == set(files) - {Path("/home/ann/.bashrc")}
    first = next(line for line in lines if isinstance(line, Run))
    assert "disable" in first.words  # before its files are gone
    assert needed_steps.uninstall(replace(ANN, lingers=False), EMPTY.get, system=system) == []


@given(st.text(min_size=1).map(lambda text: text + "\n"), st.text(min_size=1), st.integers(min_value=0))
def test_a_mark_counts_only_for_the_text_that_it_was_made_of(text: str, more: str, where: int) -> None:
    ours = marked(text)
    assert is_ours(ours)
    at = where % len(text)
    assert not is_ours(ours[:at] + more + ours[at:])
    assert not is_ours(text)


def test_what_an_earlier_release_shut_a_users_service_in_with_is_taken_away() -> None:
    there = {UNITS / "flashdeckd.service.d/hardening.conf": marked("[Service]\nPrivateUsers=yes\n")}
    lines = installed(ANN, there)
    assert RemoveFile(UNITS / "flashdeckd.service.d/hardening.conf") in lines
    assert "systemctl --user restart flashdeckd.service" in commands(lines, as_root=False)
