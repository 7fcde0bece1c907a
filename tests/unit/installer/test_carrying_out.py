"""Steps are carried out one by one, those for root through `sudo` where that works."""

import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flashdeck_tui.installer import carrying_out
from flashdeck_tui.installer.carrying_out import STEP_SECONDS, carry_out
from flashdeck_tui.installer.steps import RemoveFile, Run, Step, StepResult, StepState, WriteFile

SUDO = """#!/bin/sh
echo "$*" >> "$SUDO_LOG"
[ "$1" = -n ] && shift
exec "$@"
"""


@pytest.fixture
def sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a stand-in for sudo notes what it was asked for; it gives no rights that we do not have."""
    program = tmp_path / "bin" / "sudo"
    program.parent.mkdir()
    program.write_text(SUDO)
    program.chmod(0o755)
    log = tmp_path / "sudo.log"
    log.touch()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SUDO_LOG", str(log))
    return log


def carried_out(steps: Sequence[Step], *, is_root: bool = False) -> list[StepResult]:
    told: list[Step] = []
    results = list(carry_out(steps, is_root=is_root, environment=os.environ, tell=told.append))
    assert len(told) == sum(result.state in (StepState.DONE, StepState.FAILED) for result in results)
    return results


def test_files_are_written_and_removed_and_others_may_read_them(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b c" / "unit"
    assert [each.state for each in carried_out([WriteFile(path, "text\n")])] == [StepState.DONE]
    assert path.read_text() == "text\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["unit"]
    assert [each.state for each in carried_out([RemoveFile(path), RemoveFile(path)])] == [StepState.DONE] * 2
    assert not path.exists()


def test_steps_for_root_go_through_sudo(tmp_path: Path, sudo: Path) -> None:
    path = tmp_path / "etc" / "rules"
    steps = [WriteFile(path, "rule\n", as_root=True), Run(("true",), as_root=True), RemoveFile(path, as_root=True)]
    assert [each.state for each in carried_out(steps[:2])] == [StepState.DONE] * 2
    assert path.read_text() == "rule\n"
    assert [each.state for each in carried_out(steps[2:])] == [StepState.DONE]
    assert not path.exists()
    assert all("true" in line or str(path) in line for line in sudo.read_text().splitlines())
    sudo.write_text("")
    assert [each.state for each in carried_out(steps, is_root=True)] == [StepState.DONE] * 3
    assert sudo.read_text() == ""


def test_without_a_way_to_root_the_rest_is_done_and_those_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "unit"
    results = carried_out([Run(("/bin/true",), as_root=True), WriteFile(path, "x\n"), RemoveFile(path, as_root=True)])
    assert [each.state for each in results] == [StepState.NEEDS_ROOT, StepState.DONE, StepState.NEEDS_ROOT]
    assert path.exists()


def test_after_a_failure_no_later_step_is_tried_unless_it_may_fail(tmp_path: Path, sudo: Path) -> None:
    fails = ("sh", "-c", "echo first; echo the reason >&2; exit 3")
    assert sudo.exists()
    results = carried_out(
        [
            Run(fails, may_fail=True),
            Run(fails),
            WriteFile(tmp_path / "never", ""),
            Run(("no-such-command",), as_root=True),
            Run(("true",), as_root=True),
        ]
    )
    assert [each.state for each in results] == [
        StepState.FAILED,
        StepState.FAILED,
        StepState.NOT_TRIED,
        StepState.FAILED,
        StepState.NOT_TRIED,
    ]
    assert [each.optional for each in results] == [True, False, False, False, False]
    assert results[1].reason == "the reason"
    assert not (tmp_path / "never").exists()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (result,) = carried_out([WriteFile(tmp_path / "file" / "unit", "x\n")])
    assert result.state is StepState.FAILED
    assert "file" in result.reason


def test_a_step_may_take_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert STEP_SECONDS > 60  # somebody types a password
    asked: list[float] = []
    real: Any = subprocess.run

    def run(*words: Any, timeout: float, **how: Any) -> Any:
        asked.append(timeout)
        return real(*words, timeout=timeout, **how)

    monkeypatch.setattr(subprocess, "run", run)
    assert [each.state for each in carried_out([Run(("true",))])] == [StepState.DONE]
    assert asked == [STEP_SECONDS]


def test_a_step_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying_out, "STEP_SECONDS", 0.05)
    (result,) = carried_out([Run(("sleep", "60"))])
    assert (result.state, result.reason) == (StepState.FAILED, "it took more than 0.05 s")
