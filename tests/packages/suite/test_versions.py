"""Each Python with the newest versions that are allowed; the oldest and the newest Python with the oldest versions."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from flashdeck.extras import Extra
from packages.distribution import ROOT
from packages.environments import Counted, Installed, by_uv_pip, requirement
from packages.every_command import every_command_answers, the_loop_works
from packages.pythons import pythons
from packages.workshop import Workshop

PYTHONS = pythons()
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
"""With the newest versions it is the one that every program installs for."""
CASES = [
    *((version, "highest") for version in PYTHONS if version != OURS),
    *((version, "lowest-direct") for version in dict.fromkeys((next(iter(PYTHONS)), [*PYTHONS][-1]))),
]
_RANGE = re.compile(r"([\w-]+)>=([\d.]+),<[\d.]+")
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS: list[str] = [
    *_PROJECT["dependencies"],
    *(each for extra in Extra for each in _PROJECT["optional-dependencies"][extra]),
]
LOWEST = {found[1]: found[2] for each in REQUIREMENTS if (found := _RANGE.fullmatch(each))}
"""The oldest allowed version of each library."""
ALL = tuple(Extra)


@pytest.mark.parametrize(("version", "resolution"), CASES, ids=map(" ".join, CASES))
def test_what_is_allowed_works(version: str, resolution: str, workshop: Workshop, home: Path, counted: Counted) -> None:
    # All are named, because only of what is named uv takes the oldest; theirs are whatever goes with them.
    words = ("--resolution", resolution, requirement(workshop.wheel, ALL), *REQUIREMENTS)
    installed = counted(by_uv_pip(workshop, home, *words, python=PYTHONS[version]))
    if resolution != "highest":
        for name, found in versions(installed).items():
            assert f"{found}.".startswith(f"{LOWEST[name]}."), f"{name}: the oldest that is allowed is {found}"
    every_command_answers(installed, ALL)
    the_loop_works(installed, ALL)


def versions(installed: Installed) -> dict[str, str]:
    tell = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    said = installed.runs([str(installed.python), "-c", tell, *LOWEST])
    return dict(zip(LOWEST, said.out.split(), strict=True))
