"""The words of the screen, from the store alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck.job_state import Blocked, Done, Failed, Phase, Queued, Unknown, Verified, WaitFor, Waiting
from flashdeck.model import (
    BoardHold,
    ConfigurationState,
    Contents,
    Disposition,
    Event,
    LogLevel,
    LogLine,
    Presence,
    Snapshot,
    Trouble,
)
from flashdeck.problems import KEPT_OPEN_HINT
from flashdeck.words.contents import contents_state
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui import views
from flashdeck_tui.cli import words
from flashdeck_tui.store import Selection, Store
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
    running,
)


def now_of(store: Store, name: str, partition: str = "app1") -> Phrase:
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
        (bench_of(contents()), "current", Tone.GOOD),
        (bench_of(contents(verified=Verified.NO)), "current", Tone.GOOD),
        (bench_of(contents(OLDER)), "newest build is 1.0.2", Tone.WAIT),
        (bench_of(contents(OLDER), offered=NEWEST), "1.0.2 is offered; f flashes it", Tone.WAIT),
        (bench_of(contents(OLDER), artifacts=()), "no build yet", Tone.FAINT),
        (bench_of(None, artifacts=()), "no build yet", Tone.FAINT),
        (bench_of(contents(complete=False)), "incomplete; f reflashes", Tone.BAD),
        (bench_of(contents(started=False)), "did not start; f reflashes", Tone.BAD),
        (bench_of(contents(uncertain=True)), "uncertain; f reflashes", Tone.WAIT),
        (
            bench_of(
                None,
                artifacts=(replace(ARTIFACT, disposition=Disposition.REFUSED, reason="too large"),),
                trouble="too large",
            ),
            "build refused: too large",
            Tone.BAD,
        ),
        (bench_of(contents(), jobs=(job(1, status=Queued()),)), "queued: 1.0.2", Tone.PLAIN),
        (bench_of(contents(), jobs=(job(1, status=Blocked(reason="why")),)), "blocked: why", Tone.WAIT),
        (
            bench_of(contents(), jobs=(job(1, status=Failed(failure=FAILURE)),)),
            f"failed: {FAILURE.message}",
            Tone.BAD,
        ),
        # A job that ended well afterwards puts an end to that.
        (
            bench_of(contents(), jobs=(job(1, status=Failed(failure=FAILURE)), job(2, status=Done()))),
            "current",
            Tone.GOOD,
        ),
    ],
)
def test_a_partition_says_what_is_up_with_it(store: Store, says: str, tone: Tone) -> None:
    assert now_of(store, "left") == Phrase(says, tone)


def test_a_partition_says_what_it_holds_since_when_and_how_sure_that_is() -> None:
    cells = {
        row.key.board: [cell.text for cell in row.cells][1:3]
        for row in views.board_rows(filled_store(), NOW)
        if row.key.partition == "app1"
    }
    assert cells["left"] == ["1.0.2", "verified, 2 min ago"]
    assert cells["lab"] == ["1.0.1", "not verified, 2 min ago"]
    assert cells["twin"] == ["1.0.1", "incomplete, 2 min ago"]
    assert cells["spare"] == ["-", "never flashed here"]


def test_a_build_that_is_being_written_shows_before_it_is_a_job() -> None:
    store = bench_of(contents(OLDER), offered=NEWEST)
    left = store.boards["left"]
    written = tuple(replace(p, being_written=True) for p in left.partitions)
    store.take(Event(seq=2, board=replace(left, partitions=written)))
    assert now_of(store, "left") == Phrase("a build is being written", Tone.BUSY)


def test_a_file_that_is_kept_open_is_said_with_who_does_that() -> None:
    store = bench_of(contents(OLDER), offered=NEWEST)
    left = store.boards["left"]
    who = "APP1.bin is kept open for writing by pid 123 (ld)"
    held = tuple(replace(p, being_written=True, kept_open=who if p.name == "app1" else "") for p in left.partitions)
    store.take(Event(seq=2, board=replace(left, partitions=held)))
    assert now_of(store, "left") == Phrase(who, Tone.WAIT)
    for selection in (Selection(board="left"), Selection(board="left", partition="app1")):
        said = " ".join(line.text for line in views.details(store, selection, NOW))
        assert f"{who}; {KEPT_OPEN_HINT}" in said


def test_a_protected_partition_is_named_and_never_listed() -> None:
    store = filled_store()
    assert not [row for row in views.board_rows(store, NOW) if row.key.partition == "bootloader"]
    said = [line.text for line in views.details(store, Selection(board="left"), NOW)]
    assert "protected, never touched: bootloader" in said


def test_a_failed_job_says_what_to_do_and_which_key_helps() -> None:
    lines = views.details(filled_store(), Selection(board="right", partition="app1"), NOW)
    assert FAILURE.message in lines[0].text
    assert lines[0].tone is Tone.BAD
    assert lines[1] == Phrase(f"To do: {FAILURE.hint}", Tone.STRONG)
    assert lines[2].text == "r tries again"


def test_the_running_job_comes_first_then_the_queue_then_what_ended_newest_first() -> None:
    rows = views.job_rows(filled_store(), NOW)
    assert [row.key.job for row in rows] == [8, 9, 10, 6, 5]
    assert rows[0].cells[-1].text == " 41 % ████░░░░░░░░ 43.0 KiB/s"


def test_a_fault_of_a_bootloader_is_said() -> None:
    store = Store()
    store.take(replace(BENCH, boards=(board("left", doubts=("it is not read",)),)))
    lines = views.details(store, Selection(board="left"), NOW)
    assert "it is not read; e tries it again." in [line.text for line in lines]


def test_no_control_character_gets_into_any_text() -> None:
    odd = board(
        HOSTILE,
        profile=HOSTILE,
        serial=HOSTILE,
        port=HOSTILE,
        hold=BoardHold(reason=HOSTILE),
        trouble=HOSTILE,
        doubts=(HOSTILE,),
        product=HOSTILE,
        armed=False,
    )
    mine = replace(contents(), version=HOSTILE, sha256=HOSTILE)
    odd = replace(odd, partitions=tuple(replace(p, image=HOSTILE) for p in partitions(mine, offered=HOSTILE)))
    store = Store()
    failed = job(1, HOSTILE, Failed(failure=replace(FAILURE, message=HOSTILE, hint=HOSTILE)), version=HOSTILE)
    store.take(
        replace(
            BENCH,
            daemon=replace(DAEMON, version=HOSTILE, host=HOSTILE, degraded=(HOSTILE,)),
            boards=(odd,),
            jobs=(
                failed,
                job(2, HOSTILE, Waiting(for_=WaitFor.HAND, reason=HOSTILE, hint=HOSTILE)),
                job(3, HOSTILE, Blocked(reason=HOSTILE, hint=HOSTILE)),
                job(4, HOSTILE, Unknown(name=HOSTILE), text=HOSTILE),
            ),
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
    texts += [line.text for line in views.notices(store, link, NOW)]
    assert len(texts) > 60
    assert not [text for text in texts if any(ch < " " or ch in "\x7f\u202e" for ch in text)]


def test_what_is_not_verified_is_never_called_verified() -> None:
    store = bench_of(contents(verified=Verified.NO))
    said = " ".join(line.text for line in views.details(store, Selection(board="left", partition="app1"), NOW))
    assert "not verified" in said
    assert "found equal" not in said


def test_what_is_being_written_is_no_cause_for_alarm() -> None:
    store = bench_of(contents(complete=False), jobs=(job(1, status=running(done=1, total=4)),))
    assert now_of(store, "left") == Phrase("writing 25 %, 1.0.2", Tone.BUSY)
    (row,) = [r for r in views.board_rows(store, NOW) if r.key.partition == "app1"]
    assert row.cells[2] == Phrase("being flashed", Tone.BUSY)


def test_a_phase_that_is_not_measured_has_no_percent() -> None:
    store = bench_of(contents(), jobs=(job(1, status=running(Phase.START, 4, 4)),))
    assert now_of(store, "left") == Phrase("starting, 1.0.2", Tone.BUSY)
    assert views.job_rows(store, NOW)[0].cells[-1].text == ""


def test_a_board_that_hangs_says_for_how_long_and_has_no_speed() -> None:
    store = bench_of(contents(complete=False), jobs=(job(1, status=running(done=31, total=100, silent=12)),))
    assert now_of(store, "left") == Phrase("no answer for 12 s, writing 31 %", Tone.WAIT)
    assert views.job_rows(store, NOW)[0].cells[-1] == Phrase(" 31 %, no answer for 12 s", Tone.WAIT)
    for selection in (Selection(board="left", partition="app1"), Selection(board="left", partition="app1", job=1)):
        told = views.details(store, selection, NOW)[0]
        assert "no answer for 12 s" in told.text
        assert told.tone is Tone.WAIT


def test_boards_with_problems_come_first_the_worst_at_the_top() -> None:
    store = filled_store()

    def order() -> list[str]:
        return [row.key.board for row in views.board_rows(store, NOW) if row.key.board and not row.key.partition]

    assert order() == ["right", "twin", "lab", "left", "bench-1", "spare"]
    store.take(event(job=job(30, "spare", Failed(failure=FAILURE))))
    assert order() == ["right", "spare", "twin", "lab", "left", "bench-1"]


@pytest.mark.parametrize(
    ("wanted", "boards"),
    [
        ("", ["right", "twin", "lab", "left", "bench-1", "spare"]),
        ("  TWI ", ["twin"]),
        ("1.0.1", ["twin", "lab", "bench-1"]),
        ("other profile", ["left"]),
        ("failed", ["right"]),
        ("on hold", ["lab"]),
        ("ambiguous", ["twin"]),
        ("incomplete", ["twin"]),
        ("writing", ["bench-1"]),
        ("waiting", ["spare"]),
        ("absent", ["spare"]),
        ("in dfu", ["right", "bench-1"]),
        ("verified", ["left", "bench-1"]),
        ("not verified", ["lab"]),
        ("disarmed", []),
        ("[", []),
    ],
)
def test_a_filter_finds_names_states_profiles_and_versions(wanted: str, boards: list[str]) -> None:
    store = filled_store()
    store.take(event(board=replace(store.boards["left"], profile="other profile")))
    rows = views.board_rows(store, NOW, wanted=wanted.strip())
    assert [row.key.board for row in rows if row.key.board and not row.key.partition] == boards


def test_every_level_of_the_log_has_words() -> None:
    for level in LogLevel:
        assert views.log_text(LogLine(id=1, time=NOW, level=level, text="text")).endswith("text")


def test_a_presence_that_only_a_newer_daemon_knows_is_shown() -> None:
    store = bench_of(contents(), presence=Presence.OTHER)
    assert views.board_rows(store, NOW)[0].cells[1].text == "unknown"
    assert views.details(store, Selection(board="left"), NOW)


def test_a_job_that_only_a_newer_daemon_knows_is_told_in_its_words() -> None:
    store = bench_of(
        contents(),
        jobs=(job(1, status=Unknown(name="levitating", text="levitating gently"), text="levitating gently"),),
    )
    assert now_of(store, "left").text == "levitating gently"
    assert views.job_rows(store, NOW)[0].cells[-1].text == "levitating gently"


def test_the_header_tells_of_failures_that_may_be_out_of_sight() -> None:
    link = views.LinkState(views.LinkStatus.CONNECTED)
    store = filled_store()
    assert Phrase("1 failed", Tone.BAD) in views.header(store, link, "/s")
    store.take(event(job=job(30, "left", Failed(failure=FAILURE))))
    assert Phrase("2 failed", Tone.BAD) in views.header(store, link, "/s")
    store.take(event(job=job(31, "left", Done())))
    store.take(event(job=job(32, "right", Done())))
    assert [cell.text for cell in views.header(store, link, "/s") if cell.tone is Tone.BAD] == [
        "1 incomplete",
        "1 did not start",
    ]


@pytest.mark.parametrize(
    ("changed", "refused", "cells"),
    [
        (False, "", []),
        (True, "", ["configuration changed"]),
        (True, "/c.toml:1: seriel", ["configuration refused"]),
    ],
)
def test_the_header_tells_that_the_configuration_is_not_in_force_as_it_is_now(
    changed: bool, refused: str, cells: list[str]
) -> None:
    store = filled_store()
    state = ConfigurationState(files=("/c.toml", "/fw.toml"), read_at=NOW, changed=changed, refused=refused)
    store.take(event(daemon=replace(DAEMON, configuration=state)))
    link = views.LinkState(views.LinkStatus.CONNECTED)
    *first, path, socket = views.header(store, link, "/s")
    assert (path, socket) == (Phrase("/c.toml", Tone.FAINT), Phrase("/s", Tone.FAINT))
    daemon = next(at for at, cell in enumerate(first) if cell.text.startswith("flashdeckd "))
    told = [cell for cell in first if cell.text.startswith("configuration ")]
    assert told == [Phrase(text, Tone.WAIT) for text in cells]
    assert all(first.index(cell) < daemon for cell in told), "a narrow screen cuts off what is behind"
    store.take(event(daemon=replace(DAEMON, configuration=replace(state, files=()))))
    assert views.header(store, link, "/s")[-2] == Phrase("no configuration", Tone.FAINT)


def test_what_does_not_work_in_the_daemon_is_told_below_the_header_until_it_works_again() -> None:
    store = filled_store()
    link = views.LinkState(views.LinkStatus.CONNECTED)
    trouble = Trouble(part="configuration", text="refused: c.toml:1: seriel", hint="mend it", since=NOW - 60, boards=())
    store.take(event(daemon=replace(DAEMON, troubles=(trouble,), degraded=(trouble.line,))))
    (line,) = views.notices(store, link, NOW)
    assert line.tone is Tone.WAIT
    assert all(part in line.text for part in ("configuration", "c.toml:1: seriel", "mend it"))
    store.take(event(daemon=DAEMON))
    assert views.notices(store, link, NOW) == []


def test_a_trouble_that_is_alone_is_told_whole_and_several_do_not_hide_each_other() -> None:
    store = filled_store()
    link = views.LinkState(views.LinkStatus.CONNECTED)
    long = Trouble(part="included", text="x" * 2 * views.LONG_TEXT, hint="", since=NOW, boards=())
    store.take(event(daemon=replace(DAEMON, troubles=(long,))))
    assert [len(line.text) for line in views.notices(store, link, NOW)] == [views.LONG_TEXT]
    store.take(event(daemon=replace(DAEMON, troubles=(long, long))))
    assert [len(line.text) for line in views.notices(store, link, NOW)] == [views.SHORT_NOTICE] * 2


def test_a_plain_device_has_alternate_settings_and_no_boot_unit_to_protect_it() -> None:
    store = bench_of(contents(complete=False))
    gadget = replace(store.boards["left"].partitions[1], address=0, alternate="main\x1b[2J")
    store.take(event(board=replace(store.boards["left"], partitions=(gadget,))))
    said = " ".join(line.text for line in views.details(store, Selection(board="left", partition="app1"), NOW))
    assert "alternate setting main" in said
    assert "\x1b" not in said
    assert "0x0" not in said
    assert "a half-written image may start" in said
    assert "cannot boot" not in said


@given(
    st.builds(
        contents,
        verified=st.sampled_from(Verified),
        complete=st.booleans(),
        uncertain=st.booleans(),
        started=st.none() | st.booleans(),
    )
)
def test_screen_and_tables_say_the_same_of_contents(state: Contents) -> None:
    store = bench_of(state)
    (row,) = [r for r in views.board_rows(store, NOW) if r.key.partition == "app1"]
    word = contents_state(state)
    assert row.cells[2] == Phrase(f"{word.text}, 2 min ago", word.tone)
    assert words.verified(state) == words.cell(word)
    told = views.details(store, Selection(board="left", partition="app1"), NOW)[0].text
    assert f", {word.text}: " in told
