"""Looks that nobody is in a hurry for: one timer, one thread, one way back, and one that hangs costs only itself."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from asked_times import asked_times
from builds_rig import PATIENCE
from flashdeck.model import DaemonState
from flashdeckd.builds.file_changes import FileChanges, states_of
from flashdeckd.host import quiet_looks, threads
from flashdeckd.host.quiet_looks import LATE_SECONDS, LOOK_SECONDS, QuietLooks
from flashdeckd.server.doorkeeper import Doorkeeper
from flashdeckd.server.endpoint import claimed
from flashdeckd.server.server import Server
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal
from flashdeckd.state.place import own_place, watch
from unit.wire.peer import short_directory

T = TypeVar("T")


class Hops:
    """Counts what is done in another thread than the loop's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(threads.system, "run", self._run)

    async def _run(self, work: Callable[[], T], /) -> T:
        self.count += 1
        return await asyncio.to_thread(work)


async def test_all_that_a_quiet_daemon_looks_at_is_one_wake_up_of_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
    health, looks = Health(hub), QuietLooks()
    with short_directory() as root, own_place(root / "state", hint="") as place, claimed(root / "sock") as endpoint:
        journal = await Journal.open(root / "state" / "journal.sqlite3")
        server = Server(hub, {})
        (root / "c.toml").write_text("")
        async with server.listening(endpoint):
            door = Doorkeeper(endpoint, (), server, health, moved=lambda _: None, looks=looks)
            states = states_of([root / "c.toml", root / "missing.toml"])
            tasks = [
                asyncio.create_task(watch(place, journal, health, looks)),
                asyncio.create_task(door.run()),
                asyncio.create_task(FileChanges(looks).settled(states, 0.0, lambda: None)),
            ]
            await asyncio.sleep(0)
            hops = Hops(monkeypatch)
            for count in range(1, 4):
                await looks.take_round()
                for _ in range(3):
                    await asyncio.sleep(0)
                assert hops.count == count, "a look of its own"
            assert not any(task.done() for task in tasks)
            assert not hub.daemon.troubles
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await journal.close()


async def test_rounds_come_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, looks = asked_times(monkeypatch), QuietLooks()
    running = asyncio.create_task(looks.run())
    assert [await looks.next(lambda number=number: number) for number in range(3)] == [0, 1, 2]
    running.cancel()
    await asyncio.wait((running,))
    assert set(asked.naps) == {LOOK_SECONDS} == {quiet_looks.LOOK_SECONDS}


async def test_a_look_is_taken_once_and_its_error_is_its_own() -> None:
    looks, taken = QuietLooks(), list[str]()
    good = asyncio.create_task(looks.next(lambda: taken.append("good")))
    bad = asyncio.create_task(looks.next(lambda: 1 / 0))
    gone = asyncio.create_task(looks.next(lambda: taken.append("gone")))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    for _ in range(2):
        await looks.take_round()
    await good
    with pytest.raises(ZeroDivisionError):
        await bad
    assert taken == ["good"], "nobody waits for a look whose asker is gone"


async def test_one_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    late: list[float | None] = []
    real_wait = asyncio.wait

    async def wait(awaited: "tuple[asyncio.Future[None]]", *, timeout: float) -> object:  # noqa: ASYNC109 -- as it is called
        late.append(timeout)
        first = len(late) == 1
        if first:
            await asyncio.to_thread(begun.wait, PATIENCE)
        return await real_wait(awaited, timeout=0 if first else PATIENCE)

    looks, begun, goes_on = QuietLooks(), threading.Event(), threading.Event()

    def hang() -> str:
        begun.set()
        assert goes_on.wait(PATIENCE)
        return "late"

    before = asyncio.create_task(looks.next(lambda: "before"))
    hangs = asyncio.create_task(looks.next(hang))
    behind = asyncio.create_task(looks.next(lambda: "behind"))
    await asyncio.sleep(0)
    monkeypatch.setattr(asyncio, "wait", wait)
    await looks.take_round()
    assert await before == "before", "what was seen is told"
    assert not behind.done()
    await looks.take_round()
    assert await behind == "behind"
    assert not hangs.done()
    goes_on.set()
    async with asyncio.timeout(PATIENCE):
        assert await hangs == "late"
    assert late == [LATE_SECONDS] * 2 == [quiet_looks.LATE_SECONDS] * 2


async def test_a_file_is_looked_at_where_nothing_else_is(tmp_path: Path) -> None:
    looks = QuietLooks()
    await looks.take_round()
    asked = asyncio.create_task(looks.next((tmp_path / "x").exists))
    await asyncio.sleep(0)
    await looks.take_round()
    assert await asked is False
