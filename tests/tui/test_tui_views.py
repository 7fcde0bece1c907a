"""The words of the screen, from the store alone."""

from typing import Any

import pytest
from msgspec.structs import replace

from flashdeck.model import Disposition, Event, JobStatus, Phase, Snapshot, Verified
from flashdeck_tui import views
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views import Tone
from tui_scene import (
    ARTIFACT,
    BENCH,
    DAEMON,
    FAILURE,
    HOSTILE,
    NEWEST,
    NOW,
    OLDER,
    board,
    contents,
    event,
    filled_store,
    job,
    partitions,
)


def now_of(store: Store, name: str, partition: str = "app1") -> views.Cell:
    (row,) = [r for r in views.board_rows(store, NOW) if r.key == Selection(board=name, partition=partition)]
    return row.cells[-1]


def bench_of(app1: Any, **fields: Any) -> Store:
    """One board whose app1 holds this, and the newest build."""
    store = Store()
    jobs, artifacts = fields.pop("jobs", ()), fields.pop("artifacts", (ARTIFACT,))
    offered, trouble = fields.pop("offered", ""), fields.pop("trouble", "")
    store.take(
        Snapshot(
            seq=1,
            daemon=DAEMON,
            boards=(board("left", partitions=partitions(app1, offered=offered, trouble=trouble), **fields),),
            jobs=jobs,
            artifacts=artifacts,
        )
    )
    return store


@pytest.mark.parametrize(
    ("store", "says", "tone"),
    [
        (bench_of(contents()), "up to date", Tone.GOOD),
        (bench_of(contents(verified=Verified.NO)), "up to date, not verified", Tone.GOOD),
        (bench_of(contents(OLDER)), "newest build is 1.0.2", Tone.WAIT),
        (bench_of(contents(OLDER), offered=NEWEST), "offered 1.0.2: f flashes it", Tone.WAIT),
        (bench_of(contents(), artifacts=()), "no build seen", Tone.FAINT),
        (bench_of(None, artifacts=()), "no build seen yet", Tone.FAINT),
        (bench_of(contents(complete=False)), "does not boot: f flashes it again", Tone.BAD),
        (bench_of(contents(started=False)), "was not seen to start", Tone.BAD),
        (bench_of(contents(disturbed=True)), "in doubt: f makes sure", Tone.WAIT),
        (
            bench_of(
                None,
                artifacts=(replace(ARTIFACT, disposition=Disposition.REFUSED, reason="too large"),),
                trouble="too large",
            ),
            "build not taken: too large",
            Tone.BAD,
        ),
        (bench_of(contents(), jobs=(job(1, status=JobStatus.QUEUED),)), "queued 1.0.2", Tone.PLAIN),
        (bench_of(contents(), jobs=(job(1, status=JobStatus.HELD, reason="why"),)), "held: why", Tone.WAIT),
        (
            bench_of(contents(), jobs=(job(1, status=JobStatus.FAILED, failure=FAILURE),)),
            f"failed: {FAILURE.message}",
            Tone.BAD,
        ),
        # A job that ended well afterwards puts an end to that.
        (
            bench_of(
                contents(), jobs=(job(1, status=JobStatus.FAILED, failure=FAILURE), job(2, status=JobStatus.DONE))
            ),
            "up to date",
            Tone.GOOD,
        ),
    ],
)
def test_a_partition_says_what_is_up_with_it(store: Store, says: str, tone: Tone) -> None:
    assert now_of(store, "left") == views.Cell(says, tone)


def test_a_partition_says_what_it_holds_since_when_and_how_sure_that_is() -> None:
    cells = {
        row.key.board: [cell.text for cell in row.cells][1:3]
        for row in views.board_rows(filled_store(), NOW)
        if row.key.partition == "app1"
    }
    assert cells["left"] == ["1.0.2", "verified, 2 min ago"]
    assert cells["lab"] == ["1.0.1", "not verified, 2 min ago"]
    assert cells["twin"] == ["1.0.1", "incomplete, 2 min ago"]
    assert cells["spare"] == ["-", "never flashed"]


def test_a_build_that_is_being_written_shows_before_it_is_a_job() -> None:
    store = bench_of(contents(OLDER), offered=NEWEST)
    left = store.boards["left"]
    settling = tuple(replace(p, settling=True) for p in left.partitions)
    store.take(Event(seq=2, board=replace(left, partitions=settling)))
    assert now_of(store, "left") == views.Cell("a build is settling", Tone.BUSY)


def test_a_protected_partition_is_named_and_never_listed() -> None:
    store = filled_store()
    assert not [row for row in views.board_rows(store, NOW) if row.key.partition == "bootloader"]
    said = [line.text for line in views.details(store, Selection(board="left"), NOW)]
    assert "protected, never touched: bootloader" in said


def test_a_failed_job_says_what_to_do_and_which_key_helps() -> None:
    lines = views.details(filled_store(), Selection(board="right", partition="app1"), NOW)
    assert FAILURE.message in lines[0].text
    assert lines[0].tone is Tone.BAD
    assert lines[1].text.startswith("r tries again")
    assert FAILURE.hint in lines[1].text


