"""An extra is asked after by its libraries: our own packages are in every wheel."""

import re
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata, util
from importlib.machinery import ModuleSpec
from pathlib import Path

import click
import pytest

from cli_run import Cli
from flashdeck import extras
from flashdeck.errors import FlashdeckError
from flashdeck.extras import LIBRARIES, Extra, explained, missing, require
from flashdeck_tui.cli.root import COMMANDS, root

PROJECT = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())["project"]
STANDS_IN = {"libusb-package"}
"""Packages of an extra whose place something else can take."""

Without = Callable[[Extra], None]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Without:
    """Makes the libraries of an extra ones that are not installed; our packages stay, as in a wheel."""

    def hide(extra: Extra) -> None:
        there = util.find_spec

        def spec(name: str) -> ModuleSpec | None:
            return None if name in LIBRARIES[extra].values() else there(name)

        monkeypatch.setattr(extras.util, "find_spec", spec)

    return hide


@pytest.mark.parametrize("extra", Extra)
def test_the_libraries_of_an_extra_are_those_that_the_project_names(extra: Extra) -> None:
    named = {re.split(r"[\[<>=!~; ]", each, maxsplit=1)[0] for each in PROJECT["optional-dependencies"][extra]}
    assert named - STANDS_IN == set(LIBRARIES[extra])
    assert set(PROJECT["optional-dependencies"]) == set(Extra)


@pytest.mark.parametrize("extra", [extra for extra in Extra if extra is not Extra.LABGRID])  # elsewhere: tests/lab
def test_each_is_known_by_a_module_that_its_package_really_brings(extra: Extra) -> None:
    brought = metadata.packages_distributions()
    for package, module in LIBRARIES[extra].items():
        assert [name.lower().replace("_", "-") for name in brought[module]] == [package]
    assert missing(extra) == ()


def test_all_that_is_missing_is_named_at_once(without: Without) -> None:
    without(Extra.DAEMON)
    require(Extra.TUI, "the screen")
    with pytest.raises(FlashdeckError) as lacking:
        require(Extra.DAEMON, "the service", otherwise="'flashdeck status' works without")
    assert lacking.value.message == (
        "the service needs pyusb, pyudev, watchfiles, bincopy and tomli-w, which are not installed"
    )
    assert "[daemon,tui,web,console,metrics]" in lacking.value.hint
    assert lacking.value.hint.endswith("; 'flashdeck status' works without")


def test_one_that_is_loaded_from_nowhere_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual", None)
    with pytest.raises(FlashdeckError, match="the screen needs textual, which is not installed"):
        require(Extra.TUI, "the screen")


@pytest.mark.parametrize("name", ["rich.cells", "textual.app", None])
def test_a_library_that_does_not_fit_is_explained(name: str | None) -> None:
    with pytest.raises(FlashdeckError, match="the screen cannot load its libraries: no such thing") as found:  # noqa: SIM117
        with explained(Extra.TUI, "the screen"):
            raise ImportError("no such thing", name=name)
    assert "[daemon,tui,web,console,metrics]" in found.value.hint


@pytest.mark.parametrize("name", ["flashdeckd.service", "flashdeck_tui"])
def test_a_package_of_ours_that_is_broken_is_not_blamed_on_an_extra(name: str) -> None:
    with pytest.raises(ModuleNotFoundError), explained(Extra.TUI, "the screen"):
        raise ModuleNotFoundError("no such thing", name=name)


WORDS = {
    "install": ["--dry-run"],
    "uninstall": ["--dry-run"],
    "completion": ["bash"],
    "serve": ["--bind", "192.0.2.1"],
}
"""The words for commands that would do something without a daemon, or do nothing with any word."""


def words(name: str, command: click.Command, extra: Extra) -> list[str]:
    """Return arguments with which a command comes to say what it lacks, if it does."""
    if name == "demo":
        return ["--once"] if extra is Extra.DAEMON else ["--help"]  # without the screen it plays
    required = ["1" for each in command.params if isinstance(each, click.Argument) and each.required]
    return WORDS.get(name, required)


@pytest.mark.parametrize("extra", Extra)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_without_an_extra(
    name: str, extra: Extra, offline: Cli, without: Without, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(extra)
    for variable in ("HOME", "PATH"):
        monkeypatch.setenv(variable, str(Path.cwd()))
    with root.make_context("flashdeck", ["status"]) as context:
        command = root.get_command(context, name)
    assert command is not None
    run = offline(name, *words(name, command, extra))
    assert (run.code == 0) != run.err.startswith("error: "), run


def test_what_needs_the_daemon_s_libraries_names_them(offline: Cli, without: Without) -> None:
    without(Extra.DAEMON)
    for line, code in (("doctor", 3), ("demo --once", 1), ("install", 1)):
        run = offline(*line.split())
        assert run.code == code
        assert "needs pyusb, pyudev, watchfiles, bincopy and tomli-w, which are not installed" in run.err
        assert run.err.count("hint: ") == 1
