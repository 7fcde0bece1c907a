"""The baton: virtual time, seeded turns, and lives that end in the middle of anything."""

import asyncio
import random
from collections.abc import Callable
from functools import partial

import pytest

from simulation.baton import Baton, BatonCondition, BatonLock, Life, Point, Runner, StandstillError


def run(baton: Baton, name: str, work: Callable[[], None], life: Life | None = None) -> None:
    baton.begin(Runner(name, life), work)


def test_time_jumps_to_the_next_moment_at_which_anybody_goes_on() -> None:
    baton, seen = Baton(random.Random(1)), list[tuple[str, float]]()

    def work(name: str, seconds: float) -> None:
        baton.wait(seconds)
        seen.append((name, baton.now))

    run(baton, "late", partial(work, "late", 1000.0))
    run(baton, "early", partial(work, "early", 2.0))
    baton.wait(5000.0)
    assert seen == [("early", 2.0), ("late", 1000.0)]
    assert baton.now == 5000.0


def turns(seed: int) -> list[str]:
    """Return in which order three threads came to their points."""
    baton, seen = Baton(random.Random(seed)), list[str]()

    def work(name: str) -> None:
        for _ in range(10):
            baton.point(Point.WORK)
            seen.append(name)

    for name in "abc":
        run(baton, name, partial(work, name))
    baton.wait(1.0)
    return seen


def test_the_seed_decides_whose_turn_it_is() -> None:
    assert turns(1) == turns(1)
    assert turns(1) != turns(2)


def test_nothing_of_a_life_goes_on_once_it_was_killed_and_what_it_held_is_free() -> None:
    baton, life, seen = Baton(random.Random(1)), Life(1), list[str]()
    lock = BatonLock(baton)

    def work() -> None:
        try:
            with lock:
                baton.wait(1.0)
                seen.append("went on")
        finally:
            seen.append("finally")

    run(baton, "daemon", work, life)
    baton.wait(0.5)
    assert not lock.is_free
    baton.kill(life)
    with lock:
        baton.wait(10.0)
    assert seen == []


def test_a_life_that_ends_itself_ends_at_that_point() -> None:
    baton, life, seen = Baton(random.Random(1)), Life(1), list[str]()

    def watch(_: Point) -> None:
        if baton.current.life is life:
            baton.kill(life)

    def work() -> None:
        baton.point(Point.DISK)
        seen.append("went on")

    baton.watch = watch
    run(baton, "daemon", work, life)
    baton.wait(10.0)
    assert seen == []


def test_a_condition_wakes_whoever_waits_before_the_time_is_over() -> None:
    baton, seen = Baton(random.Random(1)), list[tuple[bool, float]]()
    changed = BatonCondition(baton)

    def work(timeout: float) -> None:
        with changed:
            seen.append((changed.wait(timeout), baton.now))

    run(baton, "patient", partial(work, 100.0))
    run(baton, "hasty", partial(work, 1.0))
    baton.wait(5.0)
    with changed:
        changed.notify_all()
    baton.wait(500.0)
    assert seen == [(False, 1.0), (True, 5.0)]


def test_a_world_in_which_everybody_waits_for_somebody_else_is_told() -> None:
    with pytest.raises(StandstillError):
        Baton(random.Random(1)).wait()


def test_what_a_thread_does_not_catch_is_told_to_the_world() -> None:
    baton = Baton(random.Random(1))

    def careless() -> None:
        raise ValueError("nobody catches this")

    run(baton, "careless", careless)
    with pytest.raises(ValueError, match="nobody catches this"):
        baton.wait(1.0)


def test_each_thread_has_an_event_loop_of_its_own_or_none() -> None:
    baton, seen = Baton(random.Random(1)), dict[str, bool]()

    async def look(name: str) -> None:
        loop = asyncio.get_running_loop()
        baton.wait(1.0)
        seen[name] = asyncio.get_running_loop() is loop

    def no_loop() -> None:
        baton.wait(0.5)
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        seen["lane"] = True

    for name in ("one", "other"):
        run(baton, name, partial(asyncio.run, look(name)))
    run(baton, "lane", no_loop)
    baton.wait(5.0)
    assert seen == {"one": True, "other": True, "lane": True}
