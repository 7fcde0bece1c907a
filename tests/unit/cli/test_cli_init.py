"""`flashdeck init` where no daemon runs: what it installs, what it waits for, and how it ends."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from account_rig import account_in
from cli_run import Cli
from first_steps_rig import APP1, APP2, device
from flashdeck.errors import RequestError
from flashdeck.first_board.found import ScanLine
from flashdeck_tui.cli.commands import init
from flashdeck_tui.cli.global_options import own_words
from flashdeck_tui.cli.root import root
from flashdeck_tui.first_steps import doing, session, sources
from flashdeck_tui.first_steps.draft import MAX_PROFILE
from flashdeck_tui.installer import needed_steps
from flashdeck_tui.installer.this_machine import ThisMachine
from product_images import program

WORDS = ("init", "--yes", "--chip", "STM32H563RG", "--banks", "trusted")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ThisMachine:
    """An account without systemd, with a board plugged in and two builds; nothing of this machine is touched."""
    home = tmp_path / "home"
    ann = account_in(home)
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in ("udevadm", "loginctl", "systemctl"):
        (commands / name).write_text(f"#!/bin/sh\necho {name} >> {tmp_path}/asked\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    monkeypatch.setattr(needed_steps, "RULES", tmp_path / "rules.d" / "70-flashdeck.rules")
    monkeypatch.setattr(init, "look", looking_at(ann))
    builds = tuple(
        replace_path(each, tmp_path / f"{each.name}.bin", start)
        for each, start in ((APP1, 0x08020000), (APP2, 0x08080000))
    )

    def found(_folder: Path) -> ScanLine:
        return ScanLine(builds=builds, notes=("two links lead in a circle",))

    monkeypatch.setattr(init, "builds_below", found)
    monkeypatch.setattr(sources, "plugged_devices", lambda: ScanLine(devices=(device(),), unread=("1-9: it hangs",)))
    monkeypatch.setattr(doing, "START_SECONDS", doing.START_SECONDS / 1000)
    return ann


def looking_at(machine: ThisMachine) -> Callable[..., ThisMachine]:
    def look(_account: str, *, system: bool) -> ThisMachine:
        assert not system
        return machine

    return look


def replace_path(build: session.FoundBuild, path: Path, start: int) -> session.FoundBuild:
    path.write_bytes(program(0x20030000, start + 0x201))
    best = build.best
    moved = type(best)(
        path=str(path),
        format=best.format,
        size=best.size,
        start=start,
        end=start + 4096,
        is_program=True,
        initial_stack=0x20030000,
    )
    return type(build)(name=build.name, layout=build.layout, best=moved)


def test_without_a_daemon_it_installs_what_is_missing_and_says_what_is_next(
    offline: Cli, machine: ThisMachine, tmp_path: Path
) -> None:
    run = offline(*WORDS)
    assert run.code == 3
    assert needed_steps.RULES.exists()
    assert (machine.config_home / "systemd/user/flashdeckd.service").exists()
    assert "systemd does not run here" in run.err
    assert "two links lead in a circle" in run.err
    assert "1-9: it hangs" in run.err
    assert "done before: wrote" in run.err
    assert "run flashdeck init again" in run.err
    config = tmp_path / "config" / "flashdeck" / "flashdeck.toml"
    assert "[boards.product-1]" in config.read_text()

    again = offline(*WORDS)
    assert again.code == 3, again.err
    assert "product-1, configured already" in again.err
    assert "write" not in again.err, "the file is there, and so is what was installed"


def test_a_dry_run_is_the_file_and_a_script(offline: Cli, machine: ThisMachine) -> None:
    run = offline(*WORDS, "--dry-run")
    assert run.code == 0, run.err
    assert "[profiles.product.partitions.bootloader]" in run.out
    assert "flashdeckd.service" in run.out
    assert "flashdeck flash app1" in run.out
    assert not machine.home.exists()
    assert not needed_steps.RULES.exists()


def test_the_printed_commands_reach_the_same_daemon() -> None:
    for words, begins in (
        (["--virtual", "init"], ("flashdeck", "--virtual")),
        (["--socket", "/a b", "init"], ("flashdeck", "--socket", "/a b")),
        (["init"], ("flashdeck",)),
    ):
        assert own_words(root.make_context("flashdeck", words)) == begins


def test_what_needs_root_is_said_and_the_rest_goes_on(
    offline: Cli, machine: ThisMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_name: str) -> None:
        return None

    monkeypatch.setattr(init, "look", looking_at(replace(machine, is_root=False)))
    monkeypatch.setattr("shutil.which", nothing)
    run = offline(*WORDS)
    assert run.code == 3
    assert "needs root: write" in run.err
    assert "'flashdeck install' tries this again" in run.err


def test_who_cannot_install_is_told_before_anything_is_asked(
    offline: Cli, machine: ThisMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As who begins with sudo."""
    del machine

    def refuses(_account: str, *, system: bool) -> ThisMachine:
        del system
        raise RequestError("flashdeckd never runs as root", hint="run it without sudo")

    monkeypatch.setattr(init, "look", refuses)
    run = offline(*WORDS)
    assert (run.code, run.err) == (2, "error: flashdeckd never runs as root\nhint: run it without sudo\n")


def test_a_name_is_only_so_long(offline: Cli, machine: ThisMachine) -> None:
    del machine
    assert offline(*WORDS, "--dry-run", "--name", "x" * MAX_PROFILE).code == 0
    assert offline(*WORDS, "--dry-run", "--name", "x" * (MAX_PROFILE + 1)).code == 2
