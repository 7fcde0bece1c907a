"""The endpoint follows the configuration: opened, moved, closed, and told of in words where it cannot be."""

import asyncio
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from asked_times import asked_times
from flashdeck.loopback import ListenAt, LoopbackPort, SocketFile
from flashdeck.model import DaemonState
from flashdeckd.host.quiet_looks import QuietLooks
from flashdeckd.metrics.metrics_endpoint import PART, RETRY_SECONDS, MetricsEndpoint
from flashdeckd.metrics.metrics_token import TOKEN_NAME
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from metrics_scene import answer_of, request


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose name is short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="fdm-"))
    yield path
    shutil.rmtree(path)


def free_port() -> LoopbackPort:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return LoopbackPort("127.0.0.1", listener.getsockname()[1])


class Wanted:
    """A hub, and a configuration that a test changes."""

    def __init__(self, place: Path) -> None:
        self.hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
        self.place = place
        self.looks = QuietLooks()
        self.at: ListenAt | None = None
        self.endpoint = MetricsEndpoint(self.hub, Health(self.hub), place, lambda: self.at, self.looks)
        self._changes = 0

    def want(self, at: ListenAt | None) -> None:
        """Change the configuration, as a reload does: the state of the daemon tells of it."""
        self.at = at
        self._changes += 1
        self.hub.publish_daemon(replace(self.hub.daemon, instance=f"i{self._changes}"))

    async def until_logged(self, text: str) -> None:
        await self.hub.until(lambda: any(text in line.text for line in self.hub.logs()))

    @property
    def trouble(self) -> str:
        return next((each.line for each in self.hub.daemon.troubles if each.part == PART), "")

    async def until_trouble(self) -> str:
        await self.hub.until(lambda: bool(self.trouble))
        return self.trouble

    async def until_well(self) -> None:
        await self.hub.until(lambda: not self.trouble)

    async def ask(self) -> int:
        at = self.at
        if isinstance(at, LoopbackPort):
            token = (self.place / TOKEN_NAME).read_text().strip()
            reader, writer = await asyncio.open_connection(at.address, at.port)
            writer.write(request(at.port, token=token))
        else:
            assert isinstance(at, SocketFile)
            reader, writer = await asyncio.open_unix_connection(at.path)
            writer.write(request(1, token=None))
        answer = answer_of(await reader.read())
        writer.close()
        await writer.wait_closed()
        assert b"flashdeck_build_info" in answer.body
        return answer.status


@asynccontextmanager
async def wanted_in(place: Path) -> AsyncGenerator[Wanted]:
    it = Wanted(place)
    try:
        yield it
    finally:
        await it.endpoint.close()


async def test_where_it_is_not_wanted_there_is_no_task_and_no_file(place: Path) -> None:
    async with wanted_in(place) as it:
        before = asyncio.all_tasks()
        it.want(None)
        assert asyncio.all_tasks() == before
        assert not (place / TOKEN_NAME).exists()


async def test_it_is_opened_moved_and_closed(place: Path) -> None:
    async with wanted_in(place) as it:
        first, second = free_port(), SocketFile(place / "d" / "m")
        it.want(first)
        await it.until_logged(f"metrics: http://{first}/metrics, for whoever has the token in {place / TOKEN_NAME}")
        assert await it.ask() == 200
        it.want(second)
        await it.until_logged(f"metrics: /metrics at the socket {second}")
        assert await it.ask() == 200
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", first.port)
        it.want(first)  # the token is the same, and the port is free again
        await it.hub.until(lambda: sum("metrics: http" in line.text for line in it.hub.logs()) == 2)
        assert await it.ask() == 200
        assert not second.path.exists()
        it.want(None)
        await it.until_logged("metrics: not served any more")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", first.port)


@pytest.mark.parametrize("is_whole_directory", [False, True])
async def test_a_socket_that_somebody_removes_is_made_again(place: Path, *, is_whole_directory: bool) -> None:
    async with wanted_in(place) as it:
        at = SocketFile(place / "d" / "m")
        it.want(at)
        await it.until_logged(f"metrics: /metrics at the socket {at}")
        await it.looks.take_round()
        assert await it.ask() == 200, "one look changes nothing"
        if is_whole_directory:
            shutil.rmtree(at.path.parent)
        else:
            at.path.unlink()
        while not at.path.exists():
            await it.looks.take_round()
            await asyncio.sleep(0)
        await it.until_well()
        assert await it.ask() == 200
        assert any("was removed: it is made again" in line.text for line in it.hub.logs())


async def test_a_taken_port_is_told_and_tried_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    async with wanted_in(place) as it:
        with socket.create_server(("127.0.0.1", 0)) as other:
            it.want(LoopbackPort("127.0.0.1", other.getsockname()[1]))
            said = await it.until_trouble()
            assert said.startswith(f"metrics: cannot listen on {it.at}: Address already in use; name another port")
        await it.until_well()  # it was let go
        assert await it.ask() == 200
    assert RETRY_SECONDS in asked.naps


async def test_a_place_that_cannot_be_had_is_left_when_another_one_is_wanted(place: Path) -> None:
    async with wanted_in(place) as it:
        open_to_all = place / "open"
        open_to_all.mkdir()
        open_to_all.chmod(0o755)
        it.want(SocketFile(open_to_all / "m"))
        assert "is open to others" in await it.until_trouble()
        it.want(free_port())
        await it.until_well()
        assert await it.ask() == 200


async def test_a_path_that_is_too_long_is_told(place: Path) -> None:
    async with wanted_in(place) as it:
        it.want(SocketFile(place / ("m" * 120)))
        assert "the socket's path is too long" in await it.until_trouble()


async def test_a_token_that_others_can_read_opens_nothing(place: Path) -> None:
    (place / TOKEN_NAME).write_text("t" * 40)
    (place / TOKEN_NAME).chmod(0o644)
    async with wanted_in(place) as it:
        at = free_port()
        it.want(at)
        assert "is not yours alone" in await it.until_trouble()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", at.port)


@pytest.mark.parametrize("library", ["prometheus_client", "h11"])
async def test_a_missing_library_is_told_with_the_extra(
    library: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    async with wanted_in(place) as it:
        it.want(free_port())
        said = await it.until_trouble()
        assert said.startswith(f"metrics: [metrics] needs {library.replace('_', '-')}, which is not installed")
        assert "metrics]'" in said


async def test_it_ends_wherever_it_is(place: Path) -> None:
    for at in (free_port(), SocketFile(place / "d" / "m"), SocketFile(Path("/proc/nowhere/m")), None):
        async with wanted_in(place) as it:
            it.want(free_port())
            it.want(at)
            await asyncio.sleep(0)
        async with wanted_in(place) as it:
            it.want(at)
