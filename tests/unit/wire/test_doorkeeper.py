"""A server stays reachable: its socket is made again, or at the next place, for as long as the first cannot be had."""

import shutil
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from asked_times import asked_times
from flashdeckd.server import doorkeeper as doorkeeper_module
from flashdeckd.server.doorkeeper import LOOK_SECONDS, Doorkeeper
from flashdeckd.server.endpoint import claimed
from flashdeckd.server.server import Server
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from unit.wire.peer import is_there, peer


@dataclass
class House:
    hub: Hub
    first: Path
    second: Path
    keeper: Doorkeeper
    moves: list[Path]


@asynccontextmanager
async def house(hub: Hub, path: Path) -> AsyncGenerator[House]:
    first, second = path.parent / "run" / "sock", path.parent / "state" / "sock"
    moves: list[Path] = []
    server = Server(hub, {})
    with claimed(first) as endpoint:
        async with server.listening(endpoint):
            keeper = Doorkeeper(endpoint, (first, second), server, Health(hub), moved=moves.append)
            yield House(hub, first, second, keeper, moves)


async def answers(path: Path) -> bool:
    async with peer(path) as client:
        client.call(1, "status")
        return (await client.receive())["id"] == 1


async def test_a_directory_that_was_removed_is_made_again_for_us_alone(hub: Hub, path: Path) -> None:
    async with house(hub, path) as it, peer(it.first) as early:
        shutil.rmtree(it.first.parent)
        await it.keeper.look()
        assert await answers(it.first)
        assert stat.S_IMODE(it.first.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(it.first.stat().st_mode) == 0o600
        early.call(1, "status")
        assert (await early.receive())["id"] == 1, "who was connected stays"
        assert not it.hub.daemon.troubles
        with pytest.raises(Exception, match="already serves"), claimed(it.first):
            pass
        moved = list(it.moves)
        await it.keeper.look()
        assert it.moves == moved == [it.first], "nothing to do"
    assert not is_there(it.first)


async def test_where_it_cannot_be_made_again_the_next_place_serves_until_it_can(hub: Hub, path: Path) -> None:
    async with house(hub, path) as it:
        shutil.rmtree(it.first.parent)
        it.first.parent.write_text("in the way")
        for _ in range(2):
            await it.keeper.look()
            assert await answers(it.second)
        (trouble,) = hub.daemon.troubles
        assert trouble.part == "socket"
        assert str(it.second) in trouble.hint
        it.second.unlink()
        await it.keeper.look()
        assert await answers(it.second)
        it.first.parent.unlink()
        await it.keeper.look()
        assert await answers(it.first)
        assert not is_there(it.second)
        assert not hub.daemon.troubles
        assert (it.moves[0], it.moves[-1]) == (it.second, it.first)


async def test_another_daemon_that_came_there_meanwhile_is_left_alone(hub: Hub, path: Path) -> None:
    async with house(hub, path) as it:
        shutil.rmtree(it.first.parent)
        with claimed(it.first) as other, other.listening():
            await it.keeper.look()
            assert other.is_there
            assert await answers(it.second)
            assert "already serves" in hub.daemon.troubles[0].text


async def test_where_no_place_can_be_had_it_is_said_and_tried_again(hub: Hub, path: Path) -> None:
    async with house(hub, path) as it:
        shutil.rmtree(it.first.parent)
        for place in (it.first, it.second):
            place.parent.write_text("in the way")
        await it.keeper.look()
        assert "again" in hub.daemon.troubles[0].hint
        it.first.parent.unlink()
        await it.keeper.look()
        assert await answers(it.first)


async def test_it_looks_so_often(hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(hub, path) as it:
        asked = asked_times(monkeypatch)

        async def enough() -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(it.keeper, "look", enough)
        with pytest.raises(KeyboardInterrupt):
            await it.keeper.run()
        assert asked.naps == [LOOK_SECONDS] == [doorkeeper_module.LOOK_SECONDS]
