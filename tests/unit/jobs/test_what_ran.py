"""What follows from a crash, as a function of what the journal knows."""

from dataclasses import replace as with_

import pytest
from msgspec.structs import replace

from flashdeck.errors import ErrorKind
from flashdeck.job_state import Done, Failed, Failure, JobKind, JobStatus, Origin, Queued, Verified, Written
from flashdeck.model import Contents, JobState, Patch
from flashdeck.verdict import Judgement, Verdict
from flashdeckd.jobs.what_ran import BoardPast, CrashedAgain, GoesBack, Stays, may_go_back, way_back, with_what_ran

CRASHED = Judgement(verdict=Verdict.CRASHED)
AFTER = frozenset({Verdict.CRASHED})


def contents(sha256: str, *patches: str, job: int = 1) -> Contents:
    return Contents(
        sha256=sha256,
        size=8,
        version=f"v-{sha256}",
        flashed_at=1.0,
        verified=Verified.YES,
        job=job,
        serial="A1",
        bcd_device=0x0200,
        memory_map="map",
        patches=tuple(Patch(sha256=each, size=4, flashed_at=1.0, job=job) for each in reversed(patches)),
    )


def failed(judgement: Judgement | None = CRASHED) -> Failed:
    return Failed(failure=Failure(kind=ErrorKind.CRASHED, message="no"), verdict=judgement)


def job(
    sha256: str,
    *,
    number: int = 2,
    partition: str = "app1",
    origin: Origin = Origin.BUILD,
    status: JobStatus | None = None,
    kind: JobKind = JobKind.FLASH,
) -> JobState:
    return JobState(
        id=number,
        kind=kind,
        board="left",
        partition=partition,
        sha256=sha256,
        size=8,
        origin=origin,
        status=status or failed(),
        created_at=1.0,
        undecided=True,
    )


def ran(**partitions: Contents) -> dict[str, Contents]:
    """The contents of a board that has just said that it runs."""
    return {**partitions, **with_what_ran(partitions, 5.0)}


def flashed(before: Contents, now: Contents) -> Contents:
    """What a partition has once another image is there."""
    return replace(now, ran=before.ran)


def by_build(_partition: str, _sha256: str) -> Origin:
    return Origin.BUILD


RAN = ran(app1=contents("a"), partition2=contents("b"))
BOTH_NEW = {
    "app1": flashed(RAN["app1"], contents("a2")),
    "partition2": flashed(RAN["partition2"], contents("b2")),
}
ONE_NEW = {**RAN, "app1": BOTH_NEW["app1"]}
PAST = BoardPast(contents=ONE_NEW, crashed=(job("a2"),))


def reason(past: BoardPast, origin_of: Origin | None = Origin.BUILD) -> str:
    decision = way_back(past, lambda _partition, _sha256: origin_of)
    assert isinstance(decision, Stays)
    return decision.reason


def to(past: BoardPast) -> dict[str, tuple[str, ...]]:
    decision = way_back(past, by_build)
    assert isinstance(decision, GoesBack)
    assert decision.to.keys() == decision.gone.keys()
    return {name: each.images for name, each in decision.to.items()}


def test_it_goes_back_to_what_ran_and_notes_what_it_goes_back_from() -> None:
    decision = way_back(PAST, by_build)
    assert isinstance(decision, GoesBack)
    assert to(PAST) == {"app1": ("a",)}
    assert decision.gone == {"app1": ("a2",)}


def test_all_that_is_not_as_it_ran_goes_back_also_what_an_earlier_visit_brought() -> None:
    assert to(with_(PAST, contents=BOTH_NEW)) == {"app1": ("a",), "partition2": ("b",)}


def test_patches_come_back_over_their_program_and_those_that_are_new_go() -> None:
    before = ran(app1=contents("a", "p", "q"))
    now = {"app1": flashed(before["app1"], contents("a", "p", "r"))}
    decision = way_back(BoardPast(contents=now, crashed=(job("r"),)), by_build)
    assert isinstance(decision, GoesBack)
    assert decision.to["app1"].images == ("a", "p", "q")
    assert decision.gone == {"app1": ("r",)}


def test_what_is_not_there_any_more_asks_for_nothing() -> None:
    assert reason(with_(PAST, crashed=(job("a3"),))) == ""
    torn = {**ONE_NEW, "app1": replace(ONE_NEW["app1"], complete=False)}
    assert reason(with_(PAST, contents=torn)) == ""
    assert reason(with_(PAST, crashed=())) == ""


def test_nothing_happens_where_nothing_may() -> None:
    assert reason(with_(PAST, why_not="it is disarmed")) == "it is disarmed"
    again = with_(PAST, why_not="it is on hold: x", contents=RAN, crashed=(job("a", origin=Origin.FLASHDECK),))
    assert reason(again) == "it is on hold: x"


def test_what_it_went_back_to_is_the_end_whatever_else_is_there() -> None:
    gone_back = job("a", origin=Origin.FLASHDECK)
    for there in (RAN, {**BOTH_NEW, "app1": RAN["app1"]}):
        assert way_back(with_(PAST, contents=there, crashed=(gone_back,)), by_build) == CrashedAgain((gone_back,))


def test_a_build_that_crashes_together_with_what_it_went_back_to_goes_back_itself() -> None:
    there = {**RAN, "partition2": BOTH_NEW["partition2"]}
    crashed = (job("a", origin=Origin.FLASHDECK), job("b2", number=3, partition="partition2"))
    assert to(with_(PAST, contents=there, crashed=crashed)) == {"partition2": ("b",)}


