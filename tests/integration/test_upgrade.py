"""What an older release left behind: after an upgrade nothing is flashed that was not built again."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from flashdeck import api
from flashdeck.model import Snapshot
from image_writers import hexed
from rig import Rig, firmware, running

LEFT_BEHIND = Path(__file__).resolve().parents[1] / "data" / "upgrade"
JOBS = 22
APP2 = 0x08080000
BOARDS = tuple(f"b{number}" for number in range(1, 9))


def restore(root: Path) -> None:
    for name in ("config.toml", "bench.toml", "boards.toml"):
        shutil.copy(LEFT_BEHIND / name, root / name)
    shutil.copytree(LEFT_BEHIND / "outputs", root / "build")
    (root / "state").mkdir(mode=0o700)
    shutil.copytree(LEFT_BEHIND / "spool", root / "state" / "spool")
    shutil.copy(LEFT_BEHIND / "journal.sqlite3", root / "state")
    with closing(sqlite3.connect(root / "state" / "journal.sqlite3")) as journal:
        journal.execute("UPDATE artifact SET state = replace(state, '@ROOT@', ?)", (str(root),))
        journal.commit()


def is_known_anew(snapshot: Snapshot) -> bool:
    return len(snapshot.artifacts) == 3 and not any(artifact.flattened for artifact in snapshot.artifacts)


async def test_builds_with_gaps_that_an_older_release_flashed_are_no_jobs(root: Path) -> None:
    restore(root)
    async with running(root) as rig:
        snapshot = await rig.until(is_known_anew)
        assert len(await rig.jobs()) == JOBS
        boards = {board.name: {p.name: p for p in board.partitions} for board in snapshot.boards}
        for name in BOARDS[:6]:
            assert all(boards[name][partition].current for partition in ("app1", "app2", "app3"))
        assert not boards["b7"]["app1"].current
        assert boards["b8"]["app1"].offered
        # What the builds are known by now is what their boards have, so that `wait` finds them there.
        for partition in ("app1", "app2", "app3"):
            await rig.wait(partition, boards=BOARDS[:6])
    async with running(root) as rig:
        await rig.until(is_known_anew)
        assert len(await rig.jobs()) == JOBS
        await built_again(rig)


async def built_again(rig: Rig) -> None:
    """A build that has changed is flashed as ever."""
    lines = (rig.root / "build" / "APP2.hex").read_text().splitlines()
    lines[-2], lines[-3] = lines[-3], lines[-2]
    rig.build("\n".join(lines).encode(), name="APP2.hex")  # other characters, the same bytes
    await rig.waited(api.Wait(partition="app2", boards=BOARDS[:6], timeout=60))
    assert len(await rig.jobs()) == JOBS
    changed = firmware("2.0.0", base=APP2)
    rig.build(hexed([(APP2, changed)]), name="APP2.hex")
    await rig.until(lambda s: len(s.jobs) == JOBS + 7)
