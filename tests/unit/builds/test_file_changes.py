"""Files that are read as a whole, as the configuration is: told once they have changed and rest."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from builds_rig import PATIENCE, needs_leases
from flashdeckd.builds.file_changes import FileChanges, States, states_of
from flashdeckd.builds.lease import install_sigio
from flashdeckd.builds.post import RESCAN
from flashdeckd.builds.source import HandDrivenSource
from flashdeckd.builds.watch import RESTART
from flashdeckd.builds.watch_pace import QUIET_STEP_MS, WatchPace

SETTLE = 0.2


class Clock:
    """Short pauses pass at once; the long ones between two looks without a hint pass when the test says so."""

    def __init__(self) -> None:
        self._now = 0.0
        self.looks = asyncio.Event()
        self.pauses = 0
        self.on_pause: Callable[[], object] = lambda: None
        self.rests = asyncio.Event()

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        if seconds < RESTART:
            self.pauses += 1
            self._now += seconds
            self.on_pause()
            await asyncio.sleep(0)
            return
        self.rests.set()
        ends = [asyncio.ensure_future(wake.wait()), asyncio.ensure_future(self.looks.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._now += seconds if self.looks.is_set() else 0.0
            for end in ends:
                end.cancel()


class Watch:
    """A wait for a change of files, with time and hints in the test's hands."""

    def __init__(self, known: States) -> None:
        self.source = HandDrivenSource()
        self.clock = Clock()
        self.noticed = 0
        changes = FileChanges(source=self.source, clock=self.clock)
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
        await watch.clock.rests.wait()
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
        await watch.source.hint()
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
        await watch.source.hint()
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
            await watch.source.hint()
            async with asyncio.timeout(PATIENCE):
                await many.wait()
            assert not watch.task.done()
        assert await watch.told() == states_of([path])


async def test_what_is_the_same_again_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("1")
    async with watching(path) as watch:
        watch.clock.rests.clear()
        await watch.source.hint()
        async with asyncio.timeout(PATIENCE):
            await watch.clock.rests.wait()
        assert not watch.task.done()
        assert watch.noticed == 0


async def test_a_change_without_a_hint_is_seen_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    async with watching(path) as watch:
        path.write_text("1")
        watch.clock.looks.set()
        await watch.told()
        assert watch.clock.now() >= RESCAN


async def test_where_files_cannot_be_watched_they_are_looked_at_and_that_is_said(tmp_path: Path) -> None:
    class Broken:
        trouble = mend = ""
        deaf_to: frozenset[str] = frozenset()

        async def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
            raise OSError(f"no watch on {len(patterns)}")
            yield

    path, clock, troubles = tmp_path / "c.toml", Clock(), list[str]()
    changes = FileChanges(source=Broken(), clock=clock, on_trouble=troubles.append)
    task = asyncio.create_task(changes.settled(states_of([path]), SETTLE, lambda: None))
    async with asyncio.timeout(PATIENCE):
        await clock.rests.wait()
        path.write_text("1")
        clock.looks.set()
        await task
    assert f"no watch on 1); they are looked at every {RESTART:g} s instead" in troubles[0]


async def test_the_watch_of_these_files_lets_the_daemon_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    waits, chosen = asyncio.Event(), WatchPace.step_ms

    def noted(pace: WatchPace, now: float) -> int:
        steps.append(chosen(pace, now))
        waits.set()
        return steps[-1]

    monkeypatch.setattr(WatchPace, "step_ms", noted)
    path = tmp_path / "c.toml"
    path.write_text("old")
    task = asyncio.create_task(FileChanges().settled(states_of([path]), SETTLE, lambda: None))
    async with asyncio.timeout(PATIENCE):
        await waits.wait()
        path.write_text("newer")
        await task
    assert set(steps) == {QUIET_STEP_MS}, "also right after the start, and after a change"
