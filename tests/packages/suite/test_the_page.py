"""Every command of docs/install.md, in its order, for each program that it names."""

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from packages.distribution import ROOT
from packages.environments import Counted, Installed, by_pip
from packages.workshop import Workshop

PAGE = (ROOT / "docs" / "install.md").read_text()
COMMANDS = re.findall(r"(?m)^(?:\| [^|]+ \| `(.+?)` \|(?: `(.+?)` \|)?|(pipx .+))$", PAGE)


def commands(program: str) -> list[str]:
    """Return the commands of the page that begin with a program's name, each once."""
    found = (line for cells in COMMANDS for line in cells if line.startswith(f"{program} "))
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("program", ["pipx", "uv", "pip"])
def test_what_the_page_says_is_so(program: str, workshop: Workshop, home: Path, counted: Counted) -> None:
    in_clone, from_wheel, upgrade, uninstall = commands(program)
    uninstall = uninstall.replace("pip uninstall", "pip uninstall --yes")
    environment = counted(by_pip(workshop, home, "pip"))
    clone = home / "clone"
    shutil.copytree(workshop.clone, clone)
    shutil.copy(workshop.wheel, clone)
    variables = dict(environment.variables)
    if program == "pip":
        variables["PATH"] = f"{environment.bin}:{variables['PATH']}"
    user = counted(Installed(program, clone, clone, variables, environment.python))
    for line in (in_clone, upgrade, uninstall, from_wheel):
        ran = user.shell(line)
        assert ran.code == 0, ran
        there = user.shell("flashdeck --version && flashdeckd --version").code == 0
        assert there == (line is not uninstall)


def test_the_wheel_of_the_page_is_the_one_that_is_tried(workshop: Workshop, home: Path, counted: Counted) -> None:
    assert f"./{workshop.wheel.name}[" in PAGE
    installed = counted(by_pip(workshop, home, "pip"))
    clone = home / "clone"
    shutil.copytree(workshop.clone, clone)
    assert "`pip wheel --no-deps .`" in PAGE
    in_clone = Installed("pip", clone, installed.bin, installed.variables, installed.python)
    ran = in_clone.runs([str(installed.python), "-m", "pip", "wheel", "--no-deps", "."])
    assert ran.code == 0, ran
    # pip takes the newest backend that is allowed, which signs with its own version.
    assert contents(clone / workshop.wheel.name) == contents(workshop.wheel)


def contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as opened:
        return {each.filename: each.CRC for each in opened.infolist() if ".dist-info/" not in each.filename}
