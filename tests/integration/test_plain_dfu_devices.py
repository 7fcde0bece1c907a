"""Plain DFU 1.1 devices with a real daemon: TinyUSB's partitions as alternate settings, and dapboot."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Cancelled, Done, Failed, Verified, Waiting
from flashdeck.model import JobState, Presence, Snapshot
from job_states import is_writing
from rig import APP1, PARTITION2, SLOW, Rig, firmware, running, sha256

CONFIG = """
[profiles.gadget]
dfu = "cafe:4000"
app = "cafe:4001"
enter = "detach"
enter_hint = "press the button"
[profiles.gadget.partitions.app1]
alt = "app1"
size = "384K"
image = "build/APP1.bin"
[profiles.gadget.partitions.data]
alt = "partition2"
size = "384K"
protected = true

[profiles.pill]
dfu = "1209:db42"
app = "1209:db43"
[profiles.pill.partitions.firmware]
alt = 0
size = "384K"
image = "build/PILL.bin"

[boards.gadget]
profile = "gadget"
serial = "GADGET000001"
[boards.pill]
profile = "pill"
port = "1-2"
"""
GADGET = """
[boards.gadget]
model = "tinyusb"
dfu = "cafe:4000"
app = "cafe:4001"
serial = "GADGET000001"
runtime = true
port = 1
timing = "{timing}"
word_time = {word_time}
attach_time = 0.01
attributes = {attributes}
"""
PILL = """
[boards.pill]
model = "dapboot"
dfu = "1209:db42"
app = "1209:db43"
serial = "PILL00000001"
port = 2
timing = "{timing}"
attach_time = 0.01
"""
NOT_TOLERANT, TOLERANT = 0x03, 0x07
ONE, TWO = (firmware(version, size=60_000, stack=0x20005000) for version in ("1.0.0", "1.0.1"))

SMALL = firmware("1.0.0", size=5000, stack=0x20005000)
"""dapboot claims 100 ms for each block."""


@pytest.fixture
async def rig(root: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    timing, attributes = getattr(request, "param", ("none", NOT_TOLERANT))
    (root / "config.toml").write_text(CONFIG)
    keys = {"timing": timing, "word_time": SLOW["word_time"], "attributes": attributes}
    (root / "bench.toml").write_text((GADGET + PILL).format(**keys))
    async with running(root) as rig:
        yield rig


slow = pytest.mark.parametrize("rig", [("real", NOT_TOLERANT)], indirect=True)
tolerant = pytest.mark.parametrize("rig", [("none", TOLERANT)], indirect=True)


def writing(snapshot: Snapshot) -> bool:
    return any(is_writing(job) for job in snapshot.jobs)


async def by_hand(rig: Rig, partition: str, data: bytes) -> JobState:
    upload = await rig.client.upload("image.bin", data)
    (job,) = (await rig.client.call(api.Flash(partition=partition, sha256=upload.sha256))).jobs
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    return job


async def test_every_build_goes_into_its_alternate_setting(rig: Rig) -> None:
    await rig.until(lambda s: all(board.presence is Presence.DFU for board in s.boards))
    before = await rig.flash_of("gadget")
    for data in (ONE, TWO):  # the second time out of the application, by DETACH
        rig.build(data)
        (job,) = await rig.wait(data=data)
        assert isinstance(job.status, Done)
        assert job.result is not None
        assert (job.result.blocks, job.result.erases, job.result.started) == (59, 0, True)
        assert job.result.verified is Verified.NO
        assert job.result.protection.startswith("not protectable")
        after = await rig.flash_of("gadget")
        start = APP1 - 0x08000000
        assert after[start:][: len(data)] == data
        assert after[:start] == before[:start]
        assert after[PARTITION2 - 0x08000000 :] == before[PARTITION2 - 0x08000000 :]
    assert (await rig.emulated("gadget")).violations == ()
    downloads = (await rig.emulated("gadget")).downloads
    await rig.press("gadget")
    snapshot = await rig.until(lambda s: s.boards[0].presence is Presence.DFU)
    assert len(snapshot.jobs) == 2, "what is on it is not flashed again"
    assert (await rig.emulated("gadget")).downloads == downloads


async def test_dapboot_is_flashed_by_hand_and_seen_to_start(rig: Rig) -> None:
    job = await by_hand(rig, "firmware", SMALL)
    assert isinstance(job.status, Done)
    assert job.result is not None
    assert job.result.started
    assert await rig.partition_of("pill", len(SMALL)) == SMALL
    assert (await rig.emulated("pill")).violations == ()


async def test_an_image_that_dapboot_does_not_take_is_a_failure_with_its_reason(rig: Rig) -> None:
    job = await by_hand(rig, "firmware", firmware("0.9", size=5000, stack=0x20030000))
    assert isinstance(job.status, Failed)
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.DFU_STATUS
    assert "errFIRMWARE" in job.failure.message
    assert "is incomplete" in job.text
    assert job.attempts == 3, "a device that refused something may have been disturbed"


@tolerant
async def test_a_tolerant_device_is_read_back_and_what_was_proved_is_remembered(rig: Rig) -> None:
    for data, uploads in ((ONE, 60), (TWO, 59)):
        await rig.press("gadget")
        job = await by_hand(rig, "app1", data)
        assert isinstance(job.status, Done)
        assert job.result is not None
        assert (job.result.verified, job.result.uploads) == (Verified.YES, uploads)
        assert job.result.started is None, "it stays in its bootloader: this device does not know a leave"


async def test_the_plan_and_the_snapshot_name_the_alternate_setting(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    boards = {board.name: board for board in (await rig.client.call(api.GetStatus())).boards}
    assert [(p.name, p.alternate, p.protected) for p in boards["gadget"].partitions] == [
        ("app1", "app1", False),
        ("data", "partition2", True),
    ]
    assert [p.alternate for p in boards["pill"].partitions] == ["0"]
    downloads = (await rig.emulated("gadget")).downloads
    for _ in range(2):  # in its application, and asked in DFU mode
        (plan,) = (await rig.client.call(api.Plan(partition="app1"))).plans
        assert not plan.blocked
        assert [step.action for step in plan.steps] == [*["download"] * 59, "manifest", "leave"]
        assert (plan.blocks, plan.erases) == (59, 0)
        assert plan.protection.startswith("not protectable")
        assert "alternate setting app1" in " ".join(plan.notes)
        await rig.press("gadget")
        await rig.until(lambda s: s.boards[0].presence is Presence.DFU)
    assert (await rig.emulated("gadget")).downloads == downloads


async def test_a_protected_alternate_setting_is_no_target(rig: Rig) -> None:
    upload = await rig.client.upload("image.bin", ONE)
    with pytest.raises(FlashdeckError) as caught:
        await rig.client.call(api.Flash(partition="data", sha256=upload.sha256))
    assert caught.value.kind is ErrorKind.PROTECTED
    assert (await rig.emulated("gadget")).downloads == 0


@pytest.mark.parametrize("fault", [30, 100])
async def test_a_board_pulled_out_in_the_middle_begins_again_when_it_is_back(rig: Rig, fault: int) -> None:
    await rig.client.call(api.VirtualFault(board="gadget", fault="unplug", after=fault))
    rig.build(ONE)
    snapshot = await rig.until(lambda s: any(isinstance(job.status, Waiting) for job in s.jobs))
    contents = snapshot.boards[0].partitions[0].contents
    assert contents is not None
    assert not contents.complete
    sent = (await rig.emulated("gadget")).downloads
    await rig.plug("gadget")  # a press of its button as well could fall into the second attempt
    (job,) = await rig.wait(data=ONE)
    assert (type(job.status), job.attempts) == (Done, 2)
    assert (await rig.emulated("gadget")).downloads - sent == 60, "all blocks and the end: from the first one"
    assert await rig.partition_of("gadget", len(ONE)) == ONE


@slow
async def test_a_download_is_cancelled_between_two_blocks(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(writing)
    job = await rig.client.call(api.Cancel(job=1))
    assert isinstance(job.status, Cancelled)
    assert "is incomplete" in job.text
    again = await rig.client.call(api.Retry(job=1))
    (done,) = (await rig.client.call(api.WaitJobs(ids=(again.id,), timeout=60))).jobs
    assert isinstance(done.status, Done)
    assert await rig.partition_of("gadget", len(ONE)) == ONE
    assert (await rig.emulated("gadget")).violations == ()


async def test_a_stranger_is_adopted_with_the_names_of_its_alternate_settings(rig: Rig) -> None:
    await rig.stop()
    config = rig.root / "config.toml"
    config.write_text(CONFIG.replace('[boards.gadget]\nprofile = "gadget"\nserial = "GADGET000001"\n', ""))
    await rig.restart()
    snapshot = await rig.until(lambda s: bool(s.devices))
    assert [device.usb_id for device in snapshot.devices] == ["cafe:4000"]
    state = await rig.client.call(api.Adopt(device="1-1", name="mine"))
    assert state.adopted
    assert "app1 partition2" in (rig.root / "boards.toml").read_text()
    job = await by_hand(rig, "app1", ONE)
    assert isinstance(job.status, Done)
    assert sha256(await rig.partition_of("gadget", len(ONE))) == job.sha256
