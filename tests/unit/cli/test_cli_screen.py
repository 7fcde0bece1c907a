"""`flashdeck` alone opens the terminal interface, where that is installed."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from canned_daemon import CannedDaemon
from cli_run import Cli
from flashdeck.whereabouts import Whereabouts
from flashdeck_tui import terminal


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that can show the screen, and whose end does not end this process."""

    def fine(*, instead: str) -> None:
        assert instead == "flashdeck status"

    monkeypatch.setattr(terminal, "refusal", fine)
    monkeypatch.setattr(terminal, "end_with_it", lambda: None)


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Makes `package` one that is not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package or name == "flashdeck_tui.app"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.usefixtures("on_terminal")
def test_the_screen_gets_the_socket_and_gives_the_exit_code(
    daemon: CannedDaemon, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    class App(ModuleType):
        @staticmethod
        def run(whereabouts: Callable[[], Whereabouts]) -> int:
            opened.append(whereabouts().places[0])
            return 7

    monkeypatch.setitem(sys.modules, "flashdeck_tui.app", App("flashdeck_tui.app"))
    assert cli() == (7, "", "")
    assert cli("--socket", "/tmp/other").code == 7
    assert opened == [daemon.socket, Path("/tmp/other")]


@pytest.mark.usefixtures("on_terminal")
def test_without_its_extra_it_names_the_command_that_adds_it(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "textual")
    run = offline()
    assert (run.code, run.out) == (1, "")
    assert "the screen needs textual, which is not installed" in run.err
    assert "[daemon,tui,console,metrics]" in run.err
    assert "the commands work without it" in run.err


def test_the_commands_work_without_it(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "textual")
    run = offline("--help")
    assert run.code == 0
    assert "Usage: flashdeck" in run.out
    assert offline("status").code == 3
