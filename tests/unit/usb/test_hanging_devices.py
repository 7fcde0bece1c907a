"""A device that hangs costs only itself: the kernel does not give out what it says of itself, for as long as it hangs.

A FIFO that nobody writes to blocks whoever opens it, as such a device's attribute does.
"""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from flashdeck.config import UsbId
from flashdeckd.host import executor, files
from flashdeckd.usb import device_reads, hotplug
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.device_reads import (
    AT_ONCE,
    MOST_THREADS,
    READ_SECONDS,
    SLOW_SECONDS,
    DeviceReads,
    SysfsPlace,
    places,
)
from flashdeckd.usb.hotplug import PyudevHotplug
from flashdeckd.usb.udev_database import MAX_ENTRY, properties, spelled
from flashdeckd.usb.udevd import MAX_SOCKETS, is_udevd_here
from unit.usb.fake_sysfs import FakeSysfs
from unit.usb.kernel_events import KernelEvents

ROOT = "pci0000:00/0000:00:14.0/usb1"
ATTRIBUTES = ("serial", "product", "descriptors", "bcdDevice", "devnum", "bDeviceClass", "speed")


class Machine:
    """A stand-in for sysfs and udev's database, with devices that hang until they are let go."""

    def __init__(self, root: Path) -> None:
        self.sysfs = FakeSysfs(root / "sys")
        self.database = root / "udev"
        self.database.mkdir(parents=True)
        self.events = KernelEvents(self.sysfs.devices)
        self._hanging: list[tuple[Path, bytes]] = []

    def source(self) -> PyudevHotplug:
        control = self.database / "control"
        control.touch()
        return PyudevHotplug(
            self.events,
            usb_bus=self.sysfs.usb_bus,
            udev_control=control,
            udev_database=self.database,
        )

    def hang(self, directory: Path, attribute: str = "serial") -> None:
        path = directory / attribute
        contents = path.read_bytes() if path.exists() else b"x\n"
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        self._hanging.append((path, contents))

    def let_go(self) -> None:
        """What was asked of the devices is answered, and they hang no more."""
        for path, contents in self._hanging:
            writer = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # wakes those that wait to open it
            os.write(writer, contents)
            after = path.with_name("after")
            after.write_bytes(contents)
            after.rename(path)
            threading.Timer(0.05, os.close, (writer,)).start()
        self._hanging.clear()

    def note(self, directory: Path, **noted: str) -> None:
        """What udev has noted of a device while it was well."""
        number = int((directory / "devnum").read_text()) - 1
        (self.database / f"c189:{number}").write_text("".join(f"E:{key}={value}\n" for key, value in noted.items()))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr(hotplug, "UDEV_PATIENCE", 0.0)
    # Shorter than usual, and long enough for a thread to begin and end on a busy machine.
    monkeypatch.setattr(device_reads, "READ_SECONDS", 1.0)
    monkeypatch.setattr(device_reads, "SLOW_SECONDS", 0.25)
    made = Machine(tmp_path)
    yield made
    made.let_go()
    assert executor.at_work(30) == ()
    made.events.close()


def hanging() -> int:
    """Threads in which a read hangs."""
    return sum(name.startswith("usb-read") for name in executor.at_work(0.1))


async def after(snapshots: AsyncIterator[frozenset[UsbDevice]]) -> list[str]:
    async with asyncio.timeout(30):
        return sorted(device.name for device in await anext(snapshots))


@pytest.mark.parametrize("attribute", ATTRIBUTES)
async def test_others_are_seen_come_and_go_meanwhile_and_its_late_answer_is_taken(
    machine: Machine, attribute: str
) -> None:
    sick, well = machine.sysfs.plug(f"{ROOT}/1-4"), machine.sysfs.plug(f"{ROOT}/1-5")
    machine.hang(sick, attribute)
    source = machine.source()
    async with aclosing(source.snapshots()) as snapshots:
        assert await after(snapshots) == ["1-5"]
        assert [(each.name, each.port) for each in source.unread] == [("1-4", "pci-0000:00:14.0-usb-0:4")] or (
            attribute == "devnum"
        )
        assert source.trouble == ""
        machine.sysfs.plug(f"{ROOT}/1-6")
        machine.sysfs.unplug(well)
        machine.events.speak()
        assert await after(snapshots) == ["1-6"]
        machine.let_go()
        assert await after(snapshots) == ["1-4", "1-6"]
        assert source.unread == ()


