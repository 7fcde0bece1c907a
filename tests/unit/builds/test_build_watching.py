"""The real watcher: what happens in a build directory is noticed by itself, and little else is."""

import asyncio
import contextlib
import logging
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from builds_rig import PATIENCE, needs_leases
from flashdeckd.builds import builds as builds_module
from flashdeckd.builds import post as post_module
from flashdeckd.builds import source as source_module
from flashdeckd.builds.builds import Builds
from flashdeckd.builds.source import (
    DEBOUNCE_MS,
    MAX_DIRECTORIES,
    POLL_MS,
    SURVEY_MS,
    VANISHED_PAUSE,
    VANISHED_TIMES,
    WatchfilesSource,
    survey,
)
from flashdeckd.builds.watch import Settled, Watch
from flashdeckd.builds.watch_pace import QUICK_STEP_MS, QUIET_AFTER, QUIET_STEP_MS, WatchPace
from flashdeckd.host.threads import ThreadEvent


@pytest.fixture(autouse=True)
def _hints_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away the regular looks, so that only real hints can find anything."""
    monkeypatch.setattr(source_module, "SURVEY_MS", 3_600_000)
    monkeypatch.setattr(post_module, "RESCAN", 3600.0)


@pytest.fixture(params=[None, True], ids=["notification", "polling"])
def polling(request: pytest.FixtureRequest) -> bool | None:
    return request.param


@asynccontextmanager
async def watching(
    *patterns: Path, polling: bool | None = None, source: "_Announced | None" = None
) -> AsyncGenerator[tuple[Builds, "asyncio.Queue[Settled]"]]:
    settled = asyncio.Queue[Settled]()
    watches = [Watch("product", f"app{number}", str(path), 0.02) for number, path in enumerate(patterns)]
    source = source or _Announced(polling=polling)
    builds = Builds(watches, settled.put, source)
    task = asyncio.create_task(builds.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await source.in_place.wait()
        yield builds, settled
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


class _Announced(WatchfilesSource):
    """Says when the first watch is in place."""

    def __init__(self, *, polling: bool | None = None, quiet_after: float = QUIET_AFTER) -> None:
        super().__init__(polling=polling, quiet_after=quiet_after)
        self.in_place = asyncio.Event()

    async def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
        async with contextlib.aclosing(super().hints(patterns)) as hints:
            async for _ in hints:
                self.in_place.set()
                yield


async def take(settled: "asyncio.Queue[Settled]") -> bytes:
    async with asyncio.timeout(PATIENCE):
        return (await settled.get()).data


async def test_a_file_in_directories_that_do_not_exist_yet(tmp_path: Path, polling: bool | None) -> None:
    file = tmp_path / "fw" / "app1" / "Debug" / "APP1.bin"
    async with watching(file, polling=polling) as (_, settled):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"one")
        assert await take(settled) == b"one"
        file.write_bytes(b"three")
        assert await take(settled) == b"three"
        assert settled.empty()


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
    async with watching(file) as (builds, settled):
        assert await take(settled) == b"first"
        act(file)
        assert await take(settled) == b"second"
        file.write_bytes(b"third")
        assert await take(settled) == b"third"
        assert builds.trouble == ""


async def test_a_directory_made_while_the_watch_is_set_up_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "app1" / "Debug" / "APP1.bin"
    real = source_module.places
    surveys = 0

    def places(pattern: str) -> list[str]:
        nonlocal surveys
        found = list(real(pattern))
        surveys += 1
        if surveys == 1:
            file.parent.mkdir(parents=True)
            file.write_bytes(b"first")
        return found

    monkeypatch.setattr(source_module, "places", places)
    async with watching(file) as (_, settled):
        assert await take(settled) == b"first"
        file.write_bytes(b"second")
        assert await take(settled) == b"second"


async def test_a_target_of_a_link_is_noticed(tmp_path: Path) -> None:
    target = tmp_path / "store" / "image"
    target.parent.mkdir()
    target.write_bytes(b"first")
    link = tmp_path / "build" / "APP1.bin"
    link.parent.mkdir()
    link.symlink_to(target)
    async with watching(link) as (_, settled):
        assert await take(settled) == b"first"
        target.write_bytes(b"second")
        assert await take(settled) == b"second"


async def test_a_directory_that_comes_to_match_a_glob_is_noticed(tmp_path: Path) -> None:
    async with watching(tmp_path / "build-*" / "*.bin") as (_, settled):
        for name in ("build-a", "build-b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "APP1.bin").write_bytes(name.encode())
            assert await take(settled) == name.encode()


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
    async with watching(file) as (builds, settled):
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], check=True, timeout=PATIENCE)
        assert await take(settled) == b"".join(bytes([n]) * 5000 for n in range(pieces))
        async with asyncio.timeout(PATIENCE):
            assert await builds.look("product", "app0")
        assert settled.empty()


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
    assert source_module.hint_filter([pattern], {})(changed) is matters


async def test_a_watch_that_can_not_be_had_is_a_trouble_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds_module, "RESTART", 0.05)
    attempts = asyncio.Queue[None]()
    loop = asyncio.get_running_loop()

    def unavailable(*_: object) -> None:
        loop.call_soon_threadsafe(attempts.put_nowait, None)
        raise WatchfilesRustInternalError("Too many open files (os error 24)")

    file = tmp_path / "APP1.bin"
    settled = asyncio.Queue[Settled]()
    troubles = asyncio.Queue[tuple[str, str, str]]()

    def note(part: str, trouble: str, mend: str) -> None:
        troubles.put_nowait((part, trouble, mend))

    builds = Builds([Watch("product", "app1", str(file), 0.0)], settled.put, on_trouble=note)
    task: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            with monkeypatch.context() as broken:
                broken.setattr(source_module, "RustNotify", unavailable)
                task = asyncio.create_task(builds.run())
                part, trouble, mend = await troubles.get()
                assert part == "watch on builds"
                assert "Too many open files" in trouble
                assert "max_user_instances" in mend
                file.write_bytes(b"found by looking")
                assert await take(settled) == b"found by looking"
                for _ in range(3):
                    await attempts.get()
                assert troubles.empty()  # told once, though it was tried again and again
            assert (await troubles.get())[1:] == ("", "")
            file.write_bytes(b"found by a hint")
            assert await take(settled) == b"found by a hint"
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
        async with watching(file) as (_, settled):
            file.write_bytes(b"image")
            assert await take(settled) == b"image"
    assert "by polling" in caplog.text


class Asked:
    """Stands in for watchfiles: notes what it is asked for, and tells what a test wants."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.set_up: list[tuple[object, ...]] = []
        self.waits: list[tuple[int, int, int]] = []
        self.waiting = asyncio.Event()
        self._loop = loop
        self._answers = queue.SimpleQueue[set[tuple[int, str]] | str]()

    def __call__(self, *options: object) -> "Asked":
        self.set_up.append(options)
        return self

    def watch(self, debounce: int, step: int, timeout: int, stop: ThreadEvent) -> set[tuple[int, str]] | str:
        self.waits.append((debounce, step, timeout))
        self._loop.call_soon_threadsafe(self.waiting.set)
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                return self._answers.get(timeout=0.01)
        return "stop"

    async def answer(self, outcome: set[tuple[int, str]] | str) -> None:
        """Let the wait that goes on end like this; returns when the next has begun."""
        await self.waiting.wait()
        self.waiting.clear()
        self._answers.put(outcome)
        await self.waiting.wait()