def test_the_running_job_comes_first_then_the_queue_then_what_ended_newest_first() -> None:
    rows = views.job_rows(filled_store(), NOW)
    assert [row.key.job for row in rows] == [8, 9, 10, 6, 5]
    assert rows[0].cells[-1].text == " 41 % ████░░░░░░░░ 43.0 KiB/s"


@pytest.mark.parametrize(("done", "total", "percent"), [(0, 0, 0), (1, 3, 33), (9, 3, 100), (-5, 3, 0), (3, 3, 100)])
def test_percent_stays_between_none_and_all(done: int, total: int, percent: int) -> None:
    assert views.percent(job(done=done, total=total)) == percent


def test_what_is_held_against_a_bootloader_is_said() -> None:
    store = Store()
    store.take(replace(BENCH, boards=(board("left", doubts=("it is not read",)),)))
    lines = views.details(store, Selection(board="left"), NOW)
    assert "it is not read. e has it tried anew." in [line.text for line in lines]


def test_no_control_character_gets_into_any_text() -> None:
    odd = board(
        HOSTILE,
        profile=HOSTILE,
        serial=HOSTILE,
        port=HOSTILE,
        held=HOSTILE,
        trouble=HOSTILE,
        doubts=(HOSTILE,),
        product=HOSTILE,
        armed=False,
    )
    mine = replace(contents(), version=HOSTILE, sha256=HOSTILE)
    odd = replace(odd, partitions=tuple(replace(p, image=HOSTILE) for p in partitions(mine, offered=HOSTILE)))
    store = Store()
    failed = job(1, HOSTILE, JobStatus.FAILED, version=HOSTILE, failure=replace(FAILURE, message=HOSTILE, hint=HOSTILE))
    store.take(
        replace(
            BENCH,
            daemon=replace(DAEMON, version=HOSTILE, host=HOSTILE, degraded=(HOSTILE,)),
            boards=(odd,),
            jobs=(failed, job(2, HOSTILE, JobStatus.WAITING, reason=HOSTILE), job(3, HOSTILE, JobStatus.HELD)),
            artifacts=(replace(ARTIFACT, profile=HOSTILE, version=HOSTILE, source=HOSTILE, reason=HOSTILE),),
        )
    )
    rows = views.board_rows(store, NOW) + views.job_rows(store, NOW)
    texts = [cell.text for row in rows for cell in row.cells]
    for row in rows:
        texts += [line.text for line in views.details(store, row.key, NOW)]
        texts.append(views.title_of(store, row.key))
    link = views.LinkState(views.LinkStatus.DISCONNECTED, HOSTILE, HOSTILE)
    texts += [cell.text for cell in views.header(store, link, HOSTILE)]
    texts += [line.text for line in views.notices(store, link)]
    assert len(texts) > 60
    assert not [text for text in texts if any(ch < " " or ch in "\x7f\u202e" for ch in text)]


def test_what_is_not_verified_is_never_called_verified() -> None:
    store = bench_of(contents(verified=Verified.NO))
    said = " ".join(line.text for line in views.details(store, Selection(board="left", partition="app1"), NOW))
    assert "not verified" in said
    assert "found equal" not in said


def test_what_is_being_written_is_no_cause_for_alarm() -> None:
    running = job(1, status=JobStatus.RUNNING, phase=Phase.WRITE, done=1, total=4)
    store = bench_of(contents(complete=False), jobs=(running,))
    assert now_of(store, "left") == views.Cell("writing 25 %, 1.0.2", Tone.BUSY)
    (row,) = [r for r in views.board_rows(store, NOW) if r.key.partition == "app1"]
    assert row.cells[2] == views.Cell("being written", Tone.BUSY)


def test_a_phase_that_is_not_measured_has_no_percent() -> None:
    store = bench_of(contents(), jobs=(job(1, status=JobStatus.RUNNING, phase=Phase.START, done=4, total=4),))
    assert now_of(store, "left") == views.Cell("starting, 1.0.2", Tone.BUSY)
    assert views.job_rows(store, NOW)[0].cells[-1].text == ""


def test_the_header_tells_of_failures_that_may_be_out_of_sight() -> None:
    link = views.LinkState(views.LinkStatus.CONNECTED)
    store = filled_store()
    assert views.Cell("1 board failed", Tone.BAD) in views.header(store, link, "/s")
    store.take(event(job=job(30, "left", JobStatus.FAILED, failure=FAILURE)))
    assert views.Cell("2 boards failed", Tone.BAD) in views.header(store, link, "/s")
    store.take(event(job=job(31, "left", JobStatus.DONE)))
    store.take(event(job=job(32, "right", JobStatus.DONE)))
    assert not [cell for cell in views.header(store, link, "/s") if cell.tone is Tone.BAD]


def test_a_plain_device_has_alternate_settings_and_no_boot_unit_to_protect_it() -> None:
    store = bench_of(contents(complete=False))
    gadget = replace(store.boards["left"].partitions[1], address=0, alternate="main\x1b[2J")
    store.take(event(board=replace(store.boards["left"], partitions=(gadget,))))
    said = " ".join(line.text for line in views.details(store, Selection(board="left", partition="app1"), NOW))
    assert "alternate setting main" in said
    assert "\x1b" not in said
    assert "0x0" not in said
    assert "half of it may be started" in said
    assert "no boot check" not in said