async def test_it_is_named_by_what_udev_noted_while_it_was_well(machine: Machine) -> None:
    sick = machine.sysfs.plug(f"{ROOT}/1-4")
    machine.note(sick, ID_SERIAL_SHORT="336E36833233", ID_VENDOR_ID="0483", ID_MODEL_ID="df11")
    machine.hang(sick)
    source = machine.source()
    async with aclosing(source.snapshots()) as snapshots:
        assert await after(snapshots) == []
    (unread,) = source.unread
    assert (unread.serial, unread.usb_id) == ("336E36833233", UsbId(0x0483, 0xDF11))
    assert "hangs" in unread.reason


async def test_one_that_was_read_before_it_hangs_is_not_read_again(machine: Machine) -> None:
    sick = machine.sysfs.plug(f"{ROOT}/1-4")
    source = machine.source()
    async with aclosing(source.snapshots()) as snapshots:
        assert await after(snapshots) == ["1-4"]
        machine.hang(sick)
        machine.sysfs.plug(f"{ROOT}/1-5")
        machine.events.speak()
        assert await after(snapshots) == ["1-4", "1-5"]
        assert source.unread == ()


async def test_one_that_cannot_be_read_costs_only_itself(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hotplug, "LOOK_AGAIN", 0.01)
    sick = machine.sysfs.plug(f"{ROOT}/1-4")
    machine.sysfs.plug(f"{ROOT}/1-5")
    (sick / "serial").unlink()
    (sick / "serial").mkdir()
    source = machine.source()
    async with aclosing(source.snapshots()) as snapshots:
        assert await after(snapshots) == ["1-5"]
        assert [each.name for each in source.unread] == ["1-4"]
        assert "cannot be read" in source.unread[0].reason
        (sick / "serial").rmdir()
        assert await after(snapshots) == ["1-4", "1-5"]
        assert source.unread == ()


async def test_a_listing_that_hangs_is_said_and_taken_when_it_comes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotplug, "READ_SECONDS", 0.05)
    monkeypatch.setattr(hotplug, "LOOK_AGAIN", 0.01)
    machine.sysfs.plug(f"{ROOT}/1-4")
    source, go = machine.source(), threading.Event()
    listed: list[int] = []

    def devices() -> list[Path]:
        listed.append(1)
        go.wait(30)
        return machine.sysfs.devices()

    machine.events.usb_devices = devices
    async with aclosing(source.snapshots()) as snapshots:
        assert await after(snapshots) == []
        assert "cannot be listed" in source.trouble
        assert len(listed) == 1
        go.set()
        assert await after(snapshots) == ["1-4"]
        assert source.trouble == ""


async def test_looks_at_one_that_hangs_take_no_further_thread(machine: Machine) -> None:
    directories = [machine.sysfs.plug(f"{ROOT}/1-{number}") for number in range(1, AT_ONCE + 2)]
    for directory in directories[:-1]:
        machine.hang(directory)
    reads = DeviceReads(lambda: None, machine.database)
    for _ in range(5):
        await reads.look(places(directories))
        assert hanging() == AT_ONCE
        assert [device.name for device in reads.devices] == [f"1-{AT_ONCE + 1}"]
    reads.close()


async def test_so_many_are_read_at_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_reads, "READ_SECONDS", 0.05)
    monkeypatch.setattr(device_reads, "SLOW_SECONDS", 60.0)
    directories = [machine.sysfs.plug(f"{ROOT}/1-{number}") for number in range(1, 3 * AT_ONCE)]
    for directory in directories:
        machine.hang(directory)
    reads = DeviceReads(lambda: None, machine.database)
    await reads.look(places(directories))
    assert hanging() == AT_ONCE
    reads.close()


