"""`flashdeckd` beside a command: what it answers, and how it ends."""

import subprocess
from pathlib import Path

import pytest

from flashdeck.errors import FlashdeckError, RemoteError
from flashdeck_tui.cli import daemon_program
from flashdeck_tui.cli.daemon_program import builds_below, following_devices, plugged_devices
from unit.scanning.trees import elf, write


def test_builds_come_from_a_process_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, {"a/APP1.elf": elf()})
    line = builds_below(tmp_path)
    assert [build.name for build in line.builds or ()] == ["APP1"]
    assert line.devices is None
    with pytest.raises(RemoteError, match=r"^/\S+/nowhere: No such file or directory"):
        builds_below(tmp_path / "nowhere")


def test_devices_are_followed_until_nobody_wants_them_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*words: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(popen(*words, **options))  # type: ignore[call-overload] - as the product calls it
        return started[-1]

    monkeypatch.setattr(daemon_program.subprocess, "Popen", start)
    with following_devices() as lines:
        first = next(lines)
        assert first.devices is not None
        assert started[0].poll() is None
    assert started[0].returncode == 0, "it ended by itself, with its input"
    assert plugged_devices().devices == first.devices


@pytest.mark.parametrize("out", [b"no json\n", b'{"builds": 7}\n', b"[]\n"])
def test_nonsense_is_said_to_be_that(monkeypatch: pytest.MonkeyPatch, out: bytes, tmp_path: Path) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 0, out, b"")

    monkeypatch.setattr(daemon_program.subprocess, "run", run)
    with pytest.raises(FlashdeckError, match="flashdeckd scan ended with 0"):
        builds_below(tmp_path)
