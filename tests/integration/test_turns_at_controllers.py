"""Boards of one host controller take turns: never more at once than `max_per_controller`, and nobody waits for ever."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import counted_bench
from counted_bench import most_at_once
from flashdeck import api
from flashdeck.client import Client
from flashdeck.job_state import Cancelled, Done, Running, WaitFor, Waiting
from flashdeck.model import JobState, Snapshot
from job_states import is_writing, waits_for
from rig import SLOW, Rig, begun, board, firmware, prepare, running
from slot_bench import GOOD, prepare_slots

pytestmark = pytest.mark.long

ONE = firmware("1.0.0", size=30_000)
LONG = firmware("2.0.0", size=350_000)
"""Takes so long that all of a test happens meanwhile."""
NAMES = ("a1", "a2", "a3", "b1", "b2", "b3")


def benched(root: Path, limit: int | None, names: tuple[str, ...] = NAMES) -> None:
    """Write a configuration and a bench of boards, each at the controller by which its name begins."""
    serials = {name: f"TEST{name}" for name in names}
    prepare(
        root,
        boards="".join(f'[boards.{name}]\nprofile = "product"\nserial = "{serials[name]}"\n' for name in names),
        bench="".join(
            board(name, number, serial=serials[name], controller=name[0], **SLOW)
            for number, name in enumerate(names, 1)
        ),
    )
    set_limit(root, limit)


def set_limit(root: Path, limit: int | None) -> None:
    config = root / "config.toml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("max_per_controller")]
    if limit is not None:
        lines.insert(lines.index("[daemon]") + 1, f"max_per_controller = {limit}")
    config.write_text("\n".join(lines) + "\n")


@asynccontextmanager
async def taking_turns(root: Path, limit: int | None, names: tuple[str, ...] = NAMES) -> AsyncGenerator[Rig]:
    benched(root, limit, names)
    async with running(root, daemon=(counted_bench.__file__,)) as rig:
        yield rig


@asynccontextmanager
async def a2_waits(root: Path) -> AsyncGenerator[tuple[Rig, JobState]]:
    """One place: `a1` has it for long, and `a2` waits for it; with the job of that."""
    async with taking_turns(root, 1, ("a1", "a2")) as rig:
        await rig.client.call(api.Hold(boards=("a2",), reason="a1 is to be first"))
        rig.build(LONG)
        await rig.until(says("a1", is_writing))
        await rig.client.call(api.Release(boards=("a2",)))
        (job,) = waiting(await rig.until(lambda s: bool(waiting(s))))
        yield rig, job
        await cancel_all(rig)


async def cancel_all(rig: Rig) -> None:
    """End all jobs: each rig's daemon ends at once then."""
    for job in await rig.jobs():
        if not job.is_settled:
            await rig.client.call(api.Cancel(job=job.id))


def waiting(snapshot: Snapshot) -> list[JobState]:
    return [job for job in snapshot.jobs if waits_for(job) is WaitFor.CONTROLLER]


def of(snapshot: Snapshot, name: str) -> JobState:
    return [job for job in snapshot.jobs if job.board == name][-1]


def says(name: str, test: Callable[[JobState], bool]) -> Callable[[Snapshot], bool]:
    return lambda snapshot: any(test(job) for job in snapshot.jobs if job.board == name)


async def test_no_more_boards_of_a_controller_are_flashed_at_once_than_it_says(root: Path) -> None:
    async with taking_turns(root, 2) as rig:
        rig.build(ONE)
        snapshot = await rig.until(lambda s: len(waiting(s)) == 2)
        for job in waiting(snapshot):
            letter = job.board[0]
            others = [name for name in NAMES if name[0] == letter and name != job.board]
            assert isinstance(job.status, Waiting)
            assert job.status.reason.startswith(f"controller virtual-bench-{letter} is busy with 2 of 2 boards (")
            assert all(name in job.status.reason for name in others)
            assert job.status.reason.endswith("; next in line")
            assert not job.needs_person
        states = {state.name: state for state in snapshot.controllers}
        assert set(states) == {"virtual-bench-a", "virtual-bench-b"}
        for state in states.values():
            assert (len(state.boards), len(state.busy), len(state.waiting), state.limit) == (3, 2, 1, 2)
        jobs = await rig.wait(data=ONE)
        assert len(jobs) == 6
        assert {type(job.status) for job in jobs} == {Done}
        assert most_at_once(root) == {"a": 2, "b": 2}
        for name in NAMES:
            assert await rig.partition_of(name, len(ONE)) == ONE


