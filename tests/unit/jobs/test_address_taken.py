"""A board that left, and another device has its bus address before hotplug tells of it."""

from dataclasses import replace

from flashdeck.job_state import Done, Failed, Waiting
from flashdeck.model import Presence
from flashdeckd.usb.recognition import Sighting
from lane_rig import Scene


async def test_a_job_waits_for_its_board_where_another_device_has_its_address(scene: Scene) -> None:
    left = replace(scene.emulated.device, serial="A1", bcd_device=0x0199)
    scene.lane.see(Sighting(Presence.DFU, left))
    job = await scene.until(await scene.order(), Waiting, Failed)
    assert isinstance(job.status, Waiting), job.text
    assert job.status.hint == "plug the board in again, or bring it into DFU mode"
    assert scene.emulated.board.state().transfers == 0
    scene.see()
    job = await scene.until(job, Done, Failed)
    assert (type(job.status), job.attempts) == (Done, 2)
