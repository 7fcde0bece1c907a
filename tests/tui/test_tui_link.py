"""The link against the real server: it connects, follows, loses the daemon and finds it again."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from flashdeck import api, stream
from flashdeck.api import LOG_PAGE
from flashdeck.errors import ConnectionFailedError
from flashdeck.flash_map import FlashMap
from flashdeck.model import BoardState, DaemonState, Presence
from flashdeck.value import Value
from flashdeck_tui.link import Link, LinkStatus, start_command
from flashdeck_tui.pauses import FIRST_PAUSE, LONGEST_PAUSE
from flashdeck_tui.store import Store
from flashdeckd.server.connection import Connection
from flashdeckd.server.server import Handler, Server
from flashdeckd.state.hub import Hub
from tui_scene import NOW

BOARD = BoardState(name="left", profile="product", presence=Presence.DFU)


def new_hub(instance: str = "one", *, virtual: bool = False) -> Hub:
    hub = Hub(DaemonState(version="0.1.0", pid=1, instance=instance, host="bench", started_at=NOW, virtual=virtual))
    hub.publish_board(BOARD)
    hub.log(f"daemon {instance} started")
    return hub


@asynccontextmanager
async def serving(hub: Hub, socket: Path, maps: Handler | None = None) -> AsyncGenerator[None]:
    """The real server with the few methods that the link needs."""

    async def logs(params: api.GetLogs, _connection: Connection) -> Value:
        return api.LogPage(lines=hub.logs(after=params.after, limit=params.limit), next=0)

    async def hold(params: api.Hold, _connection: Connection) -> Value:
        return api.BoardList(boards=(BOARD,), devices=()) if params.boards == (BOARD.name,) else api.Empty()

    more = {} if maps is None else {api.GetMaps: maps}
    async with Server(hub, {api.GetLogs: logs, api.Hold: hold, **more}).listening(socket):
        yield


class Pauses:
    """Stands in for sleeping: every pause waits until the test lets it go on."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._begun = asyncio.Event()
        self._over = asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._begun.set()
        await self._over.acquire()

    async def begun(self) -> None:
        await asyncio.wait_for(self._begun.wait(), 30)
        self._begun.clear()

    def go_on(self) -> None:
        self._over.release()


@pytest.fixture
def socket() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        yield Path(directory, "d", "s")


