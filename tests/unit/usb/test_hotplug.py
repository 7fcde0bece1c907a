# ruff: noqa: ASYNC240  (the files are tiny, and nothing else waits for this loop)
import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from pathlib import Path

import pytest

from flashdeckd.usb import hotplug
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.hotplug import PyudevHotplug
from unit.usb.fake_sysfs import FakeSysfs

PLACE = "pci0000:00/0000:00:14.0/usb1/1-4"
OTHER_PLACE = "pci0000:00/0000:00:14.0/usb1/1-5"


class FakeMonitor:
    """A netlink monitor on a socket pair; after an overflow it fails and stays readable, as pyudev's does."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._theirs.settimeout(0)
        self.overflowed = False
        self.polls = 0

    def fileno(self) -> int:
        return self._theirs.fileno()

    def poll(self, timeout: float) -> object | None:
        assert timeout == 0
        self.polls += 1
        if self.overflowed:
            raise OSError("Error while polling fd")
        try:
            return self._theirs.recv(1)
        except BlockingIOError:
            return None

    def speak(self) -> None:
        self._ours.send(b"e")

    def overflow(self) -> None:
        self.overflowed = True
        self.speak()

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class FakeUdev:
    """`pyudev` over a fake /sys."""

    def __init__(self, bus: FakeSysfs) -> None:
        self.bus = bus
        self.monitors: dict[str, list[FakeMonitor]] = {"udev": [], "kernel": []}
        self.refuse: set[str] = set()
        self.listings = 0
        self.listed = threading.Event()
        self.log: list[str] = []
        self.failure: OSError | None = None

    def monitor(self, source: str) -> FakeMonitor:
        if source in self.refuse:
            raise OSError("Could not create udev monitor")
        self.log.append(source)
        self.monitors[source].append(FakeMonitor())
        return self.monitors[source][-1]

    def usb_devices(self) -> Iterable[Path]:
        self.log.append("list")
        self.listings += 1
        self.listed.set()
        if self.failure is not None:
            raise self.failure
        return self.bus.devices()

    def speak(self, source: str = "udev") -> None:
        self.monitors[source][-1].speak()


@pytest.fixture
def bus(tmp_path: Path) -> FakeSysfs:
    return FakeSysfs(tmp_path)


@pytest.fixture
def udev(bus: FakeSysfs) -> Iterable[FakeUdev]:
    fake = FakeUdev(bus)
    yield fake
    for monitor in (*fake.monitors["udev"], *fake.monitors["kernel"]):
        monitor.close()


@pytest.fixture
def control(tmp_path: Path) -> Path:
    path = tmp_path / "udev-control"
    path.touch()
    return path


@pytest.fixture
def source(bus: FakeSysfs, udev: FakeUdev, control: Path) -> PyudevHotplug:
    return PyudevHotplug(udev, usb_bus=bus.usb_bus, udev_control=control)


def names(devices: frozenset[UsbDevice]) -> list[str]:
    return sorted(device.name for device in devices)


async def after(snapshots: AsyncIterator[frozenset[UsbDevice]]) -> frozenset[UsbDevice]:
    async with asyncio.timeout(20):
        return await anext(snapshots)


async def test_what_is_there_comes_first_and_monitors_run_before_it_is_listed(
    bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug
) -> None:
    bus.plug(PLACE)
    async with aclosing(source.snapshots()) as snapshots:
        assert names(await after(snapshots)) == ["1-4"]
        assert udev.log == ["udev", "kernel", "list"]
        assert source.trouble == ""


async def test_plug_and_unplug_are_seen(bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug) -> None:
    async with aclosing(source.snapshots()) as snapshots:
        assert await after(snapshots) == frozenset()
        bus.plug(PLACE)
        directory = bus.plug(OTHER_PLACE)
        udev.speak()
        assert names(await after(snapshots)) == ["1-4", "1-5"]
        bus.unplug(directory)
        udev.speak()
        assert names(await after(snapshots)) == ["1-4"]


async def test_the_name_of_an_interface_that_comes_later_is_told(
    bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug
) -> None:
    """Its directory is made a moment after the device's own; the next event finds it."""
    directory = bus.plug(PLACE)
    async with aclosing(source.snapshots()) as snapshots:
        (before,) = await after(snapshots)
        assert before.setting_names == ()
        bus.name_interface(directory, "@Internal Flash/0x08000000/128*8Kg")
        udev.speak()
        (now,) = await after(snapshots)
        assert now == before
        assert now.setting_names == ("@Internal Flash/0x08000000/128*8Kg",)


async def test_a_replug_within_one_look_shows_by_its_address(
    bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug
) -> None:
    directory = bus.plug(PLACE)
    async with aclosing(source.snapshots()) as snapshots:
        (before,) = await after(snapshots)
        bus.unplug(directory)
        bus.plug(PLACE)
        for _ in range(4):  # unbind, remove, add, bind
            udev.speak()
        (now,) = await after(snapshots)
        assert now.address != before.address
        assert (now.name, now.port, now.serial) == (before.name, before.port, before.serial)


