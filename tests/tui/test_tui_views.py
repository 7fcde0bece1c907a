"""The words of the screen, from the store alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck.console_kinds import ConsoleCondition
from flashdeck.job_state import Blocked, Done, Failed, Phase, Queued, Unknown, Verified, WaitFor, Waiting
from flashdeck.model import (
    BoardHold,
    BoardLease,
    ConfigurationState,
    ConsoleState,
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
from flashdeck.verdict import Judgement, Verdict
from flashdeck.words.contents import contents_state
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.cli import words
from flashdeck_tui.link import LinkState, LinkStatus
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views.cells import LONG_TEXT, Row
from flashdeck_tui.views.details import details, title_of
from flashdeck_tui.views.header import NOTICE_LINES, header, notices
from flashdeck_tui.views.jobs import job_rows
from flashdeck_tui.views.log import log_text
from tui_scene import (
    ARTIFACT,
    BENCH,
    DAEMON,
    FAILURE,
    HOSTILE,
    KEYS,
    NEWEST,
    NOW,
    OLDER,
    SOCKET,
    board,
    contents,
    event,
    filled_store,
    fleet_of,
    job,
    listed_rows,
    partitions,
    running,
)

CRASHED = Judgement(verdict=Verdict.CRASHED, reason="HardFault", lines=("HardFault at 0x0",))
"""The verdict on an image that does not run."""


def now_of(store: Store, name: str) -> Phrase:
    """The state of a board in the list."""
    cell = row_of(store, name).cells[-1]
    return Phrase(cell.text, cell.tone)


def row_of(store: Store, name: str) -> Row:
    (row,) = [r for r in listed_rows(store) if r.key == Selection(board=name)]
    return row


def version_of(store: Store, name: str) -> str:
    """Return the cell of app1 in the list: behind the name and the map."""
    return row_of(store, name).cells[2].text


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
        (bench_of(contents()), "running, 2 min", Tone.GOOD),
        (bench_of(contents(verified=Verified.NO)), "running, 2 min", Tone.GOOD),
        (bench_of(contents(OLDER)), "running; newest build is 1.0.2", Tone.WAIT),
        (bench_of(contents(OLDER), offered=NEWEST), "running; f flashes 1.0.2", Tone.WAIT),
        (bench_of(contents(OLDER), offered=NEWEST, armed=False), "running; f flashes 1.0.2; disarmed", Tone.WAIT),
        (bench_of(contents(), armed=True, once=True), "running, 2 min; armed once", Tone.WAIT),
        (bench_of(contents(OLDER), artifacts=()), "running", Tone.WAIT),
        (bench_of(None, artifacts=()), "running; no build yet", Tone.FAINT),
        (bench_of(contents(complete=False)), "INCOMPLETE: f reflashes (app1)", Tone.BAD),
        (
            bench_of(contents(started=False)),
            "app1 did not start: look at the board, or flash another build",
            Tone.BAD,
        ),
        (bench_of(contents(verdict=CRASHED)), "does not run: HardFault (HardFault at 0x0) (app1)", Tone.BAD),
        (bench_of(contents(uncertain=True)), "uncertain: f reflashes (app1)", Tone.WAIT),
        (
            bench_of(
                None,
                artifacts=(replace(ARTIFACT, disposition=Disposition.REFUSED, reason="too large"),),
                trouble="too large",
            ),
            "build refused: too large (app1)",
            Tone.BAD,
        ),
        (bench_of(contents(), jobs=(job(1, status=Queued()),)), "queued: 1.0.2", Tone.PLAIN),
        (bench_of(contents(), jobs=(job(1, status=Blocked(reason="why")),)), "blocked: why (app1)", Tone.WAIT),
        (
            bench_of(contents(), jobs=(job(1, status=Failed(failure=FAILURE)),)),
            f"FAILED: {FAILURE.message} (app1)",
            Tone.BAD,
        ),
        (
            bench_of(contents(), jobs=(job(1, status=Failed(failure=FAILURE)),), hold=BoardHold(reason="mine")),
            f"FAILED: {FAILURE.message} (app1); 1 more problem",
            Tone.BAD,
        ),
        (bench_of(contents(), hold=BoardHold(reason="mine")), "on hold: mine", Tone.WAIT),
        (
            bench_of(contents(), lease=BoardLease(by="ci", reason="night", since=NOW)),
            "taken: night, by ci; running",
            Tone.WAIT,
        ),
        (
            bench_of(contents(), jobs=(job(1, status=Waiting(for_=WaitFor.HAND, reason="r", hint="press SW2")),)),
            'needs a hand: "press SW2"',
            Tone.WAIT,
        ),
        # A job that ended well afterwards puts an end to that.
        (
            bench_of(contents(), jobs=(job(1, status=Failed(failure=FAILURE)), job(2, status=Done()))),
            "running, 2 min",
            Tone.GOOD,
        ),
    ],
)
def test_a_board_says_in_words_how_it_is(store: Store, says: str, tone: Tone) -> None:
    assert now_of(store, "left") == Phrase(says, tone)


@pytest.mark.parametrize(
    ("app1", "status", "says"),
    [
        (contents(), None, "1.0.2 ok"),
        (contents(verified=Verified.NO), None, "1.0.2"),
        (contents(uncertain=True), None, "1.0.2 ?"),
        (contents(started=False), None, "1.0.2 !"),
        (contents(complete=False), None, "incomplete"),
        (contents(erased=True), None, "-"),
        (None, None, "-"),
        (contents(OLDER), running(), "1.0.1>1.0.2"),
        (contents(OLDER), Queued(), "1.0.1:1.0.2"),
        (contents(OLDER, complete=False), running(), "->1.0.2"),
        (None, running(), "->1.0.2"),
        (contents(OLDER), Done(), "1.0.1 ok"),
    ],
)
def test_a_partition_shows_what_it_has_and_what_is_on_its_way(app1: Any, status: Any, says: str) -> None:
    assert version_of(bench_of(app1, jobs=() if status is None else (job(1, status=status),)), "left") == says


def test_a_failed_erase_says_first_where_it_failed() -> None:
    failure = replace(FAILURE, message="erase of the sector 0x08024000: the bootloader reports errVENDOR")
    store = bench_of(contents(), jobs=(job(1, status=Failed(failure=failure)),))
    assert now_of(store, "left").text.startswith("FAILED erase 0x08024000: ")


def test_a_build_that_is_being_written_shows_before_it_is_a_job() -> None:
    store = bench_of(contents(OLDER), offered=NEWEST)
    left = store.boards["left"]
    written = tuple(replace(p, being_written=True) for p in left.partitions)
    store.take(Event(seq=2, board=replace(left, partitions=written)))
    assert now_of(store, "left").text == "running; a build is being written"


def test_a_file_that_is_kept_open_is_said_with_who_does_that() -> None:
    store = bench_of(contents(OLDER), offered=NEWEST)
    left = store.boards["left"]
    who = "APP1.bin is kept open for writing by pid 123 (ld)"
    held = tuple(replace(p, being_written=True, kept_open=who if p.name == "app1" else "") for p in left.partitions)
    store.take(Event(seq=2, board=replace(left, partitions=held)))
    assert now_of(store, "left") == Phrase(f"file kept open: {who} (app1)", Tone.WAIT)
    for selection in (Selection(board="left"), Selection(board="left", partition="app1")):
        said = " ".join(line.text for line in details(store, selection, NOW, KEYS))
        assert f"{who}; {KEPT_OPEN_HINT}" in said


def test_a_protected_partition_is_named_and_never_listed() -> None:
    store = filled_store()
    assert len(row_of(store, "left").cells) == 5, "name, map, app1, partition2, state"
    said = [line.text for line in details(store, Selection(board="left"), NOW, KEYS)]
    assert "protected, never touched: bootloader" in said


def test_a_failed_job_says_what_to_do_and_which_key_helps() -> None:
    lines = details(filled_store(), Selection(board="right", partition="app1"), NOW, KEYS)
    assert FAILURE.message in lines[0].text
    assert lines[0].tone is Tone.BAD
    assert lines[1] == Phrase(
        f"To do: {FAILURE.hint}; r retries this job, f flashes another image, D examines the board", Tone.STRONG
    )


def test_the_running_job_comes_first_then_the_queue_then_what_ended_newest_first() -> None:
    rows = job_rows(filled_store(), NOW)
    assert [row.key.job for row in rows] == [8, 9, 10, 6, 5]
    assert rows[0].cells[-1].text == " 41 % ████░░░░░░░░ 43.0 KiB/s"


def test_a_fault_of_a_bootloader_is_said() -> None:
    store = Store()
    store.take(replace(BENCH, boards=(board("left", doubts=("it is not read",)),)))
    lines = details(store, Selection(board="left"), NOW, KEYS)
    assert "it is not read; L tries it again." in [line.text for line in lines]


def test_a_console_is_among_what_is_known_of_a_board() -> None:
    held = ConsoleState(port="app", condition=ConsoleCondition.HELD, node="/dev/ttyACM0", reason="tio (pid 7) has it")
    store = Store()
    store.take(replace(BENCH, boards=(board("left", console=held), board("right"))))
    lines = details(store, Selection(board="left"), NOW, KEYS)
    assert Phrase("console: held (/dev/ttyACM0): tio (pid 7) has it", Tone.WAIT) in lines
    assert not [line for line in details(store, Selection(board="right"), NOW, KEYS) if "console" in line.text]


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
    rows = listed_rows(store) + job_rows(store, NOW)
    texts = [cell.text for row in rows for cell in row.cells]
    for row in rows:
        texts += [line.text for line in details(store, row.key, NOW, KEYS)]
        texts.append(title_of(store, row.key))
    link = LinkState(LinkStatus.DISCONNECTED, HOSTILE, HOSTILE)
    texts += [cell.text for cell in header(fleet_of(store, link, HOSTILE), KEYS)]
    texts += [line.text for line in notices(fleet_of(store, link, HOSTILE), NOW, 80)]
    assert len(texts) > 50
    assert not [text for text in texts if any(ch < " " or ch in "\x7f\u202e" for ch in text)]


def test_what_is_not_verified_is_never_called_verified() -> None:
    store = bench_of(contents(verified=Verified.NO))
    said = " ".join(line.text for line in details(store, Selection(board="left", partition="app1"), NOW, KEYS))
    assert "not verified" in said
    assert "found equal" not in said


def test_what_is_being_written_is_no_cause_for_alarm() -> None:
    store = bench_of(contents(complete=False), jobs=(job(1, status=running(done=1, total=4)),))
    assert now_of(store, "left") == Phrase("write 25%", Tone.BUSY)
    assert "app1: being flashed" in [line.text for line in details(store, Selection(board="left"), NOW, KEYS)]


def test_a_phase_that_is_not_measured_has_no_percent() -> None:
    store = bench_of(contents(), jobs=(job(1, status=running(Phase.START, 4, 4)),))
    assert now_of(store, "left") == Phrase("start", Tone.BUSY)
    assert job_rows(store, NOW)[0].cells[-1].text == ""


def test_a_board_that_hangs_says_for_how_long_and_has_no_speed() -> None:
    store = bench_of(contents(complete=False), jobs=(job(1, status=running(done=31, total=100, silent=12)),))
    assert now_of(store, "left") == Phrase("write 31% NO ANSWER 12 s", Tone.WAIT)
    assert job_rows(store, NOW)[0].cells[-1] == Phrase(" 31 %, no answer for 12 s", Tone.WAIT)
    for selection in (Selection(board="left", partition="app1"), Selection(board="left", partition="app1", job=1)):
        told = details(store, selection, NOW, KEYS)[0]
        assert "no answer for 12 s" in told.text
        assert told.tone is Tone.WAIT


def test_boards_with_problems_come_first_the_worst_at_the_top() -> None:
    store = filled_store()

    def order() -> list[str]:
        return [row.key.board for row in listed_rows(store) if row.key.board]

    assert order() == ["right", "twin", "lab", "bench-1", "spare", "left"]
    store.take(event(job=job(30, "spare", Failed(failure=FAILURE))))
    assert order() == ["right", "spare", "twin", "lab", "bench-1", "left"]


@pytest.mark.parametrize(
    ("wanted", "boards"),
    [
        ("", ["right", "twin", "lab", "bench-1", "spare", "left"]),
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
        ("verified", ["bench-1", "left"]),
        ("not verified", ["lab"]),
        ("disarmed", []),
        ("[", []),
    ],
)
def test_a_filter_finds_names_states_profiles_and_versions(wanted: str, boards: list[str]) -> None:
    store = filled_store()
    store.take(event(board=replace(store.boards["left"], profile="other profile")))
    rows = listed_rows(store, wanted)
    assert [row.key.board for row in rows if row.key.board] == boards


def test_every_level_of_the_log_has_words() -> None:
    for level in LogLevel:
        assert log_text(LogLine(id=1, time=NOW, level=level, text="text")).endswith("text")


def test_a_presence_that_only_a_newer_daemon_knows_is_shown() -> None:
    store = bench_of(contents(), presence=Presence.OTHER)
    assert now_of(store, "left").text == "unknown, 2 min"
    assert details(store, Selection(board="left"), NOW, KEYS)


def test_a_job_that_only_a_newer_daemon_knows_is_told_in_its_words() -> None:
    store = bench_of(
        contents(),
        jobs=(job(1, status=Unknown(name="levitating", text="levitating gently"), text="levitating gently"),),
    )
    assert now_of(store, "left").text == "levitating gently"
    assert job_rows(store, NOW)[0].cells[-1].text == "levitating gently"


def test_the_header_tells_of_failures_that_may_be_out_of_sight() -> None:
    link = LinkState(LinkStatus.CONNECTED)
    store = filled_store()
    assert Phrase("1 FAILED", Tone.BAD) in header(fleet_of(store, link), KEYS)
    store.take(event(job=job(30, "left", Failed(failure=FAILURE))))
    assert Phrase("2 FAILED", Tone.BAD) in header(fleet_of(store, link), KEYS)
    store.take(event(job=job(31, "left", Done())))
    store.take(event(job=job(32, "right", Done())))
    assert [cell.text for cell in header(fleet_of(store, link), KEYS) if cell.tone is Tone.BAD] == [
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
    link = LinkState(LinkStatus.CONNECTED)
    *first, path, socket = header(fleet_of(store, link), KEYS)
    assert (path, socket) == (Phrase("/c.toml", Tone.FAINT), Phrase(str(SOCKET), Tone.FAINT))
    daemon = next(at for at, cell in enumerate(first) if cell.text.startswith("flashdeckd "))
    told = [cell for cell in first if cell.text.startswith("configuration ")]
    assert told == [Phrase(text, Tone.WAIT) for text in cells]
    assert all(first.index(cell) < daemon for cell in told), "a narrow screen cuts off what is behind"
    store.take(event(daemon=replace(DAEMON, configuration=replace(state, files=()))))
    assert header(fleet_of(store, link), KEYS)[-2] == Phrase("no configuration", Tone.FAINT)


def test_what_does_not_work_in_the_daemon_is_told_below_the_header_until_it_works_again() -> None:
    store = filled_store()
    link = LinkState(LinkStatus.CONNECTED)
    trouble = Trouble(part="configuration", text="refused: c.toml:1: seriel", hint="mend it", since=NOW - 60, boards=())
    store.take(event(daemon=replace(DAEMON, troubles=(trouble,), degraded=(trouble.line,))))
    (line,) = notices(fleet_of(store, link), NOW, 80)
    assert line.tone is Tone.WAIT
    assert all(part in line.text for part in ("configuration", "c.toml:1: seriel", "mend it"))
    store.take(event(daemon=DAEMON))
    assert notices(fleet_of(store, link), NOW, 80) == []


def test_a_trouble_that_is_alone_is_told_whole_and_several_do_not_hide_each_other() -> None:
    store = filled_store()
    link = LinkState(LinkStatus.CONNECTED)
    long = Trouble(part="included", text="x" * 2 * LONG_TEXT, hint="", since=NOW, boards=())
    store.take(event(daemon=replace(DAEMON, troubles=(long,))))
    assert [len(line.text) for line in notices(fleet_of(store, link), NOW, 80)] == [LONG_TEXT]
    store.take(event(daemon=replace(DAEMON, troubles=(long, long))))
    several = notices(fleet_of(store, link), NOW, 80)
    assert all(80 < len(line.text) <= 2 * 80 for line in several), "two lines each"
    for count in (3, NOTICE_LINES):
        store.take(event(daemon=replace(DAEMON, troubles=(long,) * count)))
        assert [len(line.text) for line in notices(fleet_of(store, link), NOW, 80)] == [78] * count
    store.take(event(daemon=replace(DAEMON, troubles=(long,) * (NOTICE_LINES + 1))))
    *told, left = notices(fleet_of(store, link), NOW, 80)
    assert (len(told), left.text) == (NOTICE_LINES - 1, "and 2 more notices: see 'flashdeck status'")


def test_a_plain_device_has_alternate_settings_and_no_boot_unit_to_protect_it() -> None:
    store = bench_of(contents(complete=False))
    gadget = replace(store.boards["left"].partitions[1], address=0, alternate="main\x1b[2J")
    store.take(event(board=replace(store.boards["left"], partitions=(gadget,))))
    said = " ".join(line.text for line in details(store, Selection(board="left", partition="app1"), NOW, KEYS))
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
    word = contents_state(state)
    assert any(
        f" {word.text}, flashed 2 min ago" in line.text for line in details(store, Selection(board="left"), NOW, KEYS)
    )
    assert words.verified(state) == words.cell(word)
    told = details(store, Selection(board="left", partition="app1"), NOW, KEYS)[0].text
    assert f", {word.text}: " in told


def test_what_was_erased_by_hand_is_called_erased_and_not_flashed() -> None:
    nothing = contents(sha256="", version="", erased=True)
    left = board("left", partitions=partitions(nothing))
    store = filled_store(replace(BENCH, boards=(left,), jobs=()))
    said = [line.text for line in details(store, Selection(board="left"), NOW, KEYS)]
    assert said[0] == "app1: erased 2 min ago; newest build is 1.0.2"
    said = [line.text for line in details(store, Selection(board="left", partition="app1"), NOW, KEYS)]
    assert "; erased 2 min ago by job 1" in said[0]


def test_an_image_that_does_not_run_has_its_sign_and_no_advice_to_flash_it_again() -> None:
    store = bench_of(contents(verdict=CRASHED))
    assert version_of(store, "left") == "1.0.2 !"
    told = " ".join(phrase.text for phrase in details(store, Selection(board="left"), NOW, KEYS))
    assert "crashed: HardFault (HardFault at 0x0); its console tells more" in told
    assert "reflashes" not in told
    runs = bench_of(contents(verified=Verified.NO, verdict=Judgement(verdict=Verdict.RUNS)))
    assert version_of(runs, "left") == "1.0.2 ok"
