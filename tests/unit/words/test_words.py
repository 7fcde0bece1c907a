"""States in words, the same for whoever shows them."""

from typing import Any

import pytest

from flashdeck.job_state import DeviceWork, Phase, Queued, Running, TimeClaim, Verified
from flashdeck.model import ArtifactState, Contents, Disposition, PartitionState
from flashdeck.words.contents import LONGEST_VERSION, contents_flaw, contents_state, contents_text, image_name
from flashdeck.words.jobs import SILENCE, claim_text, no_answer_text, percent, standstill_text, status_text
from flashdeck.words.partitions import build_state
from flashdeck.words.tone import Phrase, Tone

NEWEST = ArtifactState(
    sha256="11",
    size=1,
    source="/b/APP1.bin",
    profile="p",
    partition="app1",
    version="1.0.2",
    seen_at=0,
    disposition=Disposition.OFFERED,
)


def contents(**fields: Any) -> Contents:
    known: dict[str, Any] = {"verified": Verified.YES, "version": "1.0.1"}
    return Contents(sha256="00", size=1024, flashed_at=0, job=1, **known | fields)


def partition(**fields: Any) -> PartitionState:
    return PartitionState(name="app1", address=0, size=1, **fields)


def running(phase: Phase = Phase.WRITE, done: int = 0, total: int = 0) -> Running:
    return Running(phase=phase, done=done, total=total, since=0, answered_at=100)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (None, Phrase("never flashed here", Tone.FAINT)),
        (contents(), Phrase("verified", Tone.GOOD)),
        (contents(verified=Verified.NO), Phrase("not verified", Tone.WAIT)),
        (contents(verified=Verified.OTHER), Phrase("not verified", Tone.WAIT)),
        (contents(uncertain=True), Phrase("uncertain", Tone.WAIT)),
        (contents(started=False), Phrase("did not start", Tone.BAD)),
        (contents(started=True), Phrase("verified", Tone.GOOD)),
        (contents(complete=False, uncertain=True, started=False), Phrase("incomplete", Tone.BAD)),
    ],
)
def test_contents_say_the_worst_that_is_known_of_them(state: Contents | None, says: Phrase) -> None:
    assert contents_state(state) == says
    if state is not None:
        told = contents_text(state, plain=False)
        assert says.text in told.text
        assert told.tone is says.tone
        has_flaw = says.text not in ("verified", "not verified")
        assert bool(contents_flaw(state, plain=False)) is has_flaw
        assert ("found equal" in told.text) is (says.text == "verified")


def test_half_an_image_may_start_only_on_a_plain_device() -> None:
    assert "cannot boot" in contents_flaw(contents(complete=False), plain=False)
    assert "may start" in contents_flaw(contents(complete=False), plain=True)


@pytest.mark.parametrize(
    ("state", "newest", "says"),
    [
        (partition(), None, Phrase("no build yet", Tone.FAINT)),
        (partition(current=True), NEWEST, Phrase("current", Tone.GOOD)),
        (partition(), NEWEST, Phrase("newest build is 1.0.2", Tone.WAIT)),
        (partition(offered="11"), NEWEST, Phrase("1.0.2 is offered", Tone.WAIT)),
        (partition(offered="22"), NEWEST, Phrase("a build is offered", Tone.WAIT)),
        (partition(trouble="too large", offered="11"), NEWEST, Phrase("build refused", Tone.BAD)),
        (partition(being_written=True, kept_open="by ld"), NEWEST, Phrase("file kept open", Tone.WAIT)),
        (partition(being_written=True, trouble="x"), NEWEST, Phrase("a build is being written", Tone.BUSY)),
    ],
)
def test_a_partition_says_how_it_and_the_newest_build_go_together(
    state: PartitionState, newest: ArtifactState | None, says: Phrase
) -> None:
    assert build_state(state, newest) == says


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (100, ""),
        (100 + SILENCE - 0.1, ""),
        (100 + SILENCE, f"no answer for {SILENCE:.0f} s"),
        (112.9, "no answer for 12 s"),
        (175, "no answer for 1 min"),
        (50, ""),
    ],
)
def test_a_board_that_does_not_answer_is_told_after_some_seconds(now: float, says: str) -> None:
    assert no_answer_text(running(), now) == says


def test_a_board_that_restarts_is_not_expected_to_answer() -> None:
    for phase in (Phase.DETACH, Phase.LEAVE, Phase.START):
        assert not no_answer_text(running(phase), 200)
    assert not no_answer_text(Queued(), 200)


@pytest.mark.parametrize(("done", "total", "part"), [(0, 0, 0), (1, 3, 33), (9, 3, 100), (-5, 3, 0), (3, 3, 100)])
def test_percent_stays_between_none_and_all(done: int, total: int, part: int) -> None:
    assert percent(running(done=done, total=total)) == part


def test_a_version_that_is_too_long_is_cut_and_says_so() -> None:
    assert image_name("v" * LONGEST_VERSION, "00") == "v" * LONGEST_VERSION
    assert image_name("v" * (LONGEST_VERSION + 1), "00") == "v" * (LONGEST_VERSION - 1) + "…"
    assert image_name("", "a" * 64) == "a" * 12


def claiming(work: DeviceWork, seconds: float, waits: float, phase: Phase = Phase.WRITE, total: int = 100) -> Running:
    claim = TimeClaim(work=work, seconds=seconds, waits=waits)
    return Running(phase=phase, done=31, total=total, since=0, answered_at=100, claim=claim)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (claiming(DeviceWork.BLOCK, 10, 10), "the board claims 10 s for this block"),
        (claiming(DeviceWork.ERASE, 2.5, 2.5), "the board claims 2.5 s for this erase"),
        (claiming(DeviceWork.BLOCK, 0.5, 0.5), "the board claims 500 ms for this block"),
        (
            claiming(DeviceWork.ADDRESS, 16777.215, 2),
            "the board claims 4 h 39 min for setting an address (waiting 2 s)",
        ),
        (claiming(DeviceWork.END, 60, 60), "the board claims 1 min 0 s for the end of the image"),
        (claiming(DeviceWork.OTHER, 5, 5), "the board claims 5 s for what it does now"),
        (running(), ""),
        (Queued(), ""),
    ],
)
def test_a_wait_that_a_board_claims_says_so_with_its_number(status: Running | Queued, says: str) -> None:
    assert claim_text(status) == says


def test_a_job_that_waits_for_a_claim_says_so_wherever_it_is_told_of() -> None:
    claim = "the board claims 10 s for this block"
    assert status_text(claiming(DeviceWork.BLOCK, 10, 10)) == f"writing 31 %, {claim}"
    assert status_text(claiming(DeviceWork.BLOCK, 10, 10, Phase.OPEN, 0)) == f"opening, {claim}"


def test_silence_during_a_claim_is_explained_by_it_and_not_longer() -> None:
    status = claiming(DeviceWork.BLOCK, 10, 10)
    assert standstill_text(status, 109.9) == "the board claims 10 s for this block"
    assert standstill_text(status, 110 + SILENCE) == f"no answer for {10 + SILENCE:.0f} s"
    assert standstill_text(running(), 112) == "no answer for 12 s"
    assert not standstill_text(running(), 100)
