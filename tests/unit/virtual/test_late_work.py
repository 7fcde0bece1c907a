"""Flash work that a reset of the class has overtaken: its verdict is never that of what comes after."""

import errno
from collections.abc import Callable
from dataclasses import replace

import pytest
import usb.core

from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.spec import BoardSpec, Model, Start, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench

OUT, IN = 0x21, 0xA1
DNLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT = 1, 3, 4, 5, 6
SET_INTERFACE = 11
IDLE, BUSY, DNLOAD_IDLE, ERROR = 2, 4, 5, 10
APP, PARTITION2 = 0x08020000, 0x08080000
BAD = FlashLayout(bad=frozenset({16}))
"""The first sector of the application refuses everything."""
PAST_THE_END = 384
ERASE_BAD, ERASE_GOOD = b"\x41" + APP.to_bytes(4, "little"), b"\x41" + PARTITION2.to_bytes(4, "little")

Reset = Callable[[usb.core.Device], object]
CLASS_RESETS: dict[str, Reset] = {
    "clrstatus": lambda device: device.ctrl_transfer(OUT, CLRSTATUS, 0, 0),
    "abort": lambda device: device.ctrl_transfer(OUT, ABORT, 0, 0),
    "set-interface": lambda device: device.ctrl_transfer(0x01, SET_INTERFACE, 0, 0),
    "bus-reset": lambda device: device.reset(),
}


def board(model: Model, **changes: object) -> tuple[VirtualBench, usb.core.Device]:
    spec = BoardSpec(name="one", model=model, start=Start.DFU, layout=BAD)
    bench = VirtualBench([replace(spec, **changes)])
    (device,) = usb.core.find(find_all=True, backend=bench.backend)
    return bench, device


def status(device: usb.core.Device) -> tuple[int, int]:
    answer = device.ctrl_transfer(IN, GETSTATUS, 0, 0, 6)
    return answer[0], answer[4]


def finish(device: usb.core.Device) -> tuple[int, int]:
    """Status and state once the device is no longer busy, by STALL or by its state."""
    for _ in range(20):
        try:
            told = status(device)
        except usb.core.USBError:
            continue
        if told[1] in (DNLOAD_IDLE, ERROR):
            return told
    raise AssertionError("busy for ever")


@pytest.mark.parametrize("reset", CLASS_RESETS.values(), ids=CLASS_RESETS)
@pytest.mark.parametrize("number", [0, PAST_THE_END])
def test_a_good_block_of_tinyusb_does_not_get_the_verdict_of_the_one_before_the_reset(
    reset: Reset, number: int
) -> None:
    bench, device = board(Model.TINYUSB_ASYNC)
    device.ctrl_transfer(OUT, DNLOAD, number, 0, fill(1024, 1))
    assert status(device) == (0, BUSY)
    reset(device)
    device.ctrl_transfer(OUT, DNLOAD, 8, 0, fill(1024, 2))
    assert finish(device) == (0, DNLOAD_IDLE)
    assert bench.dump("one", APP + 8192, 1024).data == fill(1024, 2)


@pytest.mark.parametrize("model", [Model.USBX, Model.USBX_ASYNC, Model.ROM, Model.GD32])
def test_a_good_erase_does_not_get_the_verdict_of_the_one_before_a_bus_reset(model: Model) -> None:
    bench, device = board(model)
    if model is Model.ROM:
        device.ctrl_transfer(OUT, CLRSTATUS, 0, 0)  # from its dfuERROR at power-on
    device.ctrl_transfer(OUT, DNLOAD, 0, 0, ERASE_BAD)
    assert status(device) == (0, BUSY)
    device.reset()
    device.ctrl_transfer(OUT, DNLOAD, 0, 0, ERASE_GOOD)
    assert finish(device) == (0, DNLOAD_IDLE)
    assert bench.list()[0].erases == 1


def test_nor_does_a_command_after_an_early_poll() -> None:
    now = 0.0
    _, device = board(Model.STRICT, clock=lambda: now)
    device.ctrl_transfer(OUT, DNLOAD, 0, 0, ERASE_BAD)
    assert status(device) == (0, BUSY)
    with pytest.raises(usb.core.USBError):
        status(device)
    device.ctrl_transfer(OUT, CLRSTATUS, 0, 0)
    device.ctrl_transfer(OUT, DNLOAD, 0, 0, b"\x21" + ERASE_GOOD[1:])
    told = (0, BUSY)
    while told == (0, BUSY):
        now += 0.1
        told = status(device)
    assert told == (0, DNLOAD_IDLE)


def test_dapboot_restarts_by_a_bus_reset_when_its_block_is_written() -> None:
    bench, device = board(Model.DAPBOOT, timing=Timing.REAL, attach_time=0.0, erase_time=0.2, layout=FlashLayout())
    block = (0x20005000).to_bytes(4, "little") + fill(1020, 1)
    device.ctrl_transfer(OUT, DNLOAD, 0, 0, block)
    assert status(device) == (0, BUSY)
    device.reset()
    with pytest.raises(usb.core.USBError) as caught:
        device.ctrl_transfer(IN, GETSTATE, 0, 0, 1)
    assert caught.value.errno == errno.ENODEV
    assert bench.dump("one", APP, 1024).data == block
    assert bench.list()[0].mode == "app"


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.CLASSIC_OLD, Model.USBX_DEFAULT, Model.TINYUSB])
@pytest.mark.parametrize("address", [APP, PARTITION2], ids=["bad", "good"])
def test_a_device_that_works_inside_a_request_hears_of_a_bus_reset_when_it_is_done(model: Model, address: int) -> None:
    bench, device = board(model, timing=Timing.REAL, attach_time=0.0, erase_time=0.2)
    plain = model is Model.TINYUSB
    if plain:
        device.ctrl_transfer(0x01, SET_INTERFACE, int(address == PARTITION2), 0)
    block = fill(1024, 1) if plain else b"\x41" + address.to_bytes(4, "little")
    try:
        device.ctrl_transfer(OUT, DNLOAD, 0, 0, block, timeout=20)
        device.ctrl_transfer(IN, GETSTATUS, 0, 0, 6, timeout=20)
    except usb.core.USBTimeoutError:
        assert not plain
    else:
        assert plain, "TinyUSB works after the answer"
    device.reset()
    assert status(device) == (0, IDLE)
    assert bench.list()[0].erases == (address == PARTITION2)
