"""Safety rule 7 and the order of wishes: what a new job does to its queue."""

from flashdeck.model import Holding, JobState, JobStatus, Origin, Verified
from flashdeckd.jobs.queue import Admission, admit

A, B, C = "a" * 64, "b" * 64, "c" * 64


def job(number: int, sha256: str, status: JobStatus = JobStatus.QUEUED, partition: str = "app1") -> JobState:
    return JobState(
        id=number,
        board="left",
        partition=partition,
        sha256=sha256,
        size=1,
        origin=Origin.BUILD,
        status=status,
        created_at=0,
    )


def holds(sha256: str, *, complete: bool = True) -> Holding:
    return Holding(sha256=sha256, size=1, flashed_at=0, verified=Verified.YES, job=1, complete=complete)


def built(active: list[JobState], holding: Holding | None, sha256: str) -> Admission:
    return admit(active, holding, "app1", sha256, Origin.BUILD)


def test_a_new_artifact_is_queued() -> None:
    assert built([], None, A) == Admission(create=True)
    assert built([], holds(B), A) == Admission(create=True)


def test_what_the_partition_holds_is_not_flashed_again() -> None:
    assert built([], holds(A), A) == Admission(create=False)


def test_a_flash_that_was_cut_short_does_not_count() -> None:
    assert built([], holds(A, complete=False), A) == Admission(create=True)


def test_the_newer_takes_the_place_of_one_that_has_not_begun() -> None:
    assert built([job(1, A, JobStatus.WAITING)], None, B) == Admission(create=True, superseded=(1,))


def test_the_same_artifact_twice_is_one_job() -> None:
    assert built([job(1, A)], None, A) == Admission(create=False)


def test_a_running_job_is_never_superseded() -> None:
    assert built([job(1, A, JobStatus.RUNNING)], None, B) == Admission(create=True)


def test_back_to_what_is_being_flashed_needs_no_third_flash() -> None:
    queue = [job(1, A, JobStatus.RUNNING), job(2, B)]
    assert built(queue, None, A) == Admission(create=False, superseded=(2,))


def test_back_to_what_is_on_the_board_drops_the_queued_one() -> None:
    assert built([job(2, B)], holds(A), A) == Admission(create=False, superseded=(2,))


def test_a_b_a_is_new_again() -> None:
    assert built([], holds(B), A) == Admission(create=True)


def test_other_partitions_are_left_alone() -> None:
    assert built([job(1, B, partition="app2")], None, A) == Admission(create=True)


def test_what_a_person_asks_for_is_always_done() -> None:
    assert admit([job(1, B)], holds(A), "app1", A, Origin.HAND) == Admission(create=True, superseded=(1,))


def test_a_held_job_gives_way_to_a_newer_build() -> None:
    assert built([job(1, A, JobStatus.HELD)], None, C) == Admission(create=True, superseded=(1,))
