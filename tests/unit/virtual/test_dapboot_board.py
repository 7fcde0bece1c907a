"""dapboot through pyusb: what its source says that it does, and what a board makes of it. Recordings judge the rest."""

from dataclasses import replace

import pytest
import usb.core

from flashdeckd.virtual.control import Attribute
from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.spec import BoardSpec, Model, Start, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench

OUT, IN = 0x21, 0xA1
DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT = range(7)
IDLE, SYNC, BUSY, DNLOAD_IDLE, MANIFEST_SYNC, MANIFEST, UPLOAD_IDLE, ERROR = 2, 3, 4, 5, 6, 7, 9, 10
APP = 0x08020000
TOLERANT = Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.MANIFESTATION_TOLERANT
GOOD = (0x20005000).to_bytes(4, "little") + (APP + 0x201).to_bytes(4, "little") + fill(3000, 7)
HIGH_STACK = (0x20030000).to_bytes(4, "little") + GOOD[4:]


def board(**changes: object) -> tuple[VirtualBench, usb.core.Device]:
    spec = BoardSpec(name="one", model=Model.DAPBOOT, start=Start.DFU)
    bench = VirtualBench([replace(spec, **changes)])
    (device,) = usb.core.find(find_all=True, backend=bench.backend)
    return bench, device


def status(device: usb.core.Device) -> tuple[int, int, int]:
    answer = device.ctrl_transfer(IN, GETSTATUS, 0, 0, 6)
    return answer[0], int.from_bytes(answer[1:4].tobytes(), "little"), answer[4]


def state(device: usb.core.Device) -> int:
    return device.ctrl_transfer(IN, GETSTATE, 0, 0, 1)[0]


def download(device: usb.core.Device, data: bytes, number: int = 0) -> None:
    for at in range(0, len(data), 1024):
        device.ctrl_transfer(OUT, DNLOAD, number, 0, data[at : at + 1024])
        assert status(device) == (0, 100, BUSY)
        assert status(device) == (0, 0, DNLOAD_IDLE)


@pytest.mark.parametrize("timing", [*Timing])
def test_block_numbers_mean_nothing(timing: Timing) -> None:
    bench, device = board(timing=timing, attach_time=0.0)
    download(device, GOOD, number=77)
    assert bench.dump("one", APP, len(GOOD)).data == GOOD
    assert bench.list()[0].erases == 1
    assert bench.list()[0].violations == ()


def test_an_abort_begins_again_at_the_start() -> None:
    bench, device = board()
    download(device, fill(2048, 1))
    device.ctrl_transfer(OUT, ABORT, 0, 0)
    assert state(device) == IDLE
    download(device, GOOD, number=2)
    assert bench.dump("one", APP, len(GOOD)).data == GOOD


def test_the_restart_follows_the_answer_that_says_manifest() -> None:
    bench, device = board()
    download(device, GOOD)
    device.ctrl_transfer(OUT, DNLOAD, 3, 0)
    assert state(device) == MANIFEST_SYNC
    assert status(device) == (0, 0, MANIFEST)
    assert bench.list()[0].mode == "app"


def test_a_tolerant_build_stays_in_the_bootloader() -> None:
    bench, device = board(attributes=TOLERANT)
    download(device, GOOD)
    device.ctrl_transfer(OUT, DNLOAD, 3, 0)
    assert [status(device)[2] for _ in range(3)] == [MANIFEST, IDLE, IDLE]
    assert bench.list()[0].mode == "dfu"


def test_an_image_with_a_high_stack_is_no_firmware() -> None:
    bench, device = board()
    download(device, HIGH_STACK)
    device.ctrl_transfer(OUT, DNLOAD, 3, 0)
    assert status(device) == (0, 0, MANIFEST)
    assert status(device) == (10, 0, ERROR)
    device.ctrl_transfer(OUT, CLRSTATUS, 0, 0)
    assert state(device) == IDLE
    assert bench.list()[0].mode == "dfu"


def test_an_upload_counts_on_and_ends_with_the_flash() -> None:
    bench, device = board(layout=FlashLayout(size=0x20000 + 2500 // 16 * 16))
    got = [device.ctrl_transfer(IN, UPLOAD, 9, 0, 1024).tobytes() for _ in range(3)]
    assert [len(each) for each in got] == [1024, 1024, 448]
    assert state(device) == IDLE
    assert b"".join(got) == bench.dump("one", APP, 2496).data


def test_what_comes_at_the_wrong_time_is_noted() -> None:
    bench, device = board()
    device.ctrl_transfer(OUT, DNLOAD, 0, 0, b"12345678")
    device.ctrl_transfer(OUT, DNLOAD, 0, 0, b"abcd")
    assert state(device) == SYNC
    sent = device.ctrl_transfer(IN, UPLOAD, 0, 0, 8).tobytes()
    assert sent == bytes([SYNC]) + b"bcd5678", "its one buffer, with the last answer over the last data"
    with pytest.raises(usb.core.USBError):
        device.ctrl_transfer(OUT, 99, 0, 0)
    assert state(device) == ERROR
    assert "in DNLOAD_SYNC, where it has no place" in bench.list()[0].violations[0]


def test_a_block_after_an_odd_one_kills_it_until_the_next_power_cycle() -> None:
    bench, device = board()
    download(device, GOOD[:1001])
    device.ctrl_transfer(OUT, DNLOAD, 1, 0, GOOD[1001:1101])
    assert status(device) == (0, 100, BUSY)
    device.reset()
    with pytest.raises(usb.core.USBTimeoutError):
        state(device)
    assert bench.list()[0].mode == "dfu"
    bench.unplug("one")
    bench.plug("one")
    (device,) = usb.core.find(find_all=True, backend=bench.backend)
    assert state(device) == IDLE


def test_a_status_that_is_asked_for_in_part_overflows_and_starts_nothing() -> None:
    bench, device = board()
    device.ctrl_transfer(OUT, DNLOAD, 0, 0, GOOD[:1024])
    with pytest.raises(usb.core.USBError, match="Overflow"):
        device.ctrl_transfer(IN, GETSTATUS, 0, 0, 3)
    assert state(device) == BUSY
    assert bench.list()[0].words == 0


def test_an_odd_last_byte_is_left_out() -> None:
    bench, device = board()
    download(device, GOOD[:1001])
    assert bench.dump("one", APP, 1001).data == GOOD[:1000] + b"\xff"


def test_flash_that_refuses_is_told_as_a_failed_verification() -> None:
    _, device = board(layout=FlashLayout(bad=frozenset({16})))
    device.ctrl_transfer(OUT, DNLOAD, 0, 0, GOOD[:1024])
    assert status(device) == (0, 100, BUSY)
    assert status(device) == (7, 0, ERROR)


@pytest.mark.parametrize("by_detach", [False, True])
def test_a_bus_reset_and_a_detach_restart_it(by_detach: bool) -> None:
    bench, device = board()
    download(device, GOOD)
    if by_detach:
        device.ctrl_transfer(OUT, DETACH, 1000, 0)
    else:
        with pytest.raises(usb.core.USBError):
            device.reset()
    assert bench.list()[0].mode == "app", "its boot check asks for nothing but a stack pointer"
