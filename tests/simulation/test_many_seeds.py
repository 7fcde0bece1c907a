"""Many nights in one: seeds of the simulation, as `make sim` runs them, of which none breaks a rule."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulation.__main__ import HEADLINES
from soaking import sized
from storm_tally import SHOWN

SEEDS = sized(4, 200, 12_000)
"""Those of `make soak` are ten times what `make sim` runs."""
MINUTES = sized(1.0, 10.0, 60.0)
"""Minutes after which none is begun any more."""


@pytest.mark.soak
@pytest.mark.timeout(sized(300, 1200, 7200))
async def test_no_night_breaks_a_rule(record_property: Callable[[str, object], None]) -> None:
    command = ["-m", "simulation", "--seeds", str(SEEDS), "--minutes", str(MINUTES)]
    environment = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
    )
    said, _ = await process.communicate()
    told = said.decode()
    assert process.returncode == 0, told
    all_lines = told.splitlines()
    first = next(at for at, line in enumerate(all_lines) if " seeds in " in line)
    lines = all_lines[first : first + 1 + len(HEADLINES)]
    record_property(SHOWN, "\n".join(("simulation:", *lines)))
    for line, what in zip(lines[1:], HEADLINES, strict=True):
        count, name = line.split(maxsplit=1)
        assert name == what
        assert int(count) > 0, line