async def test_so_many_may_hang_before_another_one_is_not_looked_at(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_reads, "SLOW_SECONDS", 0.001)
    names = [f"1-{number}" for number in range(1, MOST_THREADS + 2)]
    directories = [machine.sysfs.plug(f"{ROOT}/{name}") for name in names]
    for directory in directories:
        machine.hang(directory)
    reads = DeviceReads(lambda: None, machine.database)
    await reads.look(places(directories))
    reasons = [each.reason for each in reads.unread]
    assert len(reasons) == len(names)
    assert sum("others hang" in reason for reason in reasons) == 1
    assert hanging() == MOST_THREADS
    reads.close()


async def test_a_look_waits_so_long_for_each_that_hangs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float | None] = []
    real = asyncio.wait

    async def wait(ends: Iterable[asyncio.Future[object]], *, timeout: float | None = None) -> object:  # noqa: ASYNC109 -- asyncio's own
        waited.append(timeout)
        return await real(set(ends), timeout=None if timeout is None else 0.05)

    monkeypatch.setattr(device_reads, "READ_SECONDS", READ_SECONDS)
    monkeypatch.setattr(device_reads, "SLOW_SECONDS", SLOW_SECONDS)
    directory = machine.sysfs.plug(f"{ROOT}/1-4")
    machine.hang(directory)
    reads = DeviceReads(lambda: None, machine.database)
    monkeypatch.setattr(asyncio, "wait", wait)
    await reads.look(places([directory]))
    assert set(waited) == {READ_SECONDS, SLOW_SECONDS, None}
    assert READ_SECONDS > SLOW_SECONDS * AT_ONCE
    reads.close()


async def test_what_was_pulled_out_while_it_hung_is_not_there_when_its_answer_comes(machine: Machine) -> None:
    sick = machine.sysfs.plug(f"{ROOT}/1-4")
    machine.hang(sick)
    came = asyncio.Event()
    reads = DeviceReads(came.set, machine.database)
    await reads.look(places([sick]))
    await reads.look([])
    assert reads.unread == ()
    machine.let_go()
    assert executor.at_work(30) == ()
    await reads.look([])
    assert reads.devices == frozenset()
    reads.close()


async def test_another_device_in_the_same_directory_is_another_place(machine: Machine) -> None:
    directory = machine.sysfs.plug(f"{ROOT}/1-4")
    (place,) = places([directory])
    reads = DeviceReads(lambda: None, machine.database)
    await reads.look([place])
    (before,) = reads.devices
    (directory / "serial").write_text("OTHER\n")  # with the same number: only the directory is another one
    await reads.look([SysfsPlace(directory, place.inode + 1)])
    (now,) = reads.devices
    assert (before.serial, now.serial) == ("336E36833233", "OTHER")
    reads.close()


@pytest.mark.parametrize(
    ("serial", "told"),
    [
        ("336E36833233", "336E36833233"),
        ("ODD Serial/17", "ODD_Serial_17"),
        (" A\t1 ", "A_1"),
        ("Ä", "_"),
        ("a#b", "a#b"),
    ],
)
def test_udev_spells_a_serial_its_own_way(serial: str, told: str) -> None:
    assert spelled(serial) == told


def test_so_much_of_udevs_entry_is_looked_at(tmp_path: Path) -> None:
    entry = tmp_path / "c189:0"
    for more, seen in ((0, {"A": "1"}), (1, {"A": ""})):
        entry.write_text("X" * (MAX_ENTRY - len("\nE:A=1") + more) + "\nE:A=1")
        assert properties(tmp_path, 1, 1) == seen
    assert properties(tmp_path, 2, 1) == {}


def test_udevd_is_here_where_the_kernel_lists_its_socket(tmp_path: Path) -> None:
    control, sockets = tmp_path / "control", tmp_path / "unix"
    assert not is_udevd_here(control, sockets)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(control))
        assert is_udevd_here(control, sockets), "there is no list to tell by"
        line = f"0000000000000000: 00000002 00000000 00010000 0005 01 12345 {control}"
        for more, here in ((0, True), (1, False)):
            sockets.write_text("x" * (MAX_SOCKETS - len(line) - 1 + more) + "\n" + line)
            assert is_udevd_here(control, sockets) is here
        sockets.write_text("Num       RefCount Protocol Flags    Type St Inode Path\n")
        assert not is_udevd_here(control, sockets)
    assert files.exists(control), "one that was killed leaves it"
