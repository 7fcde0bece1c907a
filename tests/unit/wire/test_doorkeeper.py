"""A server stays reachable: its socket is made again, or at the next place, for as long as the first cannot be had."""

import asyncio
import shutil
import stat
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from builds_rig import PATIENCE
from flashdeckd.host.quiet_looks import QuietLooks
from flashdeckd.server.doorkeeper import Doorkeeper
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
    looks: QuietLooks
    moves: list[Path]
    on_move: list[Callable[[], object]]


@asynccontextmanager
async def house(hub: Hub, path: Path) -> AsyncGenerator[House]:
    first, second = path.parent / "run" / "sock", path.parent / "state" / "sock"
    moves: list[Path] = []
    server = Server(hub, {})
    with claimed(first) as endpoint:
        async with server.listening(endpoint):
            looks = QuietLooks()
            told: list[Callable[[], object]] = []

            def moved(path: Path) -> None:
                moves.append(path)
                for tell in told:
                    tell()

            keeper = Doorkeeper(endpoint, (first, second), server, Health(hub), moved=moved, looks=looks)
            yield House(hub, first, second, keeper, looks, moves, told)


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


async def test_it_notices_by_itself(hub: Hub, path: Path) -> None:
    async with house(hub, path) as it:
        keeping = asyncio.create_task(it.keeper.run())
        await asyncio.sleep(0)
        await it.looks.take_round()
        await asyncio.sleep(0)
        assert it.moves == []
        it.first.unlink()
        moved = asyncio.Event()
        it.on_move.append(moved.set)
        await it.looks.take_round()
        async with asyncio.timeout(PATIENCE):
            await moved.wait()
        assert await answers(it.first)
        keeping.cancel()
        await asyncio.wait((keeping,))
