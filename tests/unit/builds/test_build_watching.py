"""The real watcher: what happens in a build directory is noticed by itself, and little else is."""

import asyncio
import contextlib
import logging
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import watchfiles

from builds_rig import PATIENCE, needs_leases
from flashdeckd.builds import builds as builds_module
from flashdeckd.builds import source as source_module
from flashdeckd.builds.builds import Builds, Settled, Watch
from flashdeckd.builds.source import (
    DEBOUNCE_MS,
    MAX_DIRECTORIES,
    POLL_MS,
    STEP_MS,
    SURVEY_MS,
    VANISHED_PAUSE,
    VANISHED_TIMES,
    WatchfilesSource,
    survey,
)


@pytest.fixture(autouse=True)
def _hints_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away the regular looks, so that only real hints can find anything."""
    monkeypatch.setattr(source_module, "SURVEY_MS", 3_600_000)
    monkeypatch.setattr(builds_module, "RESCAN", 3600.0)


@pytest.fixture(params=[None, True], ids=["notification", "polling"])
def polling(request: pytest.FixtureRequest) -> bool | None:
    return request.param


@asynccontextmanager
async def watching(
    *patterns: Path, polling: bool | None = None
) -> AsyncGenerator[tuple[Builds, "asyncio.Queue[Settled]"]]:
    queue = asyncio.Queue[Settled]()
    watches = [Watch("product", f"app{number}", str(path), 0.02) for number, path in enumerate(patterns)]
    source = _Announced(polling=polling)
    builds = Builds(watches, queue.put, source)
    task = asyncio.create_task(builds.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await source.in_place.wait()
        yield builds, queue
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


class _Announced(WatchfilesSource):
    """Says when the first watch is in place."""

    def __init__(self, *, polling: bool | None) -> None:
        super().__init__(polling=polling)
        self.in_place = asyncio.Event()

    async def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
        async for _ in super().hints(patterns):
            self.in_place.set()
            yield


async def take(queue: "asyncio.Queue[Settled]") -> bytes:
    async with asyncio.timeout(PATIENCE):
        return (await queue.get()).data


async def test_a_file_in_directories_that_do_not_exist_yet(tmp_path: Path, polling: bool | None) -> None:
    file = tmp_path / "fw" / "app1" / "Debug" / "APP1.bin"
    async with watching(file, polling=polling) as (_, queue):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"one")
        assert await take(queue) == b"one"
        file.write_bytes(b"three")
        assert await take(queue) == b"three"
        assert queue.empty()


def rewrite(file: Path) -> None:
    file.write_bytes(b"second")


def rename_over(file: Path) -> None:
    (file.parent / "temporary").write_bytes(b"second")
    (file.parent / "temporary").rename(file)


def make_directory_again(file: Path) -> None:
    shutil.rmtree(file.parent)
    file.parent.mkdir()
    file.write_bytes(b"second")


def make_all_again(file: Path) -> None:
    shutil.rmtree(file.parent.parent)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"second")


def move_directory_away(file: Path) -> None:
    file.parent.rename(file.parent.with_name("old"))
    file.parent.mkdir()
    file.write_bytes(b"second")


def move_directory_in(file: Path) -> None:
    other = file.parent.with_name("new")
    other.mkdir()
    (other / file.name).write_bytes(b"second")
    shutil.rmtree(file.parent)
    other.rename(file.parent)


@pytest.mark.parametrize(
    "act", [rewrite, rename_over, make_directory_again, make_all_again, move_directory_away, move_directory_in]
)
async def test_a_new_build_is_noticed_however_it_comes_and_so_is_the_next(
    tmp_path: Path, act: Callable[[Path], None]
) -> None:
    file = tmp_path / "app1" / "Debug" / "APP1.bin"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"first")
    async with watching(file) as (builds, queue):
        assert await take(queue) == b"first"
        act(file)
        assert await take(queue) == b"second"
        file.write_bytes(b"third")
        assert await take(queue) == b"third"
        assert builds.trouble == ""


async def test_a_directory_made_while_the_watch_is_set_up_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "app1" / "Debug" / "APP1.bin"
    real = source_module.directories
    surveys = 0

    def directories(pattern: str) -> list[str]:
        nonlocal surveys
        found = list(real(pattern))
        surveys += 1
        if surveys == 1:
            file.parent.mkdir(parents=True)
            file.write_bytes(b"first")
        return found

    monkeypatch.setattr(source_module, "directories", directories)
    async with watching(file) as (_, queue):
        assert await take(queue) == b"first"
        file.write_bytes(b"second")
        assert await take(queue) == b"second"


async def test_a_target_of_a_link_is_noticed(tmp_path: Path) -> None:
    target = tmp_path / "store" / "image"
    target.parent.mkdir()
    target.write_bytes(b"first")
    link = tmp_path / "build" / "APP1.bin"
    link.parent.mkdir()
    link.symlink_to(target)
    async with watching(link) as (_, queue):
        assert await take(queue) == b"first"
        target.write_bytes(b"second")
        assert await take(queue) == b"second"


async def test_a_directory_that_comes_to_match_a_glob_is_noticed(tmp_path: Path) -> None:
    async with watching(tmp_path / "build-*" / "*.bin") as (_, queue):
        for name in ("build-a", "build-b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "APP1.bin").write_bytes(name.encode())
            assert await take(queue) == name.encode()


async def test_a_slow_linker_in_another_process_makes_one_build(tmp_path: Path) -> None:
    needs_leases(tmp_path)
    file = tmp_path / "Debug" / "APP1.bin"
    pieces = 4
    code = (
        "import sys, time, pathlib\n"
        f"path = pathlib.Path({str(file)!r}); path.parent.mkdir()\n"
        "with path.open('wb', buffering=0) as f:\n"
        f"    for n in range({pieces}): f.write(bytes([n]) * 5000); time.sleep(0.1)\n"  # 5 x settle
    )
    async with watching(file) as (builds, queue):
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], check=True, timeout=PATIENCE)
        assert await take(queue) == b"".join(bytes([n]) * 5000 for n in range(pieces))
        async with asyncio.timeout(PATIENCE):
            assert await builds.look("product", "app0")
        assert queue.empty()


@pytest.mark.parametrize(
    ("pattern", "changed", "matters"),
    [
        ("/home/dev/fw/Debug/APP1.bin", "/home/dev/fw/Debug/APP1.bin", True),
        ("/home/dev/fw/Debug/APP1.bin", "/home/dev/fw/Debug/main.o", False),
        ("/home/dev/fw/Debug/APP1.bin", "/home/dev/fw/Debug", True),
        ("/home/dev/fw/Debug/APP1.bin", "/home/dev/.bash_history", False),
        ("/home/dev/fw/build-*/*.bin", "/home/dev/fw/build-7", True),
        ("/home/dev/fw/build-*/*.bin", "/home/dev/fw/build-7/APP1.bin", True),
        ("/home/dev/fw/build-*/*.bin", "/home/dev/fw/build-7/main.o", False),
        ("/home/dev/fw/**/APP1.bin", "/home/dev/fw/anything", True),
    ],
)
def test_other_files_in_a_busy_directory_are_no_hint(pattern: str, changed: str, matters: bool) -> None:
    assert source_module.hint_filter([pattern], {})(None, changed) is matters


async def test_a_watch_that_can_not_be_had_is_a_trouble_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds_module, "RESTART", 0.05)

    attempts = asyncio.Queue[None]()

    async def unavailable(*_paths: str, **_options: object) -> AsyncGenerator[None, None]:
        attempts.put_nowait(None)
        raise OSError("OS file watch limit reached")
        yield  # makes it a generator, which fails at its first step as the real one does

    file = tmp_path / "APP1.bin"
    queue = asyncio.Queue[Settled]()
    troubles = asyncio.Queue[str]()
    builds = Builds([Watch("product", "app1", str(file), 0.0)], queue.put, on_trouble=troubles.put_nowait)
    task: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            with monkeypatch.context() as broken:
                broken.setattr(source_module.watchfiles, "awatch", unavailable)
                task = asyncio.create_task(builds.run())
                assert "OS file watch limit reached" in await troubles.get()
                file.write_bytes(b"found by looking")
                assert await take(queue) == b"found by looking"
                for _ in range(3):
                    await attempts.get()
                assert troubles.empty()  # told once, though it was tried again and again
            assert await troubles.get() == ""
            file.write_bytes(b"found by a hint")
            assert await take(queue) == b"found by a hint"
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


async def test_a_vast_tree_is_watched_in_part_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(source_module, "MAX_DIRECTORIES", 5)
    for number in range(10):
        (tmp_path / str(number)).mkdir()
    hints = WatchfilesSource().hints([str(tmp_path / "**" / "*.bin")])
    with caplog.at_level(logging.INFO, "flashdeckd.builds"):
        async with asyncio.timeout(PATIENCE):
            await anext(hints)
    await hints.aclose()
    assert "watching 5 directories by notification" in caplog.text
    assert "more directories" in caplog.text


async def test_network_file_systems_are_polled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def sshfs(_descriptor: int) -> str:
        return "fuse.sshfs"

    monkeypatch.setattr("flashdeckd.builds.filesystem.filesystem_type", sshfs)
    file = tmp_path / "APP1.bin"
    with caplog.at_level(logging.INFO, "flashdeckd.builds"):
        async with watching(file) as (_, queue):
            file.write_bytes(b"image")
            assert await take(queue) == b"image"
    assert "by polling" in caplog.text


async def test_the_watch_is_set_up_with_its_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    async def awatch(*_paths: str, **options: object) -> AsyncGenerator[None, None]:
        asked.append(options)
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(watchfiles, "awatch", awatch)
    monkeypatch.setattr(source_module, "SURVEY_MS", SURVEY_MS)
    async with contextlib.aclosing(WatchfilesSource(polling=True).hints([str(tmp_path / "APP1.bin")])) as hints:
        await anext(hints)
    ((asked_for),) = asked
    assert asked_for["step"] == STEP_MS
    assert asked_for["debounce"] == DEBOUNCE_MS
    assert asked_for["rust_timeout"] == SURVEY_MS
    assert asked_for["poll_delay_ms"] == POLL_MS


async def test_directories_that_vanish_again_and_again_end_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str] = []
    naps: list[float] = []
    sleep = asyncio.sleep

    async def awatch(*_paths: str, **_options: object) -> AsyncGenerator[None, None]:
        attempts.append("")
        raise FileNotFoundError
        yield

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        await sleep(0)

    monkeypatch.setattr(watchfiles, "awatch", awatch)
    monkeypatch.setattr(asyncio, "sleep", nap)
    with pytest.raises(FileNotFoundError):
        async with contextlib.aclosing(WatchfilesSource().hints([str(tmp_path / "APP1.bin")])) as hints:
            await anext(hints)
    assert len(attempts) == VANISHED_TIMES + 1
    assert [seconds for seconds in naps if seconds] == [VANISHED_PAUSE] * VANISHED_TIMES


def test_so_many_directories_are_watched(tmp_path: Path) -> None:
    for number in range(MAX_DIRECTORIES + 1):
        (tmp_path / str(number)).mkdir()
    assert len(survey([str(tmp_path / "*" / "APP1.bin")])) == MAX_DIRECTORIES
