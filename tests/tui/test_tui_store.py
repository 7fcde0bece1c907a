"""The store: what the client knows."""

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck.job_state import Cancelled, Canceller, Done, Failed, Phase, WaitFor, Waiting
from flashdeck.model import LogLevel, LogLine, Presence, Snapshot
from flashdeck_tui.store import ENDED_JOBS, LOG_LINES, RATE_SECONDS, Selection, Store, speed_of
from tui_scene import ARTIFACT, BENCH, DAEMON, FAILURE, NOW, RUNNING, board, event, filled_store, job, running


def line(number: int, name: str = "") -> LogLine:
    return LogLine(id=number, time=NOW, level=LogLevel.INFO, text=f"line {number}", board=name)


def at_speed(samples: list[tuple[float, int]]) -> float | None:
    """The speed after a job was seen with these bytes done at these seconds."""
    now = 0.0
    store = Store(clock=lambda: now)
    store.take(BENCH)
    for now, done in samples:  # noqa: B007 - the clock reads it
        store.take(event(job=replace(RUNNING, status=running(done=done))))
    return store.speed(RUNNING.id)


def test_an_event_replaces_the_whole_of_one_thing() -> None:
    store = filled_store()
    store.take(event(board=board("left", presence=Presence.ABSENT)))
    assert store.boards["left"].presence is Presence.ABSENT
    assert store.boards["right"] == BENCH.boards[2]
    store.take(event(devices=()))
    assert store.devices == ()
    store.take(event(daemon=replace(DAEMON, degraded=("no hotplug",))))
    assert store.daemon is not None
    assert store.daemon.degraded == ("no hotplug",)
    store.take(event(artifact=replace(ARTIFACT, version="9")))
    found = store.artifact("left", "app1")
    assert found is not None
    assert found.version == "9"


def test_every_change_moves_the_revision() -> None:
    store = Store()
    seen = {store.revision}
    for change in (BENCH, event(board=board("left")), event(job=job(99))):
        store.take(change)
        assert store.revision not in seen
        seen.add(store.revision)


def test_a_line_of_the_log_is_counted_apart() -> None:
    store = filled_store()
    revision, count = store.revision, store.log_count
    store.take(event(log=line(1_000_000)))
    assert (store.revision, store.log_count) == (revision, count + 1)


def test_a_new_snapshot_forgets_what_is_gone() -> None:
    store = filled_store()
    store.take(Snapshot(seq=50, daemon=DAEMON))
    assert not store.boards
    assert not store.jobs
    assert store.speed(RUNNING.id) is None


def test_the_speed_is_that_of_the_last_seconds_of_a_phase() -> None:
    assert at_speed([(0, 0)]) is None
    assert at_speed([(0, 0), (2, 2000)]) == 1000
    # It was fast long ago and is slow now.
    assert at_speed([(0, 0), (1, 50_000), (10, 51_000), (11, 52_000)]) == 200
    assert at_speed([(0, 0), (1, 50_000), (10, 51_000), (11, 52_000), (12, 53_000), (13.5, 54_500)]) == 1000
    assert at_speed([(0, 5000), (1, 0)]) is None  # it began again


def test_a_new_phase_has_a_speed_of_its_own() -> None:
    now = 0.0
    store = Store(clock=lambda: now)
    store.take(event(job=replace(RUNNING, status=running(done=0))))
    now = 1.0
    store.take(event(job=replace(RUNNING, status=running(done=80_000))))
    store.take(event(job=replace(RUNNING, status=running(Phase.VERIFY, 80_000))))
    assert store.speed(RUNNING.id) is None
    store.take(event(job=replace(RUNNING, status=Done())))
    assert store.speed(RUNNING.id) is None


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 10_000)), min_size=1, max_size=40))
def test_a_speed_is_never_negative_nor_faster_than_the_fastest_step(steps: list[tuple[float, int]]) -> None:
    now, done = 0.0, 0
    store = Store(clock=lambda: now)
    store.take(event(job=replace(RUNNING, status=running(done=0))))
    fastest = 0.0
    for seconds, size in steps:
        now, done = now + seconds, done + size
        fastest = max(fastest, size / seconds if seconds else float("inf"))
        store.take(event(job=replace(RUNNING, status=running(done=done))))
        speed = store.speed(RUNNING.id)
        assert speed is None or 0 < speed <= fastest * 1.000001


