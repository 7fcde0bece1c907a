"""Files that are read as a whole, as the configuration is: told once they have changed and rest."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from builds_rig import PATIENCE, needs_leases
from flashdeckd.builds.file_changes import FileChanges, States, states_of
from flashdeckd.builds.lease import install_sigio
from flashdeckd.host.quiet_looks import QuietLooks

SETTLE = 0.2
T = TypeVar("T")


class Clock:
    """Each pause passes at once."""

    def __init__(self) -> None:
        self._now = 0.0
        self.pauses = 0
        self.on_pause: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        del wake  # nothing sets it
        self.pauses += 1
        self._now += seconds
        self.on_pause()
        await asyncio.sleep(0)


class Looks(QuietLooks):
    """Says when it is asked for a look."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def next(self, look: Callable[[], T]) -> T:
        self.asked.set()
        return await super().next(look)


class Watch:
    """A wait for a change of files, with time and looks in the test's hands."""

    def __init__(self, known: States) -> None:
        self.looks = Looks()
        self.clock = Clock()
        self.noticed = 0
        changes = FileChanges(self.looks, clock=self.clock)
        self.task = asyncio.create_task(changes.settled(known, SETTLE, self.notice))

    def notice(self) -> None:
        self.noticed += 1

    async def told(self) -> States:
        async with asyncio.timeout(PATIENCE):
            return await self.task


@asynccontextmanager
async def watching(*paths: Path) -> AsyncGenerator[Watch]:
    watch = Watch(states_of(paths))
    async with asyncio.timeout(PATIENCE):
        await watch.looks.asked.wait()
    try:
        yield watch
    finally:
        watch.task.cancel()
        await asyncio.wait([watch.task])


@pytest.mark.parametrize("kind", ["written", "renamed over", "removed", "new", "in a new directory", "readable again"])
async def test_any_change_is_told(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("sub" if kind == "in a new directory" else ".") / "c.toml"
    if kind not in ("new", "in a new directory"):
        path.write_text("old")
    if kind == "readable again":
        path.chmod(0)
    async with watching(path) as watch:
        match kind:
            case "removed":
                path.unlink()
            case "renamed over":
                (tmp_path / "n").write_text("old")
                (tmp_path / "n").replace(path)
            case "readable again":
                path.chmod(0o600)
            case _:
                path.parent.mkdir(exist_ok=True)
                path.write_text("newer")
        await watch.looks.take_round()
        states = await watch.told()
        assert states == states_of([path])
        assert watch.noticed >= 1


async def test_a_file_that_changes_again_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("1")
    async with watching(path) as watch:
        left = ["22", "333", "4444"]
        watch.clock.on_pause = lambda: path.write_text(left.pop()) if left else None
        path.write_text("x" * 9)
        await watch.looks.take_round()
        assert await watch.told() == states_of([path])
        assert left == []
        assert watch.clock.now() >= SETTLE * 2


async def test_a_file_that_somebody_still_writes_is_waited_for(tmp_path: Path) -> None:
    needs_leases(tmp_path)
    assert install_sigio()
    path = tmp_path / "c.toml"
    path.write_text("1")
    async with watching(path) as watch:
        many, seen = asyncio.Event(), 10

        def count() -> None:
            if watch.clock.pauses > seen:
                many.set()

        watch.clock.on_pause = count
        with path.open("w") as file:
            file.write("half")
            file.flush()
            await watch.looks.take_round()
            async with asyncio.timeout(PATIENCE):
                await many.wait()
            assert not watch.task.done()
        assert await watch.told() == states_of([path])


async def test_what_is_the_same_again_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("1")
    async with watching(path) as watch:
        for _ in range(3):
            await watch.looks.take_round()
            await asyncio.sleep(0)
        assert not watch.task.done()
        assert watch.noticed == 0
        path.write_text("22")
        await watch.looks.take_round()
        assert await watch.told() == states_of([path])


async def test_a_file_that_is_as_it_was_again_is_not_told_and_looked_at_further(tmp_path: Path) -> None:
    path, kept = tmp_path / "c.toml", tmp_path / "kept"
    path.write_text("1")
    async with watching(path, kept) as watch:
        watch.clock.on_pause = lambda: kept.unlink(missing_ok=True)
        watch.looks.asked.clear()
        kept.write_text("new")
        await watch.looks.take_round()
        async with asyncio.timeout(PATIENCE):
            await watch.looks.asked.wait()
        assert watch.clock.pauses == 1
        watch.clock.on_pause = lambda: None
        kept.write_text("newer")
        await watch.looks.take_round()
        assert await watch.told() == states_of([path, kept])
