"""How much of what devices and the system say is taken, and how long they are waited for."""

import asyncio
import os
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from flashdeck.api import CHUNK
from flashdeck.errors import RequestError
from flashdeckd.usb.descriptors import MAX_BYTES, MAX_INTERFACES, dfu_version, interfaces
from flashdeckd.usb.hotplug import LOOK_AGAIN, UDEV_PATIENCE, PyudevHotplug
from flashdeckd.usb.record_directory import MAX_ATTEMPTS, MAX_FILES, RecordDirectory
from flashdeckd.usb.record_directory import MAX_BYTES as MAX_RECORDED
from flashdeckd.usb.recording_backend import SHORT, is_payload
from unit.usb.fake_sysfs import FakeSysfs
from unit.usb.kernel_events import KernelEvents

INTERFACE = bytes((9, 4, 0, 0, 0, 0xFE, 1, 2, 0))
FUNCTIONAL = bytes((9, 0x21, 0x0B, 0, 0, 0, 4, 0x1A, 1))


def filler(size: int) -> bytes:
    """So many bytes of vendor descriptors."""
    return b"\x02\xff" * (size // 2) if size % 2 == 0 else b"\x03\xff\x00" + filler(size - 3)


def test_so_many_bytes_of_descriptors_are_looked_at() -> None:
    raw = filler(MAX_BYTES - len(INTERFACE + FUNCTIONAL)) + INTERFACE + FUNCTIONAL
    assert (len(interfaces(raw)), dfu_version(raw)) == (1, 0x011A)
    raw = filler(MAX_BYTES - len(INTERFACE) + 1) + INTERFACE + FUNCTIONAL
    assert (len(interfaces(raw)), dfu_version(raw)) == (0, None)


def test_so_many_alternate_settings_are_taken() -> None:
    every = [bytes((9, 4, number % 256, number // 256, 0, 0xFE, 1, 2, 0)) for number in range(MAX_INTERFACES + 1)]
    assert len(interfaces(b"".join(every[1:]))) == MAX_INTERFACES
    assert interfaces(b"".join(every)) == interfaces(b"".join(every[:-1]))


def test_so_many_recordings_are_kept(tmp_path: Path) -> None:
    directory = RecordDirectory(tmp_path / "r")
    earlier = [f"20260101T000000Z-{number:06}.jsonl" for number in range(MAX_FILES - 1)]
    for name in earlier:
        (directory.path / name).touch()
    os.close(directory.create()[1])
    assert [each.name for each in directory.listing()[:-1]] == earlier
    os.close(directory.create()[1])
    assert [each.name for each in directory.listing()[:-2]] == earlier[1:]


def test_recordings_take_so_many_bytes(tmp_path: Path) -> None:
    directory = RecordDirectory(tmp_path / "r")
    path, file = directory.create()
    for size, kept in ((MAX_RECORDED, 2), (MAX_RECORDED + 1, 2)):
        os.truncate(file, size)
        os.close(directory.create()[1])
        assert path.exists() is (size == MAX_RECORDED)
        assert len(directory.listing()) == kept
    os.close(file)


def test_so_many_names_are_tried_for_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = RecordDirectory(tmp_path / "r")
    tried: list[Path] = []

    def taken(path: Path, *_: object) -> int:
        tried.append(path)
        raise FileExistsError

    monkeypatch.setattr(os, "open", taken)
    with pytest.raises(FileExistsError):
        directory.create()
    assert len(set(tried)) == len(tried) == MAX_ATTEMPTS


def test_so_many_bytes_of_a_recording_are_read_at_once(tmp_path: Path) -> None:
    directory = RecordDirectory(tmp_path / "r")
    _, file = directory.create()
    os.truncate(file, CHUNK + 1)
    os.close(file)
    (listed,) = directory.listing()
    assert len(directory.piece(listed.index, 0, CHUNK).data) == CHUNK
    with pytest.raises(RequestError, match="no piece"):
        directory.piece(listed.index, 0, CHUNK + 1)


def test_so_many_bytes_of_a_first_block_are_kept_without_payloads() -> None:
    assert [is_payload(0x21, 1, 0, SHORT + more) for more in (0, 1)] == [False, True]
    assert is_payload(0x21, 1, 1, SHORT), "no command"


@pytest.fixture
def bus(tmp_path: Path) -> FakeSysfs:
    return FakeSysfs(tmp_path)


async def test_the_kernel_s_word_counts_after_udev_had_its_time(
    bus: FakeSysfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.plug("usb1/1-4")
    udev = KernelEvents(bus.devices)
    source = PyudevHotplug(udev, usb_bus=bus.usb_bus, udev_control=bus.root)
    loop, asked = asyncio.get_running_loop(), asyncio.Queue[float]()

    def later(delay: float, callback: Callable[[], object], *_: object) -> asyncio.TimerHandle:
        asked.put_nowait(delay)
        return loop.call_at(loop.time(), callback)

    async with aclosing(source.snapshots()) as snapshots:
        await anext(snapshots)
        looking = asyncio.ensure_future(anext(snapshots))
        monkeypatch.setattr(loop, "call_later", later)
        udev.speak()
        assert await asked.get() == UDEV_PATIENCE
        looking.cancel()
        await asyncio.wait([looking])
    udev.close()


async def test_without_events_the_next_look_comes_after_its_time(
    bus: FakeSysfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    udev = KernelEvents(bus.devices, deaf=True)
    source = PyudevHotplug(udev, usb_bus=bus.usb_bus, udev_control=bus.root)
    asked = asyncio.Queue[float | None]()
    real = asyncio.timeout

    def timeout(seconds: float | None) -> asyncio.Timeout:
        asked.put_nowait(seconds)
        return real(seconds)

    monkeypatch.setattr(asyncio, "timeout", timeout)
    async with aclosing(source.snapshots()) as snapshots:
        await anext(snapshots)
        looking = asyncio.ensure_future(anext(snapshots))
        assert await asked.get() == LOOK_AGAIN
        looking.cancel()
        await asyncio.wait([looking])
    udev.close()