@pytest.fixture
async def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    stand_in = Asked(asyncio.get_running_loop())
    monkeypatch.setattr(source_module, "RustNotify", stand_in)
    return stand_in


async def test_the_watch_is_set_up_with_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Asked
) -> None:
    monkeypatch.setattr(source_module, "SURVEY_MS", SURVEY_MS)
    async with contextlib.aclosing(WatchfilesSource(polling=True).hints([str(tmp_path / "APP1.bin")])) as hints:
        await anext(hints)
        waiting = asyncio.ensure_future(anext(hints))
        async with asyncio.timeout(PATIENCE):
            await asked.waiting.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
    ((_paths, _debug, polling, delay, recursive, _lenient),) = asked.set_up
    assert (polling, delay, recursive) == (True, POLL_MS, False)
    assert asked.waits[0] == (DEBOUNCE_MS, QUICK_STEP_MS, SURVEY_MS)


async def test_the_steps_of_one_watch_grow_after_quiet_hours_and_shrink_with_the_first_hint(
    tmp_path: Path, asked: Asked
) -> None:
    now = 0.0
    file = tmp_path / "APP1.bin"
    heard = 0

    async def listen() -> None:
        nonlocal heard
        async with contextlib.aclosing(source.hints([str(file)])) as hints:
            async for _ in hints:
                heard += 1

    source = WatchfilesSource(polling=True, now=lambda: now)
    listening = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(PATIENCE):
            for now in (QUIET_AFTER * 0.9, QUIET_AFTER):  # noqa: B007 - the source looks at it
                await asked.answer("timeout")
            await asked.answer({(1, str(tmp_path / "main.o"))})  # nobody builds an image
            now += QUIET_AFTER
            await asked.answer({(1, str(file))})
            now += QUIET_AFTER * 0.9
            await asked.answer("timeout")
    finally:
        listening.cancel()
        await asyncio.wait([listening])
    quick, quiet = QUICK_STEP_MS, QUIET_STEP_MS
    assert [step for _, step, _ in asked.waits] == [quick, quick, quiet, quiet, quick, quick]
    assert len(asked.set_up) == 1, "the same watch went on: nothing that happened meanwhile is lost"
    assert heard == 2  # when it was in place, and the one that mattered