@asynccontextmanager
async def linked(socket: Path, store: Store, pauses: Pauses) -> AsyncGenerator[Link]:
    link = Link(socket, store, pause=pauses)
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def until(reached: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 - the store has no event: screens look at it now and then, as here
            await asyncio.sleep(0.005)


async def test_without_a_daemon_it_says_how_to_start_one_and_waits_longer_each_time(socket: Path) -> None:
    store, pauses = Store(), Pauses()
    async with linked(socket, store, pauses) as link:
        for _ in range(6):
            await pauses.begun()
            pauses.go_on()
        await pauses.begun()
        assert link.state.status is LinkStatus.DISCONNECTED
        assert str(socket) in link.state.reason
        assert link.state.hint == f"start it: flashdeckd --socket {socket}"
        assert pauses.asked[0] == FIRST_PAUSE
        assert pauses.asked == sorted(pauses.asked)
        assert pauses.asked[-1] == pauses.asked[-2] == LONGEST_PAUSE
        with pytest.raises(ConnectionFailedError) as refused:
            await link.call(api.Hold(boards=("left",)))
        assert refused.value.hint == link.state.hint


async def test_a_daemon_that_does_not_answer_is_not_to_be_started_again(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HELLO_TIMEOUT", 0.01)
    socket.parent.mkdir()
    pauses = Pauses()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    stopped = await asyncio.start_unix_server(say_nothing, socket)
    async with stopped, linked(socket, Store(), pauses) as link:
        await pauses.begun()
        assert "did not answer" in link.state.reason
        assert "is it stopped" in link.state.hint


async def test_it_connects_once_there_is_a_daemon_and_follows_it(socket: Path) -> None:
    store, pauses = Store(), Pauses()
    async with linked(socket, store, pauses) as link:
        await pauses.begun()
        hub = new_hub()
        async with serving(hub, socket):
            pauses.go_on()
            await until(lambda: link.connected)
            assert store.boards == {"left": BOARD}
            assert [line.text for line in store.log] == ["daemon one started"]
            hub.log("something happened")
            hub.publish_board(BoardState(name="right", profile="product", presence=Presence.ABSENT))
            await until(lambda: "right" in store.boards and len(store.log) == 2)
            assert (await link.call(api.Hold(boards=("left",)))).boards == (BOARD,)


async def test_it_keeps_what_it_knew_and_takes_up_with_the_next_daemon(socket: Path) -> None:
    store, pauses = Store(), Pauses()
    async with linked(socket, store, pauses) as link:
        async with serving(new_hub(), socket):
            await until(lambda: link.connected)
        await pauses.begun()
        assert link.state.status is LinkStatus.DISCONNECTED
        assert link.state.reason
        assert store.boards == {"left": BOARD}
        async with serving(new_hub("two"), socket):
            pauses.go_on()
            await until(lambda: link.connected)
            assert [line.text for line in store.log] == ["daemon one started", "daemon two started"]
        await pauses.begun()
        assert pauses.asked == [FIRST_PAUSE, FIRST_PAUSE]  # a connection that came about ends the growing pauses


async def test_a_daemon_of_virtual_boards_is_not_to_be_replaced_by_one_of_real_ones(socket: Path) -> None:
    pauses = Pauses()
    async with linked(socket, Store(), pauses) as link:
        async with serving(new_hub(virtual=True), socket):
            await until(lambda: link.connected)
            pauses.go_on()
        await until(lambda: len(pauses.asked) > 1)
        assert "no flashdeckd listens" in link.state.reason
        assert (
            link.state.hint == f"start it: flashdeckd --virtual FILE --socket {socket} (a demo: q, and start it anew)"
        )


async def test_it_asks_for_as_many_log_lines_as_there_are_in_one_answer(socket: Path) -> None:
    store, hub = Store(), new_hub()
    for _ in range(LOG_PAGE):
        hub.log("line")
    async with serving(hub, socket), linked(socket, store, Pauses()) as link:
        await until(lambda: link.connected)
        assert len(store.log) == LOG_PAGE


async def test_closing_the_link_leaves_the_daemon_alone(socket: Path) -> None:
    async with serving(new_hub(), socket):
        for _ in range(2):
            store = Store()
            async with linked(socket, store, Pauses()) as link:
                await until(lambda: link.connected)


def test_the_command_to_start_a_daemon_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.delenv("FLASHDECK_SOCKET", raising=False)
    assert start_command(Path("/run/user/1000/flashdeck/flashdeckd.sock")) == "flashdeckd"
    assert start_command(Path("/tmp/a b/s")) == "flashdeckd --socket '/tmp/a b/s'"


async def test_maps_for_which_a_snapshot_has_no_room_are_asked_for(socket: Path) -> None:
    store, hub, asked = Store(), new_hub(), list[tuple[str, ...]]()
    names = ("left", "one", "two", "three")
    for name in names[1:]:
        hub.publish_board(BoardState(name=name, profile="product", presence=Presence.ABSENT))
    hub.draw_maps_with(lambda _: (FlashMap(board="left"),))

    async def maps(params: api.GetMaps, _connection: Connection) -> Value:
        asked.append(params.boards)
        return api.MapList(maps=(FlashMap(board=params.boards[0], job=7),), left=params.boards[1:])

    async with serving(hub, socket, maps), linked(socket, store, Pauses()) as link:
        await until(lambda: link.connected)
        assert asked == [names[1:], names[2:], names[3:]]
        assert {name: store.map_of(name).job for name in names} == {"left": 0, "one": 7, "two": 7, "three": 7}
        hub.publish_map(FlashMap(board="left", job=8))
        await until(lambda: store.map_of("left").job == 8)


async def test_a_daemon_that_tells_no_maps_is_not_asked_for_any(socket: Path) -> None:
    store = Store()
    async with serving(new_hub(), socket), linked(socket, store, Pauses()) as link:
        await until(lambda: link.connected)
        assert link.state.reason == ""
        assert store.maps == {}
