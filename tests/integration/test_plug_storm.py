"""Cables pulled and buttons pressed at any moment, on many boards at once: none is stranded, all get what is newest."""

import signal
from pathlib import Path

import pytest

from plug_storm import Size, Storm
from soaking import SOAK

pytestmark = pytest.mark.soak

SEEDS = range(4) if SOAK else range(1)
WHOLE = Size(boards=24, clients=20, plugs=0, seconds=45)
SMALL = Size(boards=4, clients=4, plugs=40)
RESTARTS = (signal.SIGTERM, signal.SIGKILL)


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_board_is_stranded_by_a_plug_storm(root: Path, seed: int) -> None:
    await Storm(root, WHOLE if SOAK else SMALL, f"plugs {seed}").pass_over()
