"""Files that are read as a whole, as the configuration is: told once they have changed and rest."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from builds_rig import PATIENCE, HandClock, needs_leases
from flashdeckd.builds.builds import RESCAN, RESTART
from flashdeckd.builds.file_changes import FileChanges, States, states_of
from flashdeckd.builds.lease import install_sigio
from flashdeckd.builds.source import HandDrivenSource

SETTLE = 0.2


class Watch:
    """A wait for a change of files, with time and hints in the test's hands."""

    def __init__(self, paths: Sequence[Path], task: "asyncio.Task[States]", source: HandDrivenSource) -> None:
        self.paths = paths
        self.task = task
        self.source = source
        self.clock = HandClock()
        self.noticed = 0

    async def passes(self, seconds: float) -> None:
        await self.clock.advance(seconds, 1)


@asynccontextmanager
async def watching(*paths: Path) -> AsyncGenerator[Watch]:
    source, clock = HandDrivenSource(), HandClock()
    known = states_of(paths)

    def notice() -> None:
        watch.noticed += 1

    task = asyncio.create_task(FileChanges(source=source, clock=clock).settled(known, SETTLE, notice))
    watch = Watch(paths, task, source)
    watch.clock = clock
    await clock.idle(1)
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait([task])


async def told(watch: Watch) -> States:
    async with asyncio.timeout(PATIENCE):
        while not watch.task.done():
            await watch.clock.advance(SETTLE, 1) if not watch.task.done() else None
            await asyncio.sleep(0)
        return watch.task.result()


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
        states = await told(watch)
        assert states == states_of([path])
        assert watch.noticed >= 1


async def test_a_file_that_changes_again_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("1")
    async with watching(path) as watch:
        for number in range(3):
            path.write_text("x" * (number + 2))
            await watch.source.hint()
            await watch.passes(SETTLE * 0.9)
            assert not watch.task.done()
        await told(watch)


async def test_a_file_that_somebody_still_writes_is_waited_for(tmp_path: Path) -> None:
    needs_leases(tmp_path)
    assert install_sigio()
    path = tmp_path / "c.toml"
    path.write_text("1")
    async with watching(path) as watch:
        with path.open("w") as file:
            file.write("half")
            file.flush()
            await watch.source.hint()
            await watch.passes(10 * SETTLE)
            assert not watch.task.done()
        await told(watch)


async def test_what_is_the_same_again_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("1")
    async with watching(path) as watch:
        await watch.source.hint()
        await watch.passes(10 * SETTLE)
        assert not watch.task.done()
        assert watch.noticed == 0


async def test_a_change_without_a_hint_is_seen_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    async with watching(path) as watch:
        path.write_text("1")
        await watch.passes(RESCAN * 0.9)
        assert watch.noticed == 0
        await watch.passes(RESCAN * 0.2)
        await told(watch)


async def test_where_files_cannot_be_watched_they_are_looked_at_and_that_is_said(tmp_path: Path) -> None:
    class Broken:
        async def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
            raise OSError(f"no watch on {len(patterns)}")
            yield

    path, clock, troubles = tmp_path / "c.toml", HandClock(), list[str]()
    changes = FileChanges(source=Broken(), clock=clock, on_trouble=troubles.append)
    task = asyncio.create_task(changes.settled(states_of([path]), SETTLE, lambda: None))
    await clock.idle(2)
    path.write_text("1")
    await clock.advance(RESTART, 2)
    async with asyncio.timeout(PATIENCE):
        while not task.done():
            await clock.advance(SETTLE, 1)
            await asyncio.sleep(0)
    assert f"no watch on 1); they are looked at every {RESTART:g} s instead" in troubles[0]
