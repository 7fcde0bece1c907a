"""Faults of the flash that say OK: where they strike, how often, and that nothing else is touched."""

import pytest

from flash_rig import APP1, BASE, OLD, Rig, image, small
from flashdeck.errors import StallError
from flashdeck.geometry import Range
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.recovery import to_idle
from flashdeckd.dfu.wire import DfuState, erase_page, set_address
from flashdeckd.usb.transport import Transport
from flashdeckd.virtual.control import Attribute
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import Model

SECTOR = 8192
BOOT_UNIT = 16
DATA = image(3 * SECTOR)


def command(pipe: Transport, data: bytes, block: int = 0) -> None:
    """One DNLOAD, obeyed until the device says dfuDNLOAD-IDLE."""
    class_requests.download(pipe, block, data)
    while (report := class_requests.get_status(pipe)).state != DfuState.DNLOAD_IDLE:
        assert report.state in {DfuState.DNLOAD_SYNC, DfuState.DNBUSY}


def flashed(rig: Rig, sectors: int = 3) -> bytes:
    """What a host has that erases and writes some sectors of the application, 1 KiB at a time, and never reads."""
    with rig.open() as pipe:
        to_idle(pipe, rig.nap)
        for at in range(APP1.start, APP1.start + sectors * SECTOR, SECTOR):
            command(pipe, erase_page(at))
        command(pipe, set_address(APP1.start))
        for at in range(0, sectors * SECTOR, 1024):
            command(pipe, DATA[at : at + 1024], 2 + at // 1024)
    return rig.memory(Range.sized(APP1.start, sectors * SECTOR))


def differences(left: bytes, right: bytes) -> list[int]:
    return [at for at, (one, other) in enumerate(zip(left, right, strict=True)) if one != other]


def test_one_bit_flips_at_a_place_and_as_often_as_it_is_said() -> None:
    rig = Rig()
    rig.bench.fault("board", Fault.CORRUPT, address=APP1.start + 8, times=2)
    for wrong in ([8], [8], []):
        got = flashed(rig)
        assert differences(got, DATA) == wrong
        assert all(got[at] ^ DATA[at] == 1 for at in wrong)


def test_a_fault_without_a_place_strikes_the_next_writes_in_their_middle() -> None:
    rig = Rig()
    rig.bench.fault("board", Fault.CORRUPT, times=3)
    assert differences(flashed(rig), DATA) == [512, 1536, 2560]
    rig.bench.fault("board", Fault.CORRUPT_WORD, address=APP1.start + 5000)
    assert differences(flashed(rig), DATA) == [5000, 5001, 5002, 5003]


def test_an_erase_that_leaves_its_sector_as_it_was() -> None:
    rig = Rig()
    rig.bench.fault("board", Fault.SILENT_ERASE, address=APP1.start + SECTOR + 5)
    with rig.open() as pipe:
        to_idle(pipe, rig.nap)
        for at in (APP1.start, APP1.start + SECTOR, APP1.start + 2 * SECTOR):
            command(pipe, erase_page(at))
    blank = b"\xff" * SECTOR
    old = OLD[APP1.start - BASE + SECTOR : APP1.start - BASE + 2 * SECTOR]
    assert rig.memory(Range.sized(APP1.start, 3 * SECTOR)) == blank + old + blank
    assert rig.board.state().erases == 2


def test_a_write_that_leaves_the_flash_blank() -> None:
    rig = Rig()
    rig.bench.fault("board", Fault.SILENT_WRITE, 40, times=2)
    got = flashed(rig)
    wrong = differences(got, DATA)
    assert got.count(b"\xff" * 2048) == 1
    assert wrong[0] % 1024 < 8
    assert wrong[-1] - wrong[0] < 2048


def test_a_fault_waits_for_its_place_and_times_count_requests_too() -> None:
    rig = Rig()
    rig.bench.fault("board", Fault.CORRUPT, address=APP1.start + 4 * SECTOR)
    assert flashed(rig) == DATA
    rig.bench.fault("board", Fault.SILENT_ERASE, address=APP1.end, times=1_000_000)
    assert flashed(rig) == DATA
    rig.bench.fault("board", Fault.STALL, times=3)
    with rig.open() as pipe:
        for _ in range(3):
            with pytest.raises(StallError):
                class_requests.get_state(pipe)
        assert class_requests.get_state(pipe) == DfuState.DNLOAD_IDLE


def test_the_boot_unit_of_a_flash_can_be_struck_by_itself() -> None:
    rig = Rig()
    rig.bench.fault("board", Fault.CORRUPT, address=APP1.start + 8, times=100)
    rig.attempt(image(20_000), small())
    # Twice it was wrong, so that its sector is left erased; all else is the image.
    assert rig.memory(Range.sized(APP1.start, SECTOR)) == b"\xff" * SECTOR
    assert rig.memory(Range.sized(APP1.start + SECTOR, 20_000 - SECTOR)) == image(20_000)[SECTOR:]


def test_four_bytes_of_one_block_go_wrong_on_a_plain_device_that_verifies_itself() -> None:
    attributes = Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.MANIFESTATION_TOLERANT
    for model in (Model.DAPBOOT, Model.TINYUSB):
        rig = Rig(model, attributes=attributes)
        rig.bench.fault("board", Fault.CORRUPT_WORD, address=APP1.start + 3000)
        with rig.open() as pipe:
            for block in range(8):
                command(pipe, DATA[block * 1024 : block * 1024 + 1024], block)
        got = rig.memory(Range.sized(APP1.start, SECTOR))
        assert differences(got, DATA[:SECTOR]) == [3000, 3001, 3002, 3003], model


def test_dapboot_does_not_hang_over_a_write_that_does_nothing() -> None:
    rig = Rig(Model.DAPBOOT)
    rig.bench.fault("board", Fault.SILENT_WRITE)
    with rig.open() as pipe:
        command(pipe, DATA[:1024])
    assert rig.memory(Range.sized(APP1.start, 1024)) == b"\xff" * 1024
