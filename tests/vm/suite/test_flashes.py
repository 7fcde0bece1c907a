"""Builds become flashes over a real USB: through udev, usbfs and libusb, into what the emulators hold."""

from pathlib import Path

from flashdeck.job_state import Done, Verified
from flashdeck.model import Presence
from flashdeckd.virtual.spec import Model
from rig import firmware
from vm.desk import board, desk

ONE, TWO = firmware("1.0.0"), firmware("1.0.1")


async def test_boards_of_three_classes_are_flashed_and_again_by_way_of_their_applications(root: Path) -> None:
    specs = board("left", 1), board("noread", 2, Model.CLASSIC_NOREAD), board("usbx", 3, Model.USBX)
    names = [spec.name for spec in specs]
    async with desk(root, *specs) as it:
        around = {name: it.around(name) for name in names}
        await it.plug(*names)
        first = await it.flashed(ONE, *names)
        await it.until_present(Presence.APP, *names)
        second = await it.flashed(TWO, *names)  # each is told to detach, and comes back with another product id
        await it.until_present(Presence.APP, *names)
        assert {name: it.around(name) for name in names} == around
    for jobs in (first, second):
        assert {type(job.status) for job in jobs.values()} == {Done}
        assert {job.attempts for job in jobs.values()} == {1}
        results = {name: job.result for name, job in jobs.items()}
        read = {name: result.verified for name, result in results.items() if result is not None}
        assert read == {"left": Verified.YES, "noread": Verified.NO, "usbx": Verified.YES}
        assert {result.started for result in results.values() if result is not None} == {True}


async def test_eight_boards_are_flashed_at_once(root: Path) -> None:
    specs = [board(f"board{number}", number) for number in range(1, 9)]
    names = [spec.name for spec in specs]
    async with desk(root, *specs) as it:
        await it.plug(*names)
        jobs = await it.flashed(ONE, *names)
        assert {name: job.attempts for name, job in jobs.items()} == dict.fromkeys(names, 1)
        await it.until_present(Presence.APP, *names)
