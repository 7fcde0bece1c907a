"""Plain DFU 1.1 through pyusb: partitions as alternate settings, manifestation, and the end of it."""

import errno
from dataclasses import replace

import pytest
import usb.core

from flashdeckd.virtual.control import Attribute
from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.spec import BoardSpec, Model, Start, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench

OUT, IN = 0x21, 0xA1
DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS = 1, 2, 3, 4
IDLE, BUSY, DNLOAD_IDLE, MANIFEST, WAIT_RESET, ERROR = 2, 4, 5, 7, 8, 10
PARTITION2 = 0x08080000
TOLERANT = Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.MANIFESTATION_TOLERANT
BOTH = pytest.mark.parametrize("model", [Model.TINYUSB, Model.TINYUSB_ASYNC])


def board(model: Model, **changes: object) -> tuple[VirtualBench, usb.core.Device]:

    bench = VirtualBench([replace(BoardSpec(name="one", model=model, start=Start.DFU), **changes)])
    (device,) = usb.core.find(find_all=True, backend=bench.backend)
    return bench, device


def finish(device: usb.core.Device, settled: tuple[int, ...]) -> tuple[int, int]:
    for _ in range(20_000):
        answer = device.ctrl_transfer(IN, GETSTATUS, 0, 0, 6)
        if answer[4] in settled:
            return answer[0], answer[4]
    raise AssertionError("never settled")


def download(device: usb.core.Device, data: bytes, start: int = 0) -> tuple[int, int]:
    result = (0, IDLE)
    for block in range(0, len(data), 1024):
        device.ctrl_transfer(OUT, DNLOAD, start + block // 1024, 0, data[block : block + 1024])
        result = finish(device, (DNLOAD_IDLE, ERROR))
        if result[1] == ERROR:
            break
    return result


@BOTH
@pytest.mark.parametrize("timing", [*Timing])
def test_an_image_goes_to_the_partition_of_its_alternate_setting(model: Model, timing: Timing) -> None:
    bench, device = board(model, attributes=TOLERANT, timing=timing, attach_time=0.0, erase_time=0.001)
    device.set_interface_altsetting(0, 1)
    image = fill(10_000, 3)
    assert download(device, image) == (0, DNLOAD_IDLE)
    device.ctrl_transfer(OUT, DNLOAD, 10, 0)
    assert finish(device, (IDLE,)) == (0, IDLE)
    assert bench.dump("one", PARTITION2, 10_000).data == image
    assert device.ctrl_transfer(IN, UPLOAD, 9, 0, 1024).tobytes()[: 10_000 - 9216] == image[9216:]
    state = bench.list()[0]
    assert (state.erases, state.words, state.violations) == (2, 625, ())


@BOTH
def test_a_flash_failure_and_a_block_past_the_end_are_told_apart(model: Model) -> None:
    bench, device = board(model, layout=FlashLayout(bad=frozenset({16})))
    assert download(device, bytes(1024)) == (4, ERROR)
    device.ctrl_transfer(OUT, CLRSTATUS, 0, 0)
    assert download(device, bytes(1024), start=384) == (8, ERROR)
    device.ctrl_transfer(OUT, CLRSTATUS, 0, 0)
    assert len(device.ctrl_transfer(IN, UPLOAD, 384, 0, 1024)) == 0, "the end of the partition"
    assert bench.list()[0].words == 0


@BOTH
def test_a_device_that_waits_for_a_reset_starts_its_application_then(model: Model) -> None:
    bench, device = board(model)
    vectors = (0x20030000).to_bytes(4, "little") + (0x08020201).to_bytes(4, "little")
    assert download(device, vectors + fill(1016, 1)) == (0, DNLOAD_IDLE)
    device.ctrl_transfer(OUT, DNLOAD, 1, 0)
    assert finish(device, (WAIT_RESET,)) == (0, WAIT_RESET)
    assert bench.list()[0].mode == "dfu"
    with pytest.raises(usb.core.USBError) as caught:
        device.reset()
    assert caught.value.errno == errno.ENODEV
    assert bench.list()[0].mode == "app"
    assert bench.list()[0].violations == ()