def test_a_speed_decays_to_nothing_once_nothing_comes() -> None:
    samples = ((0.0, 0), (1.0, 1000), (2.0, 2000))
    assert speed_of(samples, 2) == speed_of(samples, 3) == 1000, "no longer than between two samples"
    assert speed_of(samples, 3 + RATE_SECONDS / 2) == 500
    assert speed_of(samples, 3 + RATE_SECONDS) is None
    assert speed_of(((0.0, 0), (5.0, 1000)), 10) == 200, "a slow board is slow, and not silent"


@given(st.lists(st.tuples(st.floats(0.01, 20), st.integers(0, 10_000)), min_size=1, max_size=20), st.floats(0, 100))
@example([(20.0, 0), (1.8315947557418077, 1)], 0.0)
def test_a_speed_never_rises_while_nothing_comes(steps: list[tuple[float, int]], later: float) -> None:
    samples = [(0.0, 0)]
    for seconds, size in steps:
        samples.append((samples[-1][0] + seconds, samples[-1][1] + size))
    until = samples[-1][0]
    before, after = speed_of(samples, until + later / 2) or 0, speed_of(samples, until + later) or 0
    assert 0 <= after <= before
    assert speed_of(samples, until + 20 + RATE_SECONDS) is None


def test_the_speed_of_a_board_that_hangs_is_that_of_now() -> None:
    now = 0.0
    store = Store(clock=lambda: now)
    store.take(event(job=replace(RUNNING, status=running(done=0))))
    now = 1.0
    store.take(event(job=replace(RUNNING, status=running(done=9000))))
    assert store.speed(RUNNING.id) == 9000
    assert store.is_busy
    now = 40.0
    assert store.speed(RUNNING.id) is None


def test_log_lines_come_once_and_in_order() -> None:
    store = Store()
    store.take_log([line(1), line(2)])
    store.take(event(log=line(3)))
    store.take_log([line(2), line(3), line(4)])
    assert [kept.id for kept in store.log] == [1, 2, 3, 4]
    assert [kept.id for kept in store.log_since(2)] == [3, 4]
    assert store.log_since(4) == []


def test_old_log_lines_are_dropped_and_the_count_goes_on() -> None:
    store = Store()
    store.take_log(line(number) for number in range(1, LOG_LINES + 11))
    assert len(store.log) == LOG_LINES
    assert len(store.log_since(0)) == LOG_LINES
    assert [kept.id for kept in store.log_since(LOG_LINES + 8)] == [LOG_LINES + 9, LOG_LINES + 10]


def test_another_daemon_numbers_its_lines_anew() -> None:
    store = filled_store()
    before = store.log_count
    store.take(Snapshot(seq=0, daemon=replace(DAEMON, instance="two")))
    store.take_log([line(1)])
    assert store.log_count == before + 1


def test_ended_jobs_are_forgotten_one_day_and_others_never() -> None:
    store = Store()
    store.take(event(job=job(1)))
    for number in range(2, ENDED_JOBS + 12):
        store.take(event(job=job(number, status=Done())))
    assert len(store.jobs) == ENDED_JOBS + 1
    assert 1 in store.jobs
    assert 2 not in store.jobs


def test_the_active_job_of_a_board_is_the_running_one_then_the_next() -> None:
    store = Store()
    store.take(event(job=job(1, status=Done())))
    store.take(event(job=job(2)))
    store.take(event(job=job(3, status=Waiting(for_=WaitFor.PAUSE, reason="x"))))
    assert store.active_job(Selection(board="left")) == store.jobs[3]
    store.take(event(job=job(4, status=running(), partition="partition2")))
    assert store.active_job(Selection(board="left")) == store.jobs[4]
    assert store.active_job(Selection(board="left", partition="app1")) == store.jobs[3]
    assert store.active_job(Selection(board="left", job=1)) is None
    assert store.last_job(Selection(board="left", job=1)) == store.jobs[1]
    assert store.active_job(Selection(board="right")) is None


def test_a_failure_counts_until_something_newer_was_flashed_there() -> None:
    store = Store()
    store.take(event(job=job(1, status=Failed(failure=FAILURE))))
    store.take(event(job=job(2, status=Done(), partition="partition2")))
    assert store.last_failure("left") == store.jobs[1]
    store.take(event(job=job(3, status=Cancelled(by=Canceller.PERSON))))
    assert store.last_failure("left", "app1") == store.jobs[1]
    store.take(event(job=job(4, status=Done())))
    assert store.last_failure("left") is None