@pytest.mark.parametrize(
    ("past", "told"),
    [
        (with_(PAST, contents={"app1": contents("a2")}), "no set of images has run there yet"),
        (with_(PAST, contents=RAN, crashed=(job("a"),)), "it has the very images with which it last ran"),
        (with_(PAST, protected=frozenset({"app1"})), "app1 is protected now"),
        (
            with_(PAST, contents={**ONE_NEW, "partition2": replace(RAN["partition2"], uncertain=True)}),
            "nobody knows what partition2 has now",
        ),
        (
            with_(PAST, contents={**ONE_NEW, "partition2": replace(RAN["partition2"], erased=True, sha256="")}),
            "partition2 was erased by hand since the board last ran",
        ),
        (
            with_(PAST, contents={**ONE_NEW, "third": contents("c")}),
            "nobody knows what third had when the board last ran",
        ),
        (
            with_(PAST, contents={**ONE_NEW, "app1": replace(ONE_NEW["app1"], bcd_device=0x0201)}),
            "it shows serial A1, bcdDevice 0201, and showed A1, 0200 when it last ran",
        ),
        (
            with_(PAST, contents={**ONE_NEW, "app1": replace(ONE_NEW["app1"], went_back=("a", "x"))}),
            "app1 would get what it went back from since then",
        ),
        (
            with_(PAST, contents={**ONE_NEW, "app1": replace(ONE_NEW["app1"], serial="A2")}),
            "it shows serial A2, bcdDevice 0200, and showed A1, 0200 when it last ran",
        ),
        (
            with_(PAST, contents={**ONE_NEW, "app1": replace(ONE_NEW["app1"], memory_map="other")}),
            "it shows another memory map than when it last ran",
        ),
        (
            with_(PAST, active=(job("a3", number=7, status=Queued()),)),
            "job 7 for app1 comes first",
        ),
        (
            with_(PAST, active=(job("", number=7, status=Queued(), kind=JobKind.ERASE, origin=Origin.HAND),)),
            "job 7 for app1 comes first",
        ),
        (with_(PAST, active=(job("a", number=7, status=Queued(), origin=Origin.FLASHDECK),)), ""),
    ],
)
def test_why_there_is_no_way_back(past: BoardPast, told: str) -> None:
    assert reason(past) == told


@pytest.mark.parametrize("origin", [Origin.HAND, Origin.OTHER, None])
def test_what_a_person_flashed_since_is_not_undone(origin: Origin | None) -> None:
    assert reason(PAST, origin) == "app1 was flashed by hand since the board last ran"


def test_a_job_elsewhere_or_one_that_is_only_to_be_started_does_not_come_first() -> None:
    elsewhere = job("c", number=7, partition="third", status=Queued())
    looks = job("a2", number=8, kind=JobKind.VERIFY, status=Queued())
    assert to(with_(PAST, active=(elsewhere, looks, job("a2", status=Written())))) == {"app1": ("a",)}


def test_a_set_is_of_one_moment_and_what_nobody_knew_then_is_not_of_it() -> None:
    there = {"app1": contents("a"), "data": replace(contents("d"), uncertain=True), "patched": contents("", "p")}
    after = with_what_ran(there, 5.0)
    assert after["app1"].ran is not None
    assert (after["app1"].ran.images, after["app1"].ran.version, after["app1"].ran.at) == (("a",), "v-a", 5.0)
    assert after["data"].ran is None
    assert after["patched"].ran is None
    again = {**after, "app1": flashed(after["app1"], contents("a2"))}
    later = with_what_ran(again, 6.0)
    assert later["app1"].ran is not None
    assert later["app1"].ran.images == ("a2",)
    still_unknown = {**again, "app1": flashed(again["app1"], contents("a3"))}
    assert to(BoardPast(contents=still_unknown, crashed=(job("a3"),))) == {"app1": ("a",)}


def test_a_board_that_runs_again_with_the_same_images_is_no_news() -> None:
    assert with_what_ran(RAN, 9.0) == {}
    lost = {**RAN, "partition2": replace(RAN["partition2"], uncertain=True)}
    assert with_what_ran(lost, 9.0)["partition2"].ran is None
    assert with_what_ran({}, 9.0) == {}


@pytest.mark.parametrize(
    ("candidate", "status", "may"),
    [
        (job("a"), failed(), True),
        (job("a", origin=Origin.FLASHDECK), failed(), True),
        (job("a", origin=Origin.HAND), failed(), False),
        (job("a", origin=Origin.OTHER), failed(), False),
        (job("a", kind=JobKind.RESET), failed(), False),
        (job("a"), failed(Judgement(verdict=Verdict.SILENT)), False),
        (job("a"), failed(None), False),
        (job("a"), Failed(failure=Failure(kind=ErrorKind.OTHER, message="no")), False),
        (job("a"), Done(verdict=Judgement(verdict=Verdict.RUNS)), False),
        (job("a"), Done(verdict=CRASHED), False),
    ],
)
def test_after_which_jobs_a_board_may_go_back(candidate: JobState, status: Done | Failed, *, may: bool) -> None:
    assert may_go_back(candidate, status, AFTER) is may


def test_other_verdicts_count_where_they_are_listed() -> None:
    silent = failed(Judgement(verdict=Verdict.SILENT))
    assert may_go_back(job("a"), silent, frozenset({Verdict.SILENT}))
    assert not may_go_back(job("a"), failed(), frozenset({Verdict.SILENT}))
    assert not may_go_back(job("a"), failed(), frozenset())