async def test_events_that_change_nothing_make_no_snapshot(
    bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug
) -> None:
    bus.plug(PLACE)
    async with aclosing(source.snapshots()) as snapshots:
        await after(snapshots)
        waiting = asyncio.create_task(after(snapshots))
        udev.listed.clear()
        udev.speak()
        assert await asyncio.to_thread(udev.listed.wait, 20)
        bus.plug(OTHER_PLACE)
        udev.speak()
        assert names(await waiting) == ["1-4", "1-5"]


@pytest.mark.parametrize("which", ["udev", "kernel"])
async def test_after_an_overflow_a_new_monitor_and_a_full_list_lose_nothing(
    bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug, which: str
) -> None:
    async with aclosing(source.snapshots()) as snapshots:
        await after(snapshots)
        bus.plug(PLACE)
        udev.log.clear()
        dead = udev.monitors[which][-1]
        dead.overflow()
        assert names(await after(snapshots)) == ["1-4"]
        assert udev.log == [which, "list"]
        bus.plug(OTHER_PLACE)
        udev.speak()
        assert names(await after(snapshots)) == ["1-4", "1-5"]
        assert dead.polls == 1, "the dead monitor stays readable, and must not be asked again"


async def test_a_storm_of_events_is_folded(bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug) -> None:
    async with aclosing(source.snapshots()) as snapshots:
        await after(snapshots)
        bus.plug(PLACE)
        for _ in range(200):
            udev.speak()
        assert names(await after(snapshots)) == ["1-4"]
        assert udev.listings <= 5


async def test_without_udevd_the_kernels_word_counts_at_once(
    bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug, control: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotplug, "UDEV_PATIENCE", 3600.0)
    control.unlink()
    async with aclosing(source.snapshots()) as snapshots:
        await after(snapshots)
        bus.plug(PLACE)
        udev.speak("kernel")
        assert names(await after(snapshots)) == ["1-4"]


async def test_udev_may_speak_first_but_when_it_is_silent_the_kernels_word_counts(
    bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotplug, "UDEV_PATIENCE", 0.05)
    loop = asyncio.get_running_loop()
    async with aclosing(source.snapshots()) as snapshots:
        await after(snapshots)
        for place, expected in ((PLACE, ["1-4"]), (OTHER_PLACE, ["1-4", "1-5"])):
            bus.plug(place)
            spoken = loop.time()
            udev.speak("kernel")
            assert names(await after(snapshots)) == expected
            assert loop.time() - spoken >= 0.05


async def test_without_events_the_bus_is_looked_at_from_time_to_time(
    bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotplug, "LOOK_AGAIN", 0.02)
    udev.refuse = {"udev", "kernel"}
    async with aclosing(source.snapshots()) as snapshots:
        await after(snapshots)
        assert "no hotplug events" in source.trouble
        bus.plug(PLACE)
        assert names(await after(snapshots)) == ["1-4"]
        udev.refuse.clear()
        await after(snapshots)
        assert source.trouble == ""


async def test_a_failing_list_keeps_what_was_known_and_is_tried_again(
    bus: FakeSysfs, udev: FakeUdev, source: PyudevHotplug, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotplug, "LOOK_AGAIN", 0.02)
    bus.plug(PLACE)
    async with aclosing(source.snapshots()) as snapshots:
        await after(snapshots)
        udev.failure = OSError(24, "Too many open files")
        udev.speak()
        assert names(await after(snapshots)) == ["1-4"]
        assert "Too many open files" in source.trouble
        udev.failure = None
        assert names(await after(snapshots)) == ["1-4"]
        assert source.trouble == ""


async def test_closing_takes_its_sockets_out_of_the_loop(udev: FakeUdev, source: PyudevHotplug) -> None:
    loop = asyncio.get_running_loop()
    async with aclosing(source.snapshots()) as snapshots:
        await after(snapshots)
        udev.speak("kernel")
        await asyncio.sleep(0)
    for source_name in ("udev", "kernel"):
        assert not loop.remove_reader(udev.monitors[source_name][-1])
    async with aclosing(source.snapshots()) as snapshots:
        assert await after(snapshots) == frozenset()


async def test_a_machine_without_usb_says_so_and_lists_nothing(tmp_path: Path) -> None:
    source = PyudevHotplug(usb_bus=tmp_path / "no" / "such" / "bus")
    assert source.trouble == ""
    async with aclosing(source.snapshots()) as snapshots:
        await after(snapshots)
        assert "no USB" in source.trouble
        assert "--virtual" in source.hint


async def test_this_machine_can_be_looked_at() -> None:
    source = PyudevHotplug()
    async with aclosing(source.snapshots()) as snapshots:
        devices = await after(snapshots)
    if Path("/sys/bus/usb").exists():
        assert all(device.usb_id.vendor and "-usb-0:" in device.port for device in devices)
    else:
        assert devices == frozenset()
        assert "no USB" in source.trouble


async def test_without_libudev_it_says_so_and_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyudev", None)
    source = PyudevHotplug()
    async with aclosing(source.snapshots()) as snapshots:
        assert await after(snapshots) == frozenset()
        assert "libudev1" in source.hint


def test_importing_loads_neither_pyudev_nor_pyusb() -> None:
    program = (
        "import sys, flashdeckd.usb.hotplug, flashdeckd.usb.libusb; flashdeckd.usb.hotplug.PyudevHotplug();"
        "sys.exit(bool({'pyudev', 'usb', 'libusb_package'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603  (our own words)
