"""Each block gets its address where nobody has seen what its number is multiplied with, until a job has seen it."""

from dataclasses import replace

import pytest

from flash_rig import APP1, BASE, BOOTLOADER, FLASH_SIZE, SECTOR, TARGET, Rig, Watcher, blank, image
from flashdeck.config import BankPolicy, VerifyPolicy
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeckd.dfu.pace import Pace
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.flash_plan import StepKind
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import Model
from flashdeckd.virtual.usbx import UsbxBootloader

FRESH = blank(Range(BOOTLOADER.end, BASE + FLASH_SIZE))
STAY = replace(TARGET, leave=False, banks=BankPolicy.TRUSTED)
SIZE = 16 * SECTOR
STRICT = (Model.STRICT, Model.STRICT_ERASE, Model.STRICT_WRITE)
NOT_WITHIN_GETSTATUS = (*STRICT, Model.ROM, Model.ROM_STALLS, Model.USBX)


def blank_at_first(size: int) -> bytes:
    """An image whose first sector has only a vector table."""
    return image(512) + b"\xff" * (SECTOR - 512) + image(size, seed=4)[SECTOR:]


def downloads(rig: Rig, data: bytes) -> int:
    """What a flash costs in DNLOADs; it must end well."""
    before = rig.board.state().downloads
    assert rig.flash(data, STAY).verified is Verified.YES
    assert rig.memory(Range.sized(APP1.start, len(data))) == data
    assert not rig.outside_changed(STAY.span)
    return rig.board.state().downloads - before


@pytest.mark.parametrize("transfer_size", [1024, 2048])
@pytest.mark.parametrize("data", [image(SIZE), blank_at_first(SIZE)], ids=["telling at once", "telling later"])
@pytest.mark.parametrize("model", NOT_WITHIN_GETSTATUS)
def test_a_fresh_board_is_addressed_block_by_block_only_until_two_blocks_have_shown_the_way(
    model: Model, data: bytes, transfer_size: int
) -> None:
    rig = Rig(model, old=FRESH, transfer_size=transfer_size)
    blocks = sum(data[at : at + transfer_size].count(0xFF) < transfer_size for at in range(0, len(data), transfer_size))
    around = 12  # addresses, an erase that an early question has spoilt, the boot unit
    assert downloads(rig, data) <= blocks + len(data) // SECTOR + around
    assert rig.history.reading_proved, "remembered, because block numbers are known to be right"
    if model in STRICT:
        assert rig.history.pace is Pace.CLAIMED
        assert len(rig.board.state().violations) == 1


def test_a_device_of_sts_class_is_not_asked_before_the_end() -> None:
    """Its pace says what it is: the look costs less once all was read back."""
    rig, watcher = Rig(Model.CLASSIC, old=FRESH), Watcher()
    result = rig.flash(image(SIZE), STAY, watcher)
    assert watcher.plan is not None
    assert watcher.plan.requests == result.transfers
    kinds = [step.action for step in watcher.plan.steps]
    assert kinds.index(StepKind.MEASURE_BLOCKS) < kinds.index(StepKind.READ_BACK) < kinds.index(StepKind.CHECK_BLOCKS)


def test_a_plan_for_a_board_that_is_known_to_object_counts_what_it_costs() -> None:
    rig, watcher = Rig(Model.CLASSIC, old=FRESH), Watcher()
    rig.history = BootloaderHistory(pace=Pace.CLAIMED)
    result = rig.flash(image(SIZE), STAY, watcher)
    assert watcher.plan is not None
    assert watcher.plan.requests == result.transfers


@pytest.mark.parametrize("multiplier", [512, 2048, 4096])
def test_a_multiplier_of_its_own_is_seen_before_anything_is_written_by_it(
    monkeypatch: pytest.MonkeyPatch, multiplier: int
) -> None:
    def address(self: UsbxBootloader, block: int) -> int:
        return self.pointer + (block - 2) * multiplier

    monkeypatch.setattr(UsbxBootloader, "_address", address)
    rig = Rig(Model.USBX, old=FRESH)
    data = image(SIZE)
    assert downloads(rig, data) >= 2 * (SIZE // 1024), "each block has its own address"
    assert not rig.history.reading_proved


@pytest.mark.parametrize("times", [1, 2])
def test_a_read_that_fails_there_is_asked_once_more(times: int) -> None:
    for after in range(60, 100):
        rig = Rig(Model.STRICT, old=FRESH)
        rig.board.fault(Fault.STALL, after, times=times)
        data = image(4 * SECTOR)
        rig.attempt(data, STAY)
        assert rig.memory(Range.sized(APP1.start, len(data))) == data
        assert not rig.outside_changed(STAY.span)


@pytest.mark.parametrize(("attributes", "verify"), [(0x09, VerifyPolicy.AUTO), (0x0B, VerifyPolicy.NEVER)])
def test_what_is_never_read_is_never_counted(attributes: int, verify: VerifyPolicy) -> None:
    rig, data = Rig(Model.STRICT, attributes=attributes), image(SIZE)
    before = rig.board.state().downloads
    rig.flash(data, replace(STAY, verify=verify))
    assert rig.board.state().downloads - before >= 2 * (SIZE // 1024)
    assert rig.memory(Range.sized(APP1.start, len(data))) == data
