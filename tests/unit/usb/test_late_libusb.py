"""libusb looks at every device when it is opened: one that hangs may hold it up, and the daemon starts all the same."""

import asyncio
import threading
from collections.abc import Iterable, Iterator

import pytest
from usb.backend import IBackend

from flash_rig import Rig
from flashdeck.errors import DeviceError, ErrorKind, FlashdeckError
from flashdeck.model import DaemonState
from flashdeckd.boards.real_usb import real_usb
from flashdeckd.host import executor
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.usb import libusb
from flashdeckd.usb.libusb import OPEN_SECONDS, library_version, opened_backend
from flashdeckd.usb.transport import open_device


class Library:
    """What loads libusb: it waits until it is let go."""

    def __init__(self, backend: IBackend) -> None:
        self.go = threading.Event()
        self.backend = backend
        self.error: FlashdeckError | None = None

    def __call__(self) -> IBackend:
        self.go.wait(30)
        if self.error is not None:
            raise self.error
        return self.backend


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def library(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    made = Library(rig.bench.backend)
    monkeypatch.setattr(libusb, "open_backend", made)
    monkeypatch.setattr(libusb, "OPEN_SECONDS", 0.01)
    yield made
    made.go.set()
    assert executor.at_work(30) == ()


@pytest.fixture
def hub() -> Hub:
    return Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))


async def test_until_it_has_come_no_board_is_opened_and_it_is_said_why(hub: Hub, library: Library, rig: Rig) -> None:
    backend, _ = await real_usb(Health(hub))
    assert backend is not None
    (trouble,) = hub.daemon.troubles
    assert (trouble.part, "hangs" in trouble.text) == ("libusb", True)
    assert library_version(backend) == "unknown"
    with pytest.raises(DeviceError) as refused:
        open_device(backend, rig.device)
    assert refused.value.kind is ErrorKind.DEVICE_BUSY, "whoever wants it waits, and tries again"
    assert "hangs" in refused.value.message
    library.go.set()
    async with asyncio.timeout(30):
        await hub.until(lambda: not hub.daemon.troubles)
    open_device(backend, rig.device).close()


async def test_one_that_comes_late_and_cannot_be_used_is_said(hub: Hub, library: Library) -> None:
    library.error = FlashdeckError("no libusb-1.0 can be loaded", hint="install it")
    await real_usb(Health(hub))
    library.go.set()
    async with asyncio.timeout(30):
        await hub.until(lambda: "can be loaded" in hub.daemon.troubles[0].text)


async def test_one_that_comes_in_time_is_itself(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float | None] = []
    real = asyncio.wait

    async def wait(ends: Iterable[asyncio.Future[object]], *, timeout: float | None = None) -> object:  # noqa: ASYNC109 -- asyncio's own
        waited.append(timeout)
        return await real(set(ends), timeout=timeout)

    monkeypatch.setattr(libusb, "OPEN_SECONDS", OPEN_SECONDS)
    monkeypatch.setattr(asyncio, "wait", wait)
    library.go.set()
    told: list[str] = []

    def tell(trouble: str, _hint: str) -> None:
        told.append(trouble)

    assert await opened_backend(tell) is library.backend
    library.error = FlashdeckError("none")
    with pytest.raises(FlashdeckError, match="none"):
        await opened_backend(tell)
    assert not told
    assert waited == [OPEN_SECONDS] * 2
