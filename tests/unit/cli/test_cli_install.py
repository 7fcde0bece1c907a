"""`flashdeck install` and `uninstall`: what they print, what they do, and how they end."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from account_rig import account_in
from cli_run import Cli
from flashdeck_tui.cli.commands import install, uninstall
from flashdeck_tui.installer import needed_steps
from flashdeck_tui.installer.this_machine import MAX_FILE, ThisMachine, look, text_of


def _nothing(_name: str) -> None:
    return None


def looking_at(machine: ThisMachine) -> Callable[..., ThisMachine]:
    def look(_account: str, *, system: bool) -> ThisMachine:
        assert system in (True, False)
        return machine

    return look


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ThisMachine:
    """An account of a machine without systemd, whose files are all below a directory of the test."""
    home = tmp_path / "home"
    ann = account_in(home, shells=frozenset({"bash"}))
    commands = tmp_path / "commands"  # stand-ins: nothing of this machine is touched
    commands.mkdir()
    for name in ("udevadm", "loginctl", "systemctl"):
        (commands / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/asked\n')
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    monkeypatch.setattr(needed_steps, "RULES", tmp_path / "rules.d" / "70-flashdeck.rules")
    for command in (install, uninstall):
        monkeypatch.setattr(command, "look", looking_at(ann))
    return ann


def test_it_installs_once_and_takes_all_of_it_away_again(offline: Cli, machine: ThisMachine, tmp_path: Path) -> None:
    run = offline("install")
    assert run.code == 0, run
    service = machine.config_home / "systemd/user/flashdeckd.service"
    assert 'ExecStart="/usr/bin/flashdeckd"' in service.read_text()
    assert '"df11"' in needed_steps.RULES.read_text()
    completion = machine.data_home / "bash-completion/completions/flashdeck"
    assert "_flashdeck_completion" in completion.read_text()
    assert "udevadm control --reload" in (tmp_path / "asked").read_text()
    assert "systemd does not run here" in run.out
    again = offline("install")
    assert "nothing to do" in again.out

    run = offline("uninstall")
    assert run.code == 0, run
    assert not [each for each in (service, needed_steps.RULES, completion) if each.exists()]


def test_a_dry_run_is_a_script_that_does_the_same(offline: Cli, machine: ThisMachine, tmp_path: Path) -> None:
    run = offline("install", "--dry-run")
    assert run.code == 0
    assert not machine.home.exists()
    subprocess.run(("/bin/sh", "-eu"), input=run.out, text=True, check=True, timeout=60)
    assert needed_steps.RULES.exists()
    assert offline("install", "--dry-run").out == "# systemd does not run here: start flashdeckd by other means\n"
    assert (tmp_path / "asked").exists()


def test_where_only_root_is_missing_the_rest_is_done(
    offline: Cli, machine: ThisMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "look", looking_at(replace(machine, is_root=False)))
    monkeypatch.setattr("shutil.which", _nothing)
    run = offline("install", "--json")
    assert run.code == 12
    answer = json.loads(run.out)
    assert {step["state"] for step in answer["steps"]} == {"done", "needs root"}
    assert not needed_steps.RULES.exists()
    assert (machine.config_home / "systemd/user/flashdeckd.service").exists()
    told = offline("install")
    assert "'flashdeck install --dry-run' prints the commands" in told.out


@pytest.mark.parametrize(
    "words", [("install", "--user", "ann"), ("uninstall", "--user", "ann"), ("install", "--system", "--socket")]
)
def test_options_that_do_not_go_together_are_refused(offline: Cli, words: tuple[str, ...]) -> None:
    assert offline(*words).code == 2


def test_it_is_never_installed_for_root(offline: Cli) -> None:
    run = offline("install", "--system", "--user", "root", "--dry-run")
    assert run.code == 2
    assert "never runs as root" in run.err
    assert offline("install", "--system", "--user", "no-such-account", "--dry-run").code == 2


def test_no_more_is_read_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "unit"
    file.write_text("x" * (MAX_FILE + 1))
    assert text_of(file) == "x" * MAX_FILE
    assert text_of(tmp_path / "none") is None


def test_a_real_machine_can_be_looked_at() -> None:
    found = look("games", system=True)
    assert found.account == "games"
    assert found.uid != 0
    assert found.program
    assert not found.has_user_manager
