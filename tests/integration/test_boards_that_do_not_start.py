"""Boards whose application has no USB: all there is to see of a start is a bootloader that is not back."""

from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.job_state import Done
from flashdeck.model import Presence, Snapshot
from rig import board, firmware, prepare, running

IMAGE = firmware("1.0.0", size=20_000)
AT_PORT_1 = '[boards.left]\nprofile = "product"\nport = "1-1"\n'


def started(snapshot: Snapshot) -> bool | None:
    (app1,) = [each for each in snapshot.boards[0].partitions if each.name == "app1"]
    return app1.contents.started if app1.contents else None


def without_usb(root: Path) -> None:
    """Takes the application's USB id out of the profile."""
    config = root / "config.toml"
    kept = [line for line in config.read_text().splitlines() if not line.startswith(("app =", "enter ="))]
    config.write_text("\n".join(kept))


@pytest.mark.parametrize(("attach_time", "told"), [(0.0, "came back in DFU mode"), (1.5, "right after the leave")])
async def test_a_bootloader_that_is_back_right_after_the_leave_did_not_start_the_image(
    root: Path, attach_time: float, told: str
) -> None:
    bench = board("left", 1, model="classic-template", start="dfu", timing="real", attach_time=attach_time)
    prepare(root, boards=AT_PORT_1, bench=bench)
    without_usb(root)
    async with running(root) as rig:
        await rig.until(lambda now: now.boards[0].presence is Presence.DFU)
        upload = await rig.client.upload("image.bin", IMAGE)
        await rig.client.call(api.Flash(partition="app1", sha256=upload.sha256))
        await rig.until(lambda now: started(now) is False and now.jobs[0].is_settled)
        await rig.until_logged(told)


async def test_a_board_that_is_gone_after_the_leave_is_left_alone(root: Path) -> None:
    prepare(root, boards=AT_PORT_1, bench=board("left", 1, model="classic", start="dfu"))
    without_usb(root)
    async with running(root) as rig:
        await rig.until(lambda now: now.boards[0].presence is Presence.DFU)
        upload = await rig.client.upload("image.bin", IMAGE)
        await rig.client.call(api.Flash(partition="app1", sha256=upload.sha256))
        now = await rig.until(lambda now: any(job.is_settled for job in now.jobs))
        assert isinstance(now.jobs[0].status, Done)
        assert started(now) is None
