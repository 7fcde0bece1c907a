"""Which images the daemon keeps: what is needed, and the last ones that may be asked for again."""

from flashdeck.config import MAX_KEPT_BUILDS
from flashdeck.errors import ErrorKind
from flashdeck.job_state import (
    Blocked,
    Cancelled,
    Canceller,
    Done,
    Failed,
    Failure,
    JobStatus,
    Queued,
    Superseded,
    Verified,
)
from flashdeck.model import ArtifactState, Contents, Disposition, JobState, Layer, Origin, Patch, Ran
from flashdeckd.jobs.kept_images import RecentImages, needed_images
from flashdeckd.state.journal import GoodImage

FAILED = Failed(failure=Failure(kind=ErrorKind.STALL, message="no"))


def job(number: int, status: JobStatus, sha256: str = "", board: str = "left") -> JobState:
    return JobState(
        id=number,
        board=board,
        partition="app1",
        sha256=sha256 or f"image {number}",
        size=1,
        origin=Origin.BUILD,
        status=status,
        created_at=0.0,
    )


def recent_of(*jobs: JobState) -> RecentImages:
    recent = RecentImages([])
    for each in jobs:
        recent.note(each)
    return recent


def build(sha256: str, disposition: Disposition) -> ArtifactState:
    return ArtifactState(
        sha256=sha256, size=1, source="", profile="p", partition=sha256, seen_at=0.0, disposition=disposition
    )


def test_the_images_below_the_newest_one_and_its_patches_are_needed() -> None:
    contents = Contents(
        sha256="program",
        size=1,
        flashed_at=0.0,
        verified=Verified.YES,
        job=1,
        patches=(Patch(sha256="patch", size=1, flashed_at=0.0, job=2),),
        layers=(Layer(sha256="patch"), Layer(sha256=""), Layer(sha256="program"), Layer(sha256="below")),
    )
    assert needed_images([], [contents], []) == {"program", "patch", "below"}


def test_the_images_with_which_a_board_last_ran_are_needed() -> None:
    ran = Ran(images=("good", "its patch"), at=1.0)
    contents = Contents(sha256="bad", size=1, flashed_at=0.0, verified=Verified.YES, job=1, ran=ran)
    assert needed_images([], [contents], []) == {"bad", "good", "its patch"}


def test_the_images_of_jobs_that_have_not_ended_and_of_the_newest_builds_are_needed() -> None:
    jobs = [job(1, Queued()), job(2, Blocked(reason="no")), job(3, Done()), job(4, FAILED), job(5, Superseded(by=6))]
    builds = [build("offered", Disposition.OFFERED), build("refused", Disposition.REFUSED)]
    assert needed_images(jobs, [], builds) == {"image 1", "image 2", "offered"}


def test_the_last_good_images_of_each_partition_of_each_board_stay() -> None:
    recent = recent_of(*(job(n, Done(), board=board) for n, board in enumerate(("left", "right", "left", "left"))))
    assert recent.newest_first(2) == ["image 3", "image 2", "image 1"]
    assert recent.newest_first(0) == []


def test_an_image_that_was_flashed_again_is_as_new_as_its_last_job() -> None:
    recent = recent_of(job(1, Done(), "a"), job(2, Done(), "b"), job(3, Done(), "a"))
    assert recent.newest_first(1) == ["a"]
    assert recent.newest_first(2) == ["a", "b"]


def test_images_of_jobs_that_came_to_nothing_stay_for_another_try_and_cost_no_good_one() -> None:
    ended = [job(1, Done()), job(2, FAILED), job(3, Cancelled(by=Canceller.PERSON)), job(4, Superseded(by=5))]
    assert recent_of(*ended).newest_first(1) == ["image 3", "image 1"]


def test_what_the_journal_alone_remembers_is_older_than_what_comes() -> None:
    recent = RecentImages([GoodImage("left", "app1", "b", 2), GoodImage("left", "app1", "a", 1)])
    recent.note(job(3, Done(), "c"))
    recent.note(job(4, Done(), "d"))
    assert recent.newest_first(MAX_KEPT_BUILDS) == ["d", "c", "b", "a"]


def test_no_more_are_remembered_than_may_be_kept() -> None:
    recent = recent_of(*[job(n, Done()) for n in range(MAX_KEPT_BUILDS + 1)])
    assert len(recent.newest_first(MAX_KEPT_BUILDS + 1)) == MAX_KEPT_BUILDS
