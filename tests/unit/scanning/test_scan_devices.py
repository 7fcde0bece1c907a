"""The devices of `flashdeckd scan`: those in DFU mode, those with a way there, and what cannot be read."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from flashdeck.config import UsbId
from flashdeck.first_board.found import ScanLine
from flashdeckd.host import files
from flashdeckd.scanning.scan import FIRST_LOOK_SECONDS, scan
from flashdeckd.usb.device import InterfaceClass, UnreadDevice, UsbDevice
from unit.scanning.trees import raw, write


def device(place: int, *interfaces: InterfaceClass, serial: str = "") -> UsbDevice:
    return UsbDevice(
        f"1-{place}", f"pci-0-usb-0:{place}", 1, place, UsbId(0x0483, 0xDF11), 0x200, serial, "P", interfaces
    )


DFU = InterfaceClass(0, 0, 0xFE, 1, 2)
RUNTIME = InterfaceClass(0, 0, 0xFE, 1, 1)
DISK = InterfaceClass(0, 0, 0x08, 6, 0x50)


class Bus:
    """A hotplug source that shows what a test says, one after the other."""

    trouble = ""
    hint = ""

    def __init__(self, *shown: frozenset[UsbDevice], unread: tuple[UnreadDevice, ...] = ()) -> None:
        self._shown = shown
        self.unread = unread
        self.over = asyncio.Event()

    async def snapshots(self) -> AsyncGenerator[frozenset[UsbDevice], None]:
        for each in self._shown:
            yield each
        self.over.set()
        await asyncio.Event().wait()


async def test_devices_are_told_once_those_in_dfu_mode_first() -> None:
    lines: list[ScanLine] = []
    bus = Bus(
        frozenset({device(1, RUNTIME), device(2, DISK), device(3, DFU)}), unread=(UnreadDevice("1-9", "it hangs"),)
    )
    await scan(bus, None, lines.append)
    (line,) = lines
    assert [(each.port, each.mode) for each in line.devices or ()] == [("1-3", "dfu"), ("1-1", "running")]
    assert line.unread == ("1-9: it hangs",)
    assert line.builds is None


async def test_serials_that_two_show_at_once_are_marked() -> None:
    lines: list[ScanLine] = []
    await scan(Bus(frozenset({device(1, DFU, serial="S"), device(2, DFU, serial="S")})), None, lines.append)
    assert [each.serial_shared for each in lines[0].devices or ()] == [True, True]


async def test_trouble_is_told_with_what_to_do() -> None:
    lines: list[ScanLine] = []
    bus = Bus(frozenset())
    bus.trouble, bus.hint = "no USB", "plug it in elsewhere"
    await scan(bus, None, lines.append)
    assert lines == [ScanLine(devices=(), trouble="no USB; plug it in elsewhere")]


async def test_a_bus_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[ScanLine] = []
    waits: list[float | None] = []
    wait = asyncio.wait

    async def at_once(
        tasks: set[asyncio.Future[object]],
        *,
        timeout: float | None,  # noqa: ASYNC109 - as asyncio.wait has it
        return_when: str,
    ) -> object:
        waits.append(timeout)
        return await wait(tasks, timeout=0, return_when=return_when)

    monkeypatch.setattr("flashdeckd.scanning.scan.asyncio.wait", at_once)
    await scan(Bus(), None, lines.append)
    assert waits == [FIRST_LOOK_SECONDS]
    assert "no answer from the USB" in lines[0].trouble


async def test_each_change_is_followed_until_the_input_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[ScanLine] = []
    bus = Bus(frozenset(), frozenset({device(1, DFU)}), frozenset())
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read(_descriptor: int, _size: int) -> bytes:
        asyncio.run_coroutine_threadsafe(ended.wait(), loop).result()
        return b""

    monkeypatch.setattr(files, "read", read)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(scan(bus, None, lines.append, follow=True))
        await bus.over.wait()
        ended.set()
    assert [len(line.devices or ()) for line in lines] == [0, 1, 0]


async def test_builds_come_beside_the_devices(tmp_path: Path) -> None:
    write(tmp_path, {"app.bin": raw()})
    lines: list[ScanLine] = []
    await scan(Bus(frozenset({device(1, DFU)})), tmp_path, lines.append)
    (builds,) = (line for line in lines if line.builds is not None)
    (devices,) = (line for line in lines if line.devices is not None)
    assert [build.path for build in (each.best for each in builds.builds or ())] == [str(tmp_path / "app.bin")]
    assert len(devices.devices or ()) == 1
