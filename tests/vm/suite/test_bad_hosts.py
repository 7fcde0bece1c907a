"""A host whose events get lost, whose udevd is gone, or one of whose devices hangs in the kernel."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from flashdeck.model import Presence
from rig import WAIT_SECONDS, firmware
from vm.desk import Desk, board, desk, enumerated, of, ran

ONE = firmware("1.0.0", size=8_000)
UDEVD = ("/lib/systemd/systemd-udevd", "--daemon")
CONTROL = Path("/run/udev/control")
LIMITS = (Path("/proc/sys/net/core/rmem_max"), Path("/proc/sys/net/core/rmem_default"))
TINY = "2304"
"""Bytes of a socket's receive buffer: the least that the kernel takes, and room for two or three events."""
_HANG = """
import sys, usb.core, usb.util
device = usb.core.find(bus={bus}, address={address})
usb.util.claim_interface(device, 0)
print("claimed", flush=True)
sys.stdin.readline()
print("hangs", flush=True)
while True:  # each holds the device's lock until the kernel gives the request up, after five seconds
    try:
        device.set_interface_altsetting(0, 0)
    except usb.core.USBError:
        pass
"""


@pytest.fixture
def tiny_buffers() -> Iterator[None]:
    before = [limit.read_text() for limit in LIMITS]
    for limit in LIMITS:
        limit.write_text(TINY)
    yield
    for limit, text in zip(LIMITS, before, strict=True):
        limit.write_text(text)


@pytest.mark.usefixtures("tiny_buffers")
async def test_no_board_is_missed_where_the_kernel_drops_events(root: Path, daemon: tuple[str, ...]) -> None:
    specs = [board(f"board{number}", number) for number in range(1, 13)]
    names = [spec.name for spec in specs]
    async with desk(root, *specs, daemon=daemon) as it:
        for presence in (Presence.DFU, Presence.ABSENT):
            it.rig.send_signal(signal.SIGSTOP)
            for name in names:
                if presence is Presence.DFU:
                    it.bench.plug(name)
                else:
                    it.bench.unplug(name)
            for name in names:
                if presence is Presence.DFU:
                    await enumerated(it.bench, it.cables, name)
                else:
                    await gone(it, name)
            await ran("udevadm", "settle")  # so that udev has told
            it.rig.send_signal(signal.SIGCONT)
            await it.until_present(presence, *names)
            # Each monitor tells by itself, and all boards may be known by one of them before the other has.
            await logged(root / "log", "the kernel monitor lost events", "the udev monitor lost events")
            (root / "log").write_text("")
        now = await it.rig.until(lambda _: True)
        assert now.daemon.degraded == ()


async def logged(log: Path, *texts: str) -> None:
    """Wait until a daemon has written these texts."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not all(text in log.read_text() for text in texts):  # noqa: ASYNC110, ASYNC240 -- a file tells nobody
            await asyncio.sleep(0.05)


async def gone(it: Desk, name: str) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while it.cables.port(name).device.exists():  # noqa: ASYNC110 -- sysfs tells nobody
            await asyncio.sleep(0.05)


@contextmanager
def without_udevd() -> Generator[None]:
    """Udevd killed without a word, so that the file of its socket stays."""
    for process in Path("/proc").glob("[0-9]*"):
        if "udev" in _name(process):
            with suppress(ProcessLookupError):  # a worker of it may have ended by itself
                os.kill(int(process.name), signal.SIGKILL)
    assert CONTROL.exists()
    try:
        yield
    finally:
        subprocess.run(UDEVD, check=True, timeout=WAIT_SECONDS)  # noqa: S603 -- our words


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text()
    except OSError:
        return ""


async def test_boards_are_seen_and_flashed_without_udevd_and_that_is_said_until_it_is_back(root: Path) -> None:
    left, right, third = (board(name, port) for port, name in enumerate(("left", "right", "third"), start=1))
    async with desk(root, left, right, third) as it:
        await it.plug("left")
        assert (await it.rig.until(lambda _: True)).daemon.degraded == ()
        with without_udevd():
            await it.plug("right")
            (trouble,) = (await it.rig.until(lambda now: bool(now.daemon.troubles))).daemon.troubles
            assert trouble.part == "usb"
            assert "udevd does not run" in trouble.text
            assert "systemd-udevd" in trouble.hint
            told = await it.cli("doctor", "right", "--json")
            assert "udevd does not run" in told.out
            await it.flashed(ONE, "left", "right")
            it.bench.unplug("right")
            await it.until_present(Presence.ABSENT, "right")
        await it.plug("third")
        await it.rig.until(lambda now: now.daemon.degraded == ())


async def test_a_daemon_that_starts_without_udevd_finds_what_is_plugged_in(root: Path) -> None:
    async with desk(root, board("left", 1)) as it:
        await it.plug("left")
        await it.rig.stop()
        with without_udevd():
            await it.rig.restart(virtual=False)
            await it.until_present(Presence.DFU, "left")
            await it.flashed(ONE, "left")


async def test_a_device_that_holds_its_lock_in_the_kernel_is_named_and_the_others_are_flashed(root: Path) -> None:
    async with desk(root, board("left", 1), board("right", 16), careful=False) as it:
        port = it.cables.port("left").name
        it.rig.send_signal(signal.SIGSTOP)
        await enumerated(it.bench, it.cables, "left")
        await ran("udevadm", "settle")  # it notes the serial
        async with hanging(it, "left"):
            it.rig.send_signal(signal.SIGCONT)
            now = await it.rig.until(lambda now: any(each.part == f"device {port}" for each in now.daemon.troubles))
            (trouble,) = now.daemon.troubles
            assert trouble.boards == ("left",)
            assert "hangs" in trouble.text
            assert port in of(now, "left").trouble
            await it.plug("right")
            await it.flashed(ONE, "right")
        await it.rig.until(lambda now: not now.daemon.troubles)
        await it.waited(ONE, "left")


@asynccontextmanager
async def hanging(it: Desk, name: str) -> AsyncGenerator[None]:
    """A board that answers nothing, while a program asks it something that keeps its lock in the kernel held."""
    device = it.cables.port(name).device
    numbers = {key: int((device / key).read_text()) for key in ("busnum", "devnum")}
    program = _HANG.format(bus=numbers["busnum"], address=numbers["devnum"])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            assert await process.stdout.readline() == b"claimed\n"
        it.bench.fault(name, "hang", any_transfer=True)
        process.stdin.write(b"go\n")
        async with asyncio.timeout(WAIT_SECONDS):
            assert await process.stdout.readline() == b"hangs\n"
        yield
    finally:
        it.bench.unplug(name)
        it.bench.plug(name)
        if process.returncode is None:
            process.kill()
        await process.wait()
