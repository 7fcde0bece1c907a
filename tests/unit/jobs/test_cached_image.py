"""When a partition is trusted to hold what was last flashed there (`trust_cache`)."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct

import lane_rig
from flash_rig import APP1, BASE, ROOM, ROOM_TWIN, Rig, blank, image
from flashdeck.config import BankPolicy, Board, Profile
from flashdeck.errors import DeviceGoneError
from flashdeck.job_state import Done, Verified
from flashdeck.model import Contents, LogLevel, Presence
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.images.image import NOTHING, Image
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Artifact, Spool
from flashdeckd.jobs import after_error
from flashdeckd.jobs.cached_image import cached_image, why_never_cached
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import Sighting
from flashdeckd.virtual.spec import Model
from lane_rig import PROFILE, running_lane

IMAGE = Image.raw(image(20_000))
TRUSTING = replace(PROFILE, trust_cache=True)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def device(serial: str) -> UsbDevice:
    return replace(Rig().device, serial=serial)


def flashed(artifact: Artifact, into: UsbDevice) -> Contents:
    return Contents(
        sha256=artifact.sha256,
        size=artifact.size,
        flashed_at=0,
        verified=Verified.NO,
        job=1,
        serial=into.serial,
        bcd_device=into.bcd_device,
    )


async def cached(profile: Profile, contents: Contents, seen: UsbDevice, spool: Spool) -> Image | None:
    board = Board("left", profile, serial="A1")
    target = target_of(board, profile.partitions["app1"])
    return await cached_image(contents, seen, board, target, Shelf(spool))


async def test_the_board_that_was_flashed_is_trusted(spool: Spool) -> None:
    contents = flashed(spool.add(IMAGE), device("A1"))
    assert await cached(TRUSTING, contents, device("A1"), spool) == IMAGE
    assert await cached(PROFILE, contents, device("A1"), spool) is None
    assert await cached(TRUSTING, contents, device("B2"), spool) is None


async def test_without_a_serial_two_boards_at_one_port_are_not_told_apart(spool: Spool) -> None:
    contents = flashed(spool.add(IMAGE), device(""))
    assert await cached(TRUSTING, contents, device(""), spool) is None


async def test_an_old_image_that_the_disk_does_not_give_back_is_no_reason_to_fail_a_new_one(
    spool: Spool, tmp_path: Path
) -> None:
    contents = flashed(spool.add(IMAGE), device("A1"))
    image_file = tmp_path / "spool" / contents.sha256
    image_file.unlink()
    image_file.mkdir()
    assert await cached(TRUSTING, contents, device("A1"), spool) == NOTHING


def test_it_is_said_where_trust_is_wanted_and_can_not_be_had() -> None:
    assert "no serial" in why_never_cached(TRUSTING, device(""))
    assert why_never_cached(TRUSTING, device("A1")) == ""
    assert why_never_cached(PROFILE, device("")) == ""


async def test_a_job_says_where_its_board_can_not_be_trusted(tmp_path: Path) -> None:
    async with running_lane(tmp_path, TRUSTING) as scene:
        await scene.until(await scene.order(), Done)
        assert not scene.logged(LogLevel.WARNING)
        scene.lane.see(Sighting(Presence.DFU, replace(scene.emulated.device, serial="")))
        await scene.until(await scene.order(), Done)
        assert any("no serial" in text for text in scene.logged(LogLevel.WARNING))


async def test_a_canary_that_a_lost_board_still_holds_is_not_taken_for_blank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (image(20_000, seed=seed).ljust(APP1.size, b"\xff") for seed in (1, 2))
    flash = bytearray(blank(ROOM_TWIN))
    flash[APP1.start - BASE : APP1.end - BASE] = first

    def emulated(model: Model) -> Rig:
        return Rig(model, old=bytes(flash))

    monkeypatch.setattr(lane_rig, "Emulated", emulated)
    read, lost = DfuseSession.read, [True]

    def once_lost(self: DfuseSession, address: int, length: int) -> bytes:
        if scene.emulated.memory(ROOM).strip(b"\xff") and lost:
            lost.clear()
            raise DeviceGoneError("cable pulled")
        return read(self, address, length)

    monkeypatch.setattr(DfuseSession, "read", once_lost)
    monkeypatch.setattr(after_error, "LOST_SECONDS", 0.01)
    async with running_lane(tmp_path, replace(TRUSTING, banks=BankPolicy.CHECK)) as scene:
        contents = flashed(Spool(tmp_path / "spool").add(Image.raw(first)), replace(scene.emulated.device, serial="A1"))
        await scene.book.record("left", "app1", replace_struct(contents, job=0))
        await scene.until(await scene.order(data=second), Done)
        assert not lost
        assert scene.emulated.memory(APP1) == second
