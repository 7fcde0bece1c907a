"""The count of jobs as they go: each end once, each step of the work once, whatever else is told of them."""

import pytest
from msgspec.structs import replace

from flashdeck.job_state import FlashWork, JobKind, JobStatus, Phase, PhaseTimes, Running, WaitFor, Waiting
from flashdeck.model import JobState, Origin
from flashdeck.verdict import Judgement, Verdict
from flashdeckd.metrics.job_tally import (
    BUCKETS,
    CountedEnd,
    CountedPlace,
    CountedTime,
    CountedVerdict,
    JobTally,
    Spread,
)
from job_states import BLOCKED, CANCELLED, DONE, FAILED, QUEUED, RUNNING, SUPERSEDED, WAITING, WRITTEN

APP1 = CountedPlace("left", "app1")


def job(
    number: int, status: JobStatus = QUEUED, *, work: FlashWork | None = None, times: PhaseTimes | None = None
) -> JobState:
    return JobState(
        id=number,
        board="left",
        partition="app1",
        sha256="aa" * 32,
        size=1,
        origin=Origin.BUILD,
        status=status,
        created_at=1.0,
        finished_at=50.0 + number,
        work=work or FlashWork(),
        times=times or PhaseTimes(),
    )


def heard(*states: JobState, before: tuple[JobState, ...] = ()) -> JobTally:
    tally = JobTally(before)
    for state in states:
        tally.hear(state, "product")
    return tally


@pytest.mark.parametrize(
    ("status", "result"), [(DONE, "done"), (FAILED, "failed"), (SUPERSEDED, "superseded"), (CANCELLED, "cancelled")]
)
def test_each_end_counts_once(status: JobStatus, result: str) -> None:
    ended = job(1, status)
    tally = heard(job(1), job(1, RUNNING), ended, replace(ended, undecided=True), ended)
    assert tally.ended == {CountedEnd("left", "app1", "flash", result): 1}


def test_what_had_ended_before_is_not_counted_but_for_when_it_was_done() -> None:
    tally = heard(job(1, DONE), before=(job(1, DONE), job(2, FAILED)))
    assert (tally.ended, tally.work) == ({}, {})
    assert tally.last_done == {APP1: 51.0}


def test_jobs_may_be_told_of_in_any_order() -> None:
    tally = heard(job(6), job(5), job(5, DONE), job(6, DONE))
    assert tally.ended[CountedEnd("left", "app1", "flash", "done")] == 2
    assert tally.last_done == {APP1: 56.0}


def test_a_job_that_is_no_flash_is_no_success() -> None:
    erase = replace(job(1), kind=JobKind.ERASE)
    tally = heard(erase, replace(erase, status=DONE))
    assert tally.last_done == {}
    assert tally.ended == {CountedEnd("left", "app1", "erase", "done"): 1}


def test_work_counts_as_it_is_done_also_of_attempts_that_were_cut_short() -> None:
    half, whole = (
        FlashWork(sectors_erased=2, bytes_written=100),
        FlashWork(sectors_erased=5, bytes_written=300, bytes_read=7),
    )
    states = (job(1), job(1, RUNNING), job(1, WAITING, work=half), job(1, RUNNING, work=half))
    assert heard(*states).work == {APP1: half}
    assert heard(*states, job(1, FAILED, work=whole)).work == {APP1: whole}
    assert heard(
        *states, job(1, FAILED, work=whole), job(1, FAILED, work=whole), job(2), job(2, DONE, work=half)
    ).work == {APP1: whole.plus(half)}


def test_work_from_before_is_not_counted() -> None:
    before = job(1, RUNNING, work=FlashWork(sectors_erased=2))
    tally = heard(job(1, DONE, work=FlashWork(sectors_erased=3)), before=(before,))
    assert tally.work == {APP1: FlashWork(sectors_erased=1)}


@pytest.mark.parametrize("after", [QUEUED, WAITING, BLOCKED])
def test_an_attempt_that_ends_in_its_middle_is_an_interruption(after: JobStatus) -> None:
    assert heard(job(1), job(1, RUNNING), job(1, after), job(1, after)).interruptions == {APP1: 1}


@pytest.mark.parametrize("after", [WRITTEN, DONE, FAILED, CANCELLED, RUNNING])
def test_what_ends_well_or_for_good_is_none(after: JobStatus) -> None:
    assert heard(job(1), job(1, RUNNING), job(1, after)).interruptions == {}


@pytest.mark.parametrize("phase", [Phase.DETACH, Phase.OPEN])
def test_who_waits_for_a_hand_is_not_interrupted(phase: Phase) -> None:
    running = Running(phase=phase, since=1.0, answered_at=1.0)
    waiting = Waiting(for_=WaitFor.HAND, reason="press the button")
    assert heard(job(1), job(1, running), job(1, waiting)).interruptions == {}


def test_times_are_counted_by_phase_and_profile_once_a_job_has_ended() -> None:
    times = PhaseTimes(erase=2.0, write=0.1)
    tally = heard(job(1), job(1, RUNNING, times=times), job(1, DONE, times=times))
    assert set(tally.times) == {CountedTime("product", "erase"), CountedTime("product", "write")}
    assert tally.times["product", "erase"].total == 2.0  # pyright: ignore[reportArgumentType] - a name is its values


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (BUCKETS[0], 0), (BUCKETS[0] + 0.001, 1), (BUCKETS[-1], -2), (1e9, -1)]
)
def test_a_time_counts_in_the_bucket_that_it_does_not_exceed(seconds: float, bucket: int) -> None:
    spread = Spread()
    spread.add(seconds)
    assert len(spread.counts) == len(BUCKETS) + 1
    assert (spread.counts[bucket], sum(spread.counts), spread.total) == (1, 1, seconds)


def test_verdicts_are_counted() -> None:
    crashed = replace(FAILED, verdict=Judgement(verdict=Verdict.CRASHED))
    assert heard(job(1), job(1, crashed), job(1, crashed)).verdicts == {CountedVerdict("left", "crashed"): 1}


def test_boards_and_profiles_that_are_gone_are_forgotten() -> None:
    running = job(1, RUNNING)
    ended = job(1, DONE, work=FlashWork(sectors_erased=1), times=PhaseTimes(write=1.0))
    tally = heard(job(1), running, job(1, WAITING), ended)
    tally.forget_all_but({"left"}, {"product"})
    assert all((tally.ended, tally.interruptions, tally.work, tally.last_done, tally.times))
    tally.forget_all_but({"right"}, {"product"})
    assert not any((tally.ended, tally.interruptions, tally.work, tally.last_done))
    assert tally.times
    tally.forget_all_but({"right"}, {"other"})
    assert not tally.times
