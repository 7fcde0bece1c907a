"""A long run of the daemon: builds, cables, faults, crowds, full disks, kills, reloads; and all is well in the end."""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from plug_storm import KINDS, Storm
from soaking import SOAK
from storm_tally import SHOWN, Deed, Size, Spell

pytestmark = [pytest.mark.soak, pytest.mark.long]

SEEDS = (0,)
TIMES = 5 if SOAK else 1
KILLS = (signal.SIGKILL,) * 5 * TIMES + (signal.SIGTERM,) + (signal.SIGKILL,) * 5 * TIMES
KILLED = Spell(
    {
        Deed.BUILD: 200 * TIMES,
        Deed.PLUG: 60 * TIMES,
        Deed.FAULT: 24 * TIMES,
        Deed.FULL_DISK: 2 * TIMES,
        Deed.LOCKED_JOURNAL: 1 * TIMES,
        Deed.RELOAD: 2 * TIMES,
    },
    restarts=KILLS,
    build_pause=(0.0, 0.1),
    plug_pause=0.6,
)
"""The spell in which the daemon is killed again and again."""
ALIVE = Spell(
    {
        Deed.BUILD: 55 * TIMES,
        Deed.PLUG: 25 * TIMES,
        Deed.FAULT: 10 * TIMES,
        Deed.FULL_DISK: 1 * TIMES,
        Deed.LOCKED_JOURNAL: 1 * TIMES,
        Deed.RELOAD: 1 * TIMES,
    },
    build_pause=(0.0, 0.1),
    plug_pause=0.6,
)
"""The spell that the daemon lives through, twice: it takes no more after the second time."""
SIZE = Size(
    boards=16 if SOAK else 6,
    clients=24 if SOAK else 4,
    spells=(KILLED, ALIVE, ALIVE),
    images=(4_000, 24_000) if SOAK else (2_000, 9_000),
)
LEAST = {Deed.BUILD: 300, Deed.PLUG: 100, Deed.FAULT: 40, Deed.KILL: 10, Deed.FULL_DISK: 3, Deed.RELOAD: 3}
"""The deeds of the shortest run."""


@pytest.mark.timeout(7200 if SOAK else 1800)
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_long_run_leaves_all_boards_at_home_and_the_daemon_no_larger(
    root: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    storm = Storm(root, SIZE, f"long {seed}", [replace(kind, timing="none") for kind in KINDS])
    try:
        await storm.pass_over()
    finally:
        record_property(SHOWN, storm.tally.text(storm.seed))
    for deed, least in LEAST.items():
        assert storm.tally.deeds[deed] >= least * TIMES, deed
