"""The command that an installation names where an extra is missing brings it, however it was installed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flashdeck.errors import ExitCode
from packages.environments import Counted, Installed, by_pip, by_pipx, by_uv_pip, by_uv_tool
from packages.every_command import hint, lacks_the_screen, on_terminal
from packages.workshop import Workshop

Install = Callable[[Workshop, Path], Installed]


def _by_name(workshop: Workshop, home: Path) -> Installed:
    return by_pip(workshop, home, "--find-links", workshop.wheel.parent.as_uri(), "flashdeck")


def _by_name_with_uv(workshop: Workshop, home: Path) -> Installed:
    return by_uv_tool(workshop, home, "--find-links", workshop.wheel.parent.as_uri(), "flashdeck")


def _with_suffix(workshop: Workshop, home: Path) -> Installed:
    installed = by_pipx(workshop, home, "--suffix=-new", str(workshop.wheel))
    (installed.bin / "flashdeck").symlink_to("flashdeck-new")
    return installed


WAYS: dict[str, Install] = {
    "pip, a wheel": lambda workshop, home: by_pip(workshop, home, str(workshop.wheel)),
    "pip, a clone that is edited": lambda workshop, home: by_pip(workshop, home, "-e", str(workshop.clone)),
    "pip, an sdist": lambda workshop, home: by_pip(workshop, home, str(workshop.sdist)),
    "pip, by name": _by_name,
    "pipx, a wheel": lambda workshop, home: by_pipx(workshop, home, str(workshop.wheel)),
    "pipx, a clone": lambda workshop, home: by_pipx(workshop, home, str(workshop.clone)),
    "pipx, a suffix": _with_suffix,
    "uv tool, a wheel": lambda workshop, home: by_uv_tool(workshop, home, str(workshop.wheel)),
    "uv tool, a clone": lambda workshop, home: by_uv_tool(workshop, home, str(workshop.clone)),
    "uv tool, by name": _by_name_with_uv,
    "uv pip, a wheel": lambda workshop, home: by_uv_pip(workshop, home, str(workshop.wheel)),
    "uv pip, a clone that is edited": lambda workshop, home: by_uv_pip(workshop, home, "-e", str(workshop.clone)),
}


@pytest.mark.parametrize("install", WAYS.values(), ids=WAYS)
def test_the_command_of_the_hint_brings_what_is_missing(
    install: Install, workshop: Workshop, home: Path, counted: Counted
) -> None:
    bring_the_daemon(counted(install(workshop, home)))


@pytest.mark.parametrize("way", ["pip, a wheel", "pipx, a wheel", "uv tool, a wheel"])
def test_a_second_extra_leaves_the_first(way: str, workshop: Workshop, home: Path, counted: Counted) -> None:
    installed = counted(WAYS[way](workshop, home))
    bring_the_daemon(installed)
    lacks_the_screen(installed)
    ran = installed.shell(hint(on_terminal(installed)))
    assert ran.code == 0, ran
    assert installed("doctor").code == 0
    assert "textual" not in on_terminal(installed, keys=b"q", after=b"flashdeckd")


def bring_the_daemon(installed: Installed) -> None:
    without = installed("doctor")
    assert without.code == ExitCode.UNREACHABLE
    ran = installed.shell(hint(without.err))
    assert ran.code == 0, ran
    assert installed("doctor").code == 0


def test_where_the_wheel_is_gone_its_libraries_are_named(workshop: Workshop, home: Path, counted: Counted) -> None:
    gone = home / workshop.wheel.name
    gone.write_bytes(workshop.wheel.read_bytes())
    installed = counted(by_pipx(workshop, home, str(gone)))
    gone.unlink()
    line = hint(installed("doctor").err)
    assert line.startswith("pipx inject flashdeck ")
    assert installed.shell(line).code == 0
    assert installed("doctor").code == 0


def test_for_one_run_uv_is_told_to_take_more(workshop: Workshop, home: Path, counted: Counted) -> None:
    installed = counted(Installed("uvx", home, home, workshop.variables(home), home))
    without = installed.runs(["uvx", "--from", str(workshop.wheel), "flashdeck", "doctor"])
    line = hint(without.err)
    assert line.startswith("uvx --from ")
    assert installed.shell(f"{line} doctor").code == 0