def test_wake_ups_a_second_are_few() -> None:
    assert 1000 / QUICK_STEP_MS <= 50
    assert 1000 / QUIET_STEP_MS <= 5
    pace = WatchPace(0.0, quiet_after=10.0)
    assert [pace.step_ms(now) for now in (0.0, 9.9, 10.0)] == [QUICK_STEP_MS, QUICK_STEP_MS, QUIET_STEP_MS]
    pace.heard(10.0)
    assert [pace.step_ms(now) for now in (10.0, 19.9, 20.0)] == [QUICK_STEP_MS, QUICK_STEP_MS, QUIET_STEP_MS]


@pytest.mark.parametrize(("step", "steps"), [(QUICK_STEP_MS, 20), (QUIET_STEP_MS, 2)])
def test_a_step_of_the_watch_is_one_wake_up(tmp_path: Path, step: int, steps: int) -> None:
    def woken() -> int:
        lines = Path("/proc/thread-self/status").read_text().splitlines()
        (count,) = [int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches:")]
        return count

    notify = RustNotify([str(tmp_path)], False, False, POLL_MS, False, True)  # noqa: FBT003 - as it is declared
    try:
        before = woken()
        assert notify.watch(DEBOUNCE_MS, step, step * steps, threading.Event()) == "timeout"
        assert 0 < woken() - before <= steps + 3  # the clocks of sleeping and of the timeout are not the same
    finally:
        notify.close()


async def test_what_happens_between_two_waits_of_one_watch_is_heard(tmp_path: Path) -> None:
    async with watching(tmp_path / "APP1.bin", source=_Announced(quiet_after=0.0)) as (builds, settled):
        for number in range(3):
            (tmp_path / "APP1.bin").write_bytes(bytes([number]))
            assert await take(settled) == bytes([number])
        assert builds.trouble == ""


async def test_directories_that_vanish_again_and_again_end_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str] = []
    naps: list[float] = []
    sleep = asyncio.sleep

    def gone(*_: object) -> None:
        attempts.append("")
        raise FileNotFoundError

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        await sleep(0)

    monkeypatch.setattr(source_module, "RustNotify", gone)
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
