"""The bench as a hotplug source: whole states, a new address for every enumeration, woken from any thread."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import usb.core

from flashdeckd.usb.device import HotplugSource, InterfaceClass, UsbDevice
from flashdeckd.virtual.spec import BoardSpec, Content, Start, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench

GOOD_VECTORS = (0x20030000).to_bytes(4, "little") + (0x08020201).to_bytes(4, "little")
RUNNING = (Content(0x08020000, GOOD_VECTORS),)


async def following(snapshots: AsyncIterator[frozenset[UsbDevice]]) -> frozenset[UsbDevice]:
    return await asyncio.wait_for(anext(snapshots), 30)


def sole(devices: frozenset[UsbDevice]) -> UsbDevice:
    (device,) = devices
    return device


async def test_what_is_told_without_opening() -> None:
    bench = VirtualBench([BoardSpec(name="one", port=7, serial="S\x1b[2J", product="[/]\n", bcd_device=0x0201)])
    source: HotplugSource = bench.hotplug
    device = sole(await following(source.snapshots()))
    assert (device.name, device.port, device.bus) == ("1-7", "virtual-bench-usb-0:7", 1)
    assert (str(device.usb_id), device.bcd_device) == ("0483:df11", 0x0201)
    assert (device.serial, device.product) == ("S\ufffd[2J", "[/]\ufffd")
    assert device.interfaces == (InterfaceClass(0, 0, 0xFE, 1, 2),)
    assert source.trouble == ""
    assert bench.list()[0].transfers == 0
    assert next(iter(usb.core.find(find_all=True, backend=bench.backend))).address == device.address


async def test_a_board_may_be_at_another_controller_of_the_bench() -> None:
    bench = VirtualBench([BoardSpec(name="one", port=1), BoardSpec(name="two", port=2, controller="rack")])
    devices = await following(bench.hotplug.snapshots())
    assert {device.controller: device.port for device in devices} == {
        "virtual-bench": "virtual-bench-usb-0:1",
        "virtual-bench-rack": "virtual-bench-rack-usb-0:2",
    }
    assert all(device.is_emulated for device in devices)


async def test_every_change_is_told_with_a_new_address() -> None:
    bench = VirtualBench([BoardSpec(name="one", start=Start.BOOT, contents=RUNNING, runtime=True)])
    snapshots = bench.hotplug.snapshots()
    app = sole(await following(snapshots))
    assert (str(app.usb_id), [item.protocol for item in app.interfaces if item.is_dfu]) == ("0483:5740", [1])
    bench.press("one")
    pressed = sole(await following(snapshots))
    assert str(pressed.usb_id) == "0483:df11"
    bench.unplug("one")
    assert await following(snapshots) == frozenset()
    bench.plug("one")
    replugged = sole(await following(snapshots))
    assert len({app.address, pressed.address, replugged.address}) == 3
    bench.unplug("one")
    bench.plug("one")
    assert sole(await following(snapshots)).address > replugged.address


async def test_a_thread_wakes_the_loop() -> None:
    bench = VirtualBench([BoardSpec(name="one", plugged=False)])
    snapshots = bench.hotplug.snapshots()
    assert await following(snapshots) == frozenset()
    waiting = asyncio.ensure_future(following(snapshots))
    await asyncio.sleep(0)
    thread = threading.Thread(target=bench.plug, args=("one",))
    thread.start()
    assert sole(await waiting).name == "1-1"
    thread.join()


async def test_a_board_that_takes_its_time_is_told_when_it_is_there() -> None:
    spec = BoardSpec(name="one", timing=Timing.REAL, attach_time=0.02, plugged=False)
    bench = VirtualBench([spec])
    snapshots = bench.hotplug.snapshots()
    assert await following(snapshots) == frozenset()
    bench.plug("one")
    assert sole(await following(snapshots)).name == "1-1"
    assert usb.core.find(backend=bench.backend) is not None


async def test_a_closed_iterator_hears_nothing_more() -> None:
    bench = VirtualBench([BoardSpec(name="one")])
    snapshots = bench.hotplug.snapshots()
    await following(snapshots)
    await snapshots.aclose()
    bench.unplug("one")
    with pytest.raises(StopAsyncIteration):
        await anext(snapshots)
