"""Threads: where work is done, in which order, and that somebody else can decide both."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

import pytest

from flashdeckd.__main__ import LAST_SECONDS
from flashdeckd.host import executor, threads
from flashdeckd.host.executor import DetachedExecutor

P = ParamSpec("P")
T = TypeVar("T")


class AtOnce(Executor):
    """Does its work where it is asked for it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        done = Future[T]()
        done.set_result(fn(*args, **kwargs))
        return done


class NoThreads:
    def __init__(self) -> None:
        self.names: list[str] = []

    lock = staticmethod(threading.Lock)
    condition = staticmethod(threading.Condition)
    event = staticmethod(threading.Event)

    def executor(self, name: str) -> Executor:
        self.names.append(name)
        return AtOnce()

    async def run(self, work: Callable[[], T], /) -> T:
        return work()


async def test_blocking_work_is_done_beside_the_loop() -> None:
    assert threads.is_main()
    assert not await threads.run(threads.is_main)
    assert await threads.run(sorted, [1, 3, 2], reverse=True) == [3, 2, 1]
    with pytest.raises(ValueError, match="invalid literal"):
        await threads.run(int, "x")


async def test_own_thread_does_one_piece_after_the_other() -> None:
    own = threads.OwnThread("lane-left")
    first = threading.Event()
    seen: list[str] = []

    def wait() -> str:
        first.wait()
        seen.append("first")
        return threading.current_thread().name

    slow, quick = own.run(wait), own.run(seen.append, "second")
    first.set()
    await quick
    assert seen == ["first", "second"]
    assert (await slow).startswith("lane-left")
    await own.end()


async def test_what_was_begun_is_done_though_nobody_waits() -> None:
    own = threads.OwnThread("journal")
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    forgotten = own.run(loop.call_soon_threadsafe, done.set)
    own.let_go()
    await done.wait()
    await forgotten
    with pytest.raises(RuntimeError, match="shutdown"):
        own.run(int)


async def test_somebody_else_may_run_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    other = NoThreads()
    monkeypatch.setattr(threads, "system", other)
    own = threads.OwnThread("lane-left")
    assert await threads.run(threads.is_main)
    assert await own.run(threads.is_main)
    await own.end()
    assert other.names == ["lane-left"]


def test_an_event_is_seen_once_it_has_happened() -> None:
    event = threads.event()
    assert not event.is_set()
    event.set()
    assert event.is_set()


def test_a_condition_is_told_by_another_thread() -> None:
    condition = threads.condition()

    def tell() -> None:
        with condition:
            condition.notify_all()

    with condition:
        assert not condition.wait(0.0)
        other = threading.Thread(target=tell)
        other.start()
        assert condition.wait()
    other.join()


async def test_no_more_threads_than_so_many_do_the_work_of_the_pool() -> None:
    gate, begun = threading.Event(), threading.Semaphore(0)
    at_once: list[str] = []

    def wait() -> None:
        at_once.append(threading.current_thread().name)
        begun.release()
        gate.wait(30)

    work = [asyncio.create_task(threads.run(wait)) for _ in range(threads.MOST_IN_POOL + 1)]
    await asyncio.sleep(0)  # lets them begin
    for _ in range(threads.MOST_IN_POOL):
        assert begun.acquire(timeout=30)
    assert len(executor.at_work(0)) == len(set(at_once)) == threads.MOST_IN_POOL
    gate.set()
    await asyncio.gather(*work)
    assert len(at_once) == threads.MOST_IN_POOL + 1
    assert executor.at_work(30) == ()


def test_a_thread_that_waits_is_used_again() -> None:
    pool = DetachedExecutor("few", 3)
    names: set[str] = set()
    for _ in range(20):
        names.add(pool.submit(lambda: threading.current_thread().name).result(30))
        executor.at_work(30)
    pool.shutdown()
    assert len(names) <= 2, "one may not have come to its wait when the next piece was there"


def test_the_end_of_the_process_waits_for_no_thread() -> None:
    program = """
import asyncio, threading
from flashdeckd.host import threads

async def main():
    own = threads.OwnThread("stuck")
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang():
        loop.call_soon_threadsafe(begun.set)
        threading.Event().wait()

    for work in (own.run(hang), asyncio.ensure_future(threads.run(hang))):
        await begun.wait()
        begun.clear()
    print("ends")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 -- our own words
    assert (done.returncode, done.stdout) == (0, "ends\n"), done.stderr


def test_a_thread_that_hangs_at_the_end_of_the_daemon_is_waited_for_so_long_and_named() -> None:
    program = """
import logging, sys, threading
import flashdeckd.__main__ as daemon
from flashdeckd.host.executor import DetachedExecutor

logging.basicConfig(level=logging.INFO)
daemon.at_work, real = (lambda seconds: print(seconds) or real(0)), daemon.at_work
with daemon._ending():
    DetachedExecutor("lane-left").submit(threading.Event().wait)
    import atexit
    atexit.register(threading.Event().wait)  # as libusb may, which waits for whoever is in it
    sys.exit(int(sys.argv[1]))
"""
    for code in (0, 3):
        words = (sys.executable, "-c", program, str(code))
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 -- our own words
        assert (done.returncode, done.stdout) == (code, f"{LAST_SECONDS}\n"), done.stderr
        assert "lane-left" in done.stderr