async def test_without_a_limit_all_are_flashed_at_once(root: Path) -> None:
    async with taking_turns(root, None) as rig:
        rig.build(LONG)
        await rig.until(lambda s: sum(map(is_writing, s.jobs)) == 6)
        assert most_at_once(root) == {"a": 3, "b": 3}
        await cancel_all(rig)


async def test_a_board_that_is_unplugged_in_its_place_frees_it(root: Path) -> None:
    async with a2_waits(root) as (rig, _):
        await rig.unplug("a1")
        snapshot = await rig.until(says("a2", is_writing))
        assert waits_for(of(snapshot, "a1")) is WaitFor.ABSENT
        await rig.plug("a1")
        snapshot = await rig.until(says("a1", lambda job: waits_for(job) is WaitFor.CONTROLLER))
        assert isinstance(of(snapshot, "a2").status, Running)
    assert most_at_once(root) == {"a": 1}


async def test_whatever_ends_the_waiting_ends_it_at_once(root: Path) -> None:
    async with a2_waits(root) as (rig, job):
        client = rig.client

        async def waits(for_: WaitFor) -> None:
            snapshot = await rig.until(says("a2", lambda job: waits_for(job) is for_))
            assert isinstance(of(snapshot, "a1").status, Running), "all of it has to happen meanwhile"

        await client.call(api.Hold(boards=("a2",), reason="being soldered"))
        await waits(WaitFor.HOLD)
        await client.call(api.Release(boards=("a2",)))
        await waits(WaitFor.CONTROLLER)
        await rig.unplug("a2")
        await waits(WaitFor.ABSENT)
        await rig.plug("a2")
        await waits(WaitFor.CONTROLLER)
        async with await Client.connect(rig.socket, client="somebody") as other:
            await other.call(api.Take(boards=("a2",), reason="to look at"))
            await waits(WaitFor.LEASE)
            await other.call(api.EndLease())
        await waits(WaitFor.CONTROLLER)
        await client.call(api.Cancel(job=job.id))
        snapshot = await rig.until(lambda s: of(s, "a2").is_settled)
        assert isinstance(of(snapshot, "a2").status, Cancelled)
        assert isinstance(of(snapshot, "a1").status, Running)
    assert most_at_once(root) == {"a": 1}


async def test_a_higher_limit_lets_those_begin_that_wait(root: Path) -> None:
    async with taking_turns(root, 1, ("a1", "a2", "a3")) as rig:
        rig.build(LONG)
        await rig.until(lambda s: len(waiting(s)) == 2 and any(map(is_writing, s.jobs)))
        set_limit(root, 3)
        reloaded = await rig.client.call(api.ReloadConfig())
        assert "at most 3 boards of one controller at once" in reloaded.changes
        await rig.until(lambda s: sum(map(is_writing, s.jobs)) == 3)
        set_limit(root, 1)
        await rig.client.call(api.ReloadConfig())
        assert sum(isinstance(job.status, Running) for job in await rig.jobs()) == 3, "what runs goes on"
        await cancel_all(rig)


async def test_a_daemon_ends_while_boards_wait_and_the_next_one_goes_on(root: Path) -> None:
    benched(root, 1, ("a1", "a2"))
    async with running(root, daemon=(counted_bench.__file__,)) as rig:
        rig.build(LONG)
        await rig.until(lambda s: bool(waiting(s)) and any(map(is_writing, s.jobs)))
        assert await rig.stop() == 0
        await rig.restart()
        await rig.until(lambda s: bool(waiting(s)) and any(map(is_writing, s.jobs)))
        await cancel_all(rig)


async def test_a_look_waits_for_its_turn_too(root: Path) -> None:
    async with a2_waits(root) as (rig, job):
        await rig.client.call(api.Cancel(job=job.id))
        await rig.client.call(api.Hold(boards=("a2",), reason="nothing is to be flashed"))
        looks = await begun(rig.client, api.Plan(partition="app1", boards=("a2",)))
        running_job = of(await rig.until(says("a1", is_writing)), "a1")
        assert not looks.done()
        await rig.client.call(api.Cancel(job=running_job.id))
        (plan,) = (await looks).plans
        assert plan.steps
        assert most_at_once(root) == {"a": 1}


async def test_units_in_slots_take_turns_like_boards(root: Path) -> None:
    prepare_slots(root, 3, keys=dict(SLOW))
    set_limit(root, 1)
    async with running(root, daemon=(counted_bench.__file__,)) as rig:
        rig.build(GOOD)
        await rig.client.call(api.VirtualPlug(boards=("u1", "u2", "u3")))
        await rig.until(lambda s: len(waiting(s)) == 2)
        await rig.until(lambda s: sum(isinstance(job.status, Done) for job in s.jobs) == 3)
        assert most_at_once(root) == {"": 1}
