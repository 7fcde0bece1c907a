"""Each Python with the newest versions that are allowed; the oldest and the newest Python with the oldest versions."""

import sys
from pathlib import Path

import pytest

from flashdeck.extras import Extra
from packages.environments import Counted, by_uv_pip, requirement
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
BOTH = (Extra.DAEMON, Extra.TUI)


@pytest.mark.parametrize(("version", "resolution"), CASES, ids="-".join)
def test_what_is_allowed_works(version: str, resolution: str, workshop: Workshop, home: Path, counted: Counted) -> None:
    words = ("--resolution", resolution, requirement(workshop.wheel, BOTH))
    installed = counted(by_uv_pip(workshop, home, *words, python=PYTHONS[version]))
    every_command_answers(installed, BOTH)
    the_loop_works(installed, BOTH)
