"""Boards that answer anything, beside a good one, on one real daemon: it lives, and the good one is flashed."""

from pathlib import Path

import pytest

import hostile_daemon
from flashdeck import api
from flashdeck.job_state import Done, Queued, Running
from rig import board, firmware, prepare, running
from soaking import sized

pytestmark = pytest.mark.soak

CROWDS = sized(1, 2, 40)
CROWD = 6
"""Hostile boards on one bench."""
DAEMON = (hostile_daemon.__file__,)
BUILDS = 3


@pytest.mark.parametrize("crowd", range(CROWDS))
async def test_the_daemon_and_its_other_boards_outlive_hostile_ones(root: Path, crowd: int) -> None:
    names = [f"hostile-{crowd}-{number}" for number in range(CROWD)]
    ports = {name: number for number, name in enumerate(names, 2)}
    tables = ['[boards.good]\nprofile = "product"\nport = "1-1"\n']
    tables += [f'[boards.{name}]\nprofile = "product"\nport = "1-{ports[name]}"\n' for name in names]
    models = ("classic", "usbx", "classic-noread", "strict", "usbx-default-async", "rom")
    bench = board("good", 1, serial="GOOD00000001") + "".join(
        board(name, ports[name], serial=name, model=model, start="dfu")
        for name, model in zip(names, models, strict=True)
    )
    prepare(root, boards="".join(tables), bench=bench)
    async with running(root, daemon=DAEMON) as rig:
        images = [firmware(f"{crowd}.{build}") for build in range(BUILDS)]
        for image in images:
            rig.build(image)
            (job,) = await rig.wait(data=image, boards=("good",))
            assert isinstance(job.status, Done)
            assert await rig.partition_of("good", len(image)) == image
            await rig.press("good")
        status = await rig.client.call(api.GetStatus())
        assert {each.name for each in status.boards} == {"good", *names}
        tried = [job for job in await rig.jobs() if job.board in names and job.attempts]
        assert tried, "hostile boards are worked on, too"
        for job in tried:
            assert isinstance(job.status, Done) or job.text or isinstance(job.status, Running | Queued)
            assert job.failure is None or "fault in flashdeckd" not in job.failure.message, job.failure
            assert job.text.isprintable()
        emulated = (await rig.client.call(api.VirtualList())).boards
        assert sum(each.requests for each in emulated if each.name in names) > CROWD
    log = (root / "log").read_text()
    assert "Traceback" not in log
    assert "\x1b" not in log
