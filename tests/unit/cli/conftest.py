"""A canned daemon, and the command line run in this process against it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from canned_daemon import CannedDaemon, canned_daemon
from cli_run import Cli, Run
from flashdeck_tui.cli import main


@pytest.fixture
def daemon() -> Iterator[CannedDaemon]:
    with canned_daemon() as running:
        yield running


@pytest.fixture
def runtime_dir() -> Iterator[str]:
    """Short enough for a socket's path, which pytest's own directories are not."""
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        yield directory


@pytest.fixture
def offline(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runtime_dir: str
) -> Cli:
    """Runs the command line where no daemon is."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime_dir)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("FLASHDECK_SOCKET", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Run:
        code = main(words)
        out, err = capsys.readouterr()
        return Run(code, out, err)

    return run


@pytest.fixture
def cli(daemon: CannedDaemon, offline: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs the command line against the canned daemon."""
    monkeypatch.setenv("FLASHDECK_SOCKET", str(daemon.socket))
    return offline
