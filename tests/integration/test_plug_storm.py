"""Cables pulled and buttons pressed at any moment, on many boards at once: none is stranded, all get what is newest."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from plug_storm import Storm
from soaking import SOAK, sized
from storm_tally import Deed, Size, Spell

pytestmark = pytest.mark.soak

SEEDS = range(sized(1, 1, 4))
SPELL = Spell({}, seconds=45) if SOAK else Spell({Deed.PLUG: sized(10, 20, 0)})
SIZE = Size(boards=24, clients=20, spells=(SPELL,)) if SOAK else Size(boards=3, clients=3, spells=(SPELL,))


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_board_is_stranded_by_a_plug_storm(root: Path, seed: int) -> None:
    await Storm(root, SIZE, f"plugs {seed}").pass_over()


@pytest.mark.parametrize("seed", SEEDS)
async def test_nor_where_the_daemon_is_stopped_and_killed_in_the_middle_of_it(root: Path, seed: int) -> None:
    spell = replace(SPELL, restarts=(signal.SIGTERM, signal.SIGKILL))
    size = replace(SIZE, spells=(spell,))
    await Storm(root, size, f"restarts {seed}").pass_over()
