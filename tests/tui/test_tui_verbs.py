"""Every command on the screen: the calls that arrive, what is said, and what is said where it cannot run."""

import hashlib
from dataclasses import replace as replace_state
from pathlib import Path
from typing import Any, cast

import click
import pytest
from msgspec.structs import replace
from textual.widgets import OptionList

from flashdeck import api
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Blocked, Done, Failed, Failure, JobKind, Queued, WaitFor, Waiting
from flashdeck.model import BoardHold, BoardLease, HoldBy, JobState, Presence, Snapshot
from flashdeck.queue_order import QueueMove
from flashdeck.taking import ourselves
from flashdeck_tui.actions.action import Action, Needs
from flashdeck_tui.actions.boards import TAKE_SECONDS
from flashdeck_tui.actions.flashing import JOBS_LOOKED_AT, MOST_EARLIER
from flashdeck_tui.actions.read_into_file import READ_SECONDS
from flashdeck_tui.actions.registry import ACTIONS
from flashdeck_tui.app import AppContext
from flashdeck_tui.cli.root import root
from flashdeck_tui.own_command import OwnCommand
from flashdeck_tui.screens.details_screen import DetailsScreen
from flashdeck_tui.screens.questions import ChooseScreen, ConfirmScreen
from flashdeck_tui.store import JUST_HELD, Selection
from tui_hands import opened
from tui_scene import BENCH, HOSTILE, NEWEST, OLDER, RESULT, board, contents, event, job, partitions

LEFT, LEFT_APP1 = Selection(board="left"), Selection(board="left", partition="app1")
LAB, DEVICE = Selection(board="lab"), Selection(device="1-5")

NOT_ON_THE_SCREEN = {
    **dict.fromkeys(
        ("lot begin", "lot status", "lot end"), "a lot is begun with a file and a number; its progress is shown"
    ),
    "status": "the main screen is that",
    "boards": "the list of boards is that",
    "jobs": "the queue is that",
    "wait": "the screen itself waits: it stays open",
    "history": "a screen of its own",
    "run": "it is for programs that test; the screen flashes, and its log shows consoles",
    "logs": "the log of the main screen",
    "console": "the log shows consoles",
    "follow": "it reads a file for as long as it runs",
    "suggest": "it prints configuration; on the screen i sets a device up",
    "config check": "the screen shows what the daemon says of its files",
    "config show": "it prints the configuration",
    "install": "it changes this machine, not a daemon",
    "uninstall": "likewise",
    "completion": "it is for the shell",
    "demo": "it opens a screen",
    "virtual list": "hands on emulated boards; the demo has them",
    "virtual plug": "likewise",
    "virtual unplug": "likewise",
    "virtual swap": "likewise",
    "virtual press": "likewise",
    "virtual say": "likewise",
    "virtual fault": "likewise",
    "virtual dump": "likewise",
    "connect": "it is for ssh",
    "serve": "it is this screen, in a browser",
}


def commands(group: click.Group = root, words: str = "") -> list[str]:
    """All commands, by their words."""
    context = click.Context(group)
    found: list[str] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inside = f"{words} {name}".strip()
        found += commands(command, inside) if isinstance(command, click.Group) else [inside]
    return found


def test_every_command_has_its_action_or_a_reason_why_not() -> None:
    here = {action.command for action in ACTIONS if action.command}
    known = set(commands())
    assert known - here - set(NOT_ON_THE_SCREEN) == set(), "give it an action, or a reason in NOT_ON_THE_SCREEN"
    assert here - known == set()
    assert here & set(NOT_ON_THE_SCREEN) <= {"history", "logs"}


def test_what_changes_something_needs_a_daemon_and_says_that_it_changes() -> None:
    for action in ACTIONS:
        if action.command and action.command not in ("report", "history", "logs", "units"):
            assert action.changes, action.id
        if action.changes:
            assert action.needs is not Needs.NOTHING, action.id


@pytest.mark.parametrize(
    "action", [action for action in ACTIONS if action.changes and action.command], ids=lambda action: action.id
)
def test_the_manual_has_every_command_with_its_key(action: Action) -> None:
    key = f"`{action.key_label}`" if action.key else "palette"
    manual = (Path(__file__).parents[2] / "docs" / "screen.md").read_text()
    assert f"| {key} | {action.description} | `{action.command}` |" in manual


def with_boards(*changed: Any, jobs: tuple[JobState, ...] = BENCH.jobs) -> Snapshot:
    names = {each.name for each in changed}
    return replace(BENCH, boards=(*changed, *(b for b in BENCH.boards if b.name not in names)), jobs=jobs)


# Flash, plan, verify, erase, rollback.


async def test_an_earlier_image_of_the_partition_can_be_chosen() -> None:
    async with opened() as screen:
        screen.link.history = (
            job(5, "left", Done(result=RESULT)),
            job(4, "left", Done(result=RESULT), sha256=OLDER, version="1.0.1"),
            job(3, "left", Done(result=RESULT), sha256=OLDER, version="1.0.1"),
            job(2, "left", Done(result=RESULT), kind=JobKind.RESET, sha256=""),
        )
        await screen.select(LEFT_APP1)
        await screen.press("f")
        assert screen.app.screen.query_one(OptionList).option_count == 4  # newest, file, and two images
        await screen.press("up", "enter")
        assert screen.calls == [api.Flash(partition="app1", sha256=OLDER, boards=("left",))]
        (asked,) = [call for call in screen.link.calls if isinstance(call, api.GetHistory)]
        assert asked == api.GetHistory(boards=("left",), partition="app1", limit=JOBS_LOOKED_AT)


async def test_as_many_earlier_images_as_a_person_looks_at() -> None:
    async with opened() as screen:
        shas = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(MOST_EARLIER + 1)]
        screen.link.history = tuple(
            job(100 - number, "left", Done(result=RESULT), sha256=sha) for number, sha in enumerate(shas)
        )
        await screen.select(LEFT_APP1)
        await screen.press("f")
        assert screen.app.screen.query_one(OptionList).option_count == MOST_EARLIER + 2


async def test_a_daemon_that_has_no_history_still_flashes_the_newest_build() -> None:
    async with opened() as screen:
        screen.link.answers[api.GetHistory] = RemoteError("no such method", kind=ErrorKind.PROTOCOL_MISMATCH)
        await screen.select(LEFT_APP1)
        await screen.press("f", "enter")
        assert [type(call) for call in screen.calls] == [api.Flash]
        assert "Earlier images are not known: no such method" in screen.said


async def test_a_plan_is_asked_for_and_shown() -> None:
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press("p", "enter")
        assert screen.calls == [api.Plan(partition="app1", sha256=NEWEST, boards=("left",))]
        shown = screen.app.screen
        assert isinstance(shown, DetailsScreen)
        assert "erase 1: 0x08020000 to 0x08021fff, 8 KiB; on error: try again once" in screen.text
        assert screen.said == ["1 plan for app1. Nothing was written."]


async def test_verify_names_its_job() -> None:
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press("v")
        assert screen.calls == [api.Verify(partition="app1", boards=("left",))]
        assert screen.said == ["Job 21: verify app1 of left."]


@pytest.mark.parametrize(("steps", "with_file", "force"), [(0, True, False), (1, True, True), (2, False, True)])
async def test_verify_takes_a_file_or_reads_all_the_same(
    tmp_path: Path, steps: int, with_file: bool, force: bool
) -> None:
    (tmp_path / "a.bin").write_bytes(b"bytes")
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press("V", *["down"] * steps, "enter")
        if with_file:
            screen.type(str(tmp_path / "a.bin"))
            await screen.press("enter")
            await screen.done()
        sha256 = hashlib.sha256(b"bytes").hexdigest() if with_file else ""
        assert screen.calls == [api.Verify(partition="app1", sha256=sha256, boards=("left",), force=force)]
        assert screen.link.uploads == ([("a.bin", b"bytes", "app1", ("left",))] if with_file else [])
        assert screen.said[-1] == "Job 21: verify app1 of left."


async def test_erase_asks_and_says_what_is_lost() -> None:
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press("E", "enter", "n")
        assert not screen.calls
        await screen.press("E")
        assert isinstance(screen.app.screen, ConfirmScreen)
        assert "Erase app1 of left?" in screen.text
        assert "1.0.2" in screen.text
        await screen.press("y")
        assert screen.calls == [api.Erase(partition="app1", boards=("left",))]
        assert screen.said == ["Job 31: erase app1 of left."]


async def test_rollback_shows_its_plan_and_asks() -> None:
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press("b")
        assert isinstance(screen.app.screen, ConfirmScreen)
        assert "write 1: 0x08020000" in screen.text
        await screen.press("n")
        assert screen.calls == [api.PlanRollback(partition="app1", boards=("left",))]
        await screen.press("b", "y")
        assert screen.calls[-1] == api.Rollback(partition="app1", boards=("left",))


async def test_where_there_is_no_way_back_nothing_is_asked() -> None:
    async with opened() as screen:
        screen.link.answers[api.PlanRollback] = RemoteError(
            "board left has nothing to go back to", hint="flash a file", kind=ErrorKind.NO_SUCH_ARTIFACT
        )
        await screen.select(LEFT_APP1)
        await screen.press("b")
        assert screen.said == ["Roll back failed: board left has nothing to go back to; flash a file"]
        assert screen.app.screen is screen.app.main


@pytest.mark.parametrize("key", ["f", "p", "v", "E", "b", "R"])
async def test_a_protected_partition_is_no_target(key: str) -> None:
    only = replace(board("left"), partitions=partitions()[:1])
    async with opened(with_boards(only, jobs=())) as screen:
        await screen.select(LEFT)
        await screen.press(key)
        assert screen.said == ["Every partition of left is protected."]
        assert not screen.calls


# Read.


async def test_read_writes_all_bytes_into_a_new_file(tmp_path: Path) -> None:
    async with opened() as screen:
        read = job(61, "left", Done(result=RESULT), kind=JobKind.READ, size=5)
        screen.link.answers |= {
            api.ReadPartition: api.JobList(jobs=(job(61, "left", kind=JobKind.READ, sha256="", size=0),)),
            api.WaitJobs: api.JobList(jobs=(read,)),
            api.ReadImage: api.ImagePiece(data=b"bytes"),
        }
        await screen.select(LEFT_APP1)
        await screen.press("R")
        screen.type(str(tmp_path / "a.bin"))
        await screen.press("enter")
        await screen.done()
        assert (tmp_path / "a.bin").read_bytes() == b"bytes"
        assert screen.calls == [
            api.ReadPartition(partition="app1", boards=("left",)),
            api.WaitJobs(ids=(61,), timeout=READ_SECONDS),
            api.ReadImage(sha256=read.sha256, size=5),
        ]
        assert screen.said[-1] == f"5 B of app1 of left are in {tmp_path / 'a.bin'}."


async def test_several_boards_are_read_into_a_directory_a_file_each(tmp_path: Path) -> None:
    async with opened() as screen:
        jobs = {"left": 61, "lab": 62, "right": 63}

        async def call(params: Any) -> Any:
            screen.link.calls.append(params)
            match params:
                case api.ReadPartition(boards=(name,)):
                    return api.JobList(jobs=(job(jobs[name], name, kind=JobKind.READ, sha256="", size=0),))
                case api.WaitJobs(ids=(63,)):
                    refused = Failed(failure=Failure(kind=ErrorKind.UNREADABLE, message="it cannot be read", hint="h"))
                    return api.JobList(jobs=(job(63, "right", refused, kind=JobKind.READ),))
                case api.WaitJobs(ids=(number,)):
                    return api.JobList(jobs=(job(number, "x", Done(result=RESULT), sha256=f"{number}", size=2),))
                case _:
                    return api.ImagePiece(data=params.sha256.encode())

        screen.link.call = call  # pyright: ignore[reportAttributeAccessIssue] - a test's
        screen.mark("left", "lab", "right")
        screen.app.action_act("read-forced")
        await screen.settle()
        await screen.press("enter")  # app1
        screen.type(str(tmp_path / "made"))
        await screen.press("enter")
        await screen.done()
        reads = [call for call in screen.calls if isinstance(call, api.ReadPartition)]
        assert {call.boards for call in reads} == {("left",), ("lab",), ("right",)}
        assert all(call.force for call in reads)
        found = {file.name: file.read_bytes() for file in (tmp_path / "made").iterdir()}
        assert found == {"left-app1.bin": b"61", "lab-app1.bin": b"62"}
        assert screen.app.messages.all[-1].text.startswith(
            f"app1 of 2 of 3 boards is in {tmp_path / 'made'}, 4 B. 1 fai"
        )
        await screen.press("R", "enter")
        screen.type(str(tmp_path / "made"))
        before = len(screen.calls)
        await screen.press("enter")
        await screen.done()
        assert len(screen.calls) == before, "nothing is read over a file"
        assert "exists; name another directory" in screen.said[-1]


async def test_a_read_never_goes_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"mine")
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press("R")
        screen.type(str(tmp_path / "a.bin"))
        await screen.press("enter")
        await screen.done()
        assert not screen.calls
        assert "exists; name a file that is new" in screen.said[-1]


async def test_a_read_that_waits_for_a_person_is_cancelled(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    async with opened() as screen:
        waits = job(61, "left", Waiting(for_=WaitFor.HOLD, reason="on hold"), kind=JobKind.READ, sha256="", size=0)
        screen.link.answers |= {api.ReadPartition: api.JobList(jobs=(waits,)), api.WaitJobs: api.JobList(jobs=(waits,))}
        await screen.select(LEFT_APP1)
        await screen.press("R")
        screen.type(str(file))
        await screen.press("enter")
        await screen.done()
        assert screen.calls[-1] == api.Cancel(job=61)
        assert "has read nothing" in screen.said[-1]
    assert not file.exists()


# Boards.


@pytest.mark.parametrize(
    ("key", "call", "said"),
    [
        ("A", api.Arm(boards=("left",)), "left is armed: new builds are flashed."),
        (
            "O",
            api.Arm(boards=("left",), once=True),
            "left is armed once: the next build is flashed, those after it are offered.",
        ),
        ("Z", api.Disarm(boards=("left",)), "left is disarmed: new builds are offered."),
        ("x", api.ResetBoards(boards=("left",)), "left leaves DFU mode."),
    ],
)
async def test_one_key_for_a_board(key: str, call: api.Params[Any], said: str) -> None:
    left = board("left", presence=Presence.DFU, armed=key == "Z")
    async with opened(with_boards(left)) as screen:
        await screen.select(LEFT)
        await screen.press(key)
        assert screen.calls == [call]
        assert screen.said == [said]


@pytest.mark.parametrize(
    ("board_fields", "key", "why"),
    [
        ({"armed": True, "once": True}, "O", "left is already armed once: the next build is flashed, those after"),
        ({"armed": False}, "Z", "left is already disarmed"),
        ({}, "x", "left is not in DFU mode: it is running."),
        ({"hold": BoardHold(reason="no")}, "x", "left is on hold: no: release it first."),
        ({"hold": BoardHold(reason="no")}, "T", "left is on hold: no: release it first."),
        ({"lease": BoardLease(by="eva", since=1.0)}, "T", "left is taken by eva"),
        ({}, "u", "There is nothing to undo."),
        ({}, "J", "Select a job in the queue first (2)."),
        ({}, "K", "Select a job in the queue first (2)."),
        ({}, "i", "Select a device that is no board first."),
    ],
)
async def test_what_cannot_be_done_says_why(board_fields: dict[str, Any], key: str, why: str) -> None:
    async with opened(with_boards(board("left", **board_fields))) as screen:
        await screen.select(LEFT)
        await screen.press(key)
        (said,) = screen.said
        assert said.startswith(why)
        assert screen.status == said
        assert not screen.calls


async def test_a_reset_of_an_incomplete_board_asks_first() -> None:
    torn = board("left", presence=Presence.DFU, partitions=partitions(contents(complete=False)))
    async with opened(with_boards(torn)) as screen:
        await screen.select(LEFT)
        await screen.press("x", "n")
        assert not screen.calls
        await screen.press("x")
        assert "app1 of left is incomplete" in screen.text
        await screen.press("y")
        assert screen.calls == [api.ResetBoards(boards=("left",), force=True)]


async def test_a_hold_has_the_reason_that_was_typed_and_escape_holds_nothing() -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        await screen.press("H", "escape")
        assert not screen.calls
        await screen.press("H")
        screen.type("PSU swap \x1b[31m")
        await screen.press("enter")
        (call,) = screen.calls
        assert isinstance(call, api.Hold)
        assert call.reason.startswith("PSU swap")
        assert "\x1b" not in screen.said[0]


async def test_the_key_that_holds_a_board_releases_it_again() -> None:
    async with opened() as screen:
        await screen.select(LAB)
        assert "H Release" in screen.shown
        await screen.press("H")
        assert screen.calls == [api.Release(boards=("lab",))]
        assert screen.said == ["lab is released."]
        screen.link.store.take(event(board=board("lab")))
        screen.app.refresh_views()
        await screen.settle()
        assert "H Hold" in screen.shown
        await screen.press("u")
        assert screen.calls[1:] == [api.Hold(boards=("lab",), reason="the scope is on it, Eva")]


async def test_of_marked_boards_those_that_are_not_on_hold_are_held_and_then_all_are_released() -> None:
    async with opened() as screen:
        for place in (LEFT, LAB):
            await screen.select(place)
            await screen.press("space")
        await screen.press("H", "enter")
        assert screen.calls == [api.Hold(boards=("left",), reason="by hand")]
        held = replace(BENCH.boards[0], hold=BoardHold(reason="by hand"))
        screen.link.store.take(replace(BENCH, boards=(held, *BENCH.boards[1:])))
        await screen.press("H")
        assert screen.calls[1:] == [api.Release(boards=("left", "lab"))]


async def test_a_hold_of_this_moment_is_not_released_by_the_key_that_was_meant_to_hold() -> None:
    clock = [100.0]
    async with opened() as screen:
        store = screen.link.store
        store._clock = lambda: clock[0]  # pyright: ignore[reportPrivateUsage] - the time of a test
        await screen.select(LEFT)
        store.take(event(board=board("left", hold=BoardHold(reason="Eva"))))
        clock[0] += JUST_HELD / 2
        await screen.press("H")
        assert screen.calls == []
        assert screen.said == ["left is on hold since a moment ago (Eva): H again releases."]
        clock[0] += JUST_HELD / 2
        await screen.press("H")
        assert screen.calls == [api.Release(boards=("left",))]


ALICES = BoardHold(reason="soldering", user="alice")
CAROLS = BoardLease(by="night run", user="carol", since=1.0)


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        ({"hold": ALICES}, "left is on hold: soldering (by alice)"),
        ({"lease": CAROLS}, "left is taken by carol (night run)"),
        ({"hold": ALICES, "lease": CAROLS}, "on hold: soldering (by alice) and taken by carol"),
    ],
)
async def test_what_another_has_there_is_released_after_a_question_that_names_them(
    there: dict[str, Any], asked: str
) -> None:
    async with opened() as screen:
        screen.link.store.take(event(board=board("left", **there)))
        await screen.select(LEFT)
        await screen.press("L")
        assert isinstance(screen.app.screen, ConfirmScreen)
        assert "Release left all the same?" in screen.shown
        assert asked in " ".join(screen.shown.split())
        await screen.press("n")
        assert screen.calls == []
        await screen.press("L", "y")
        assert screen.calls == [api.Release(boards=("left",), force=True)]


async def test_one_s_own_hold_beside_another_s_lease_is_released_without_force() -> None:
    async with opened() as screen:
        screen.link.state = replace_state(screen.link.state, user="alice")
        screen.link.store.take(event(board=board("left", hold=ALICES, lease=CAROLS)))
        await screen.select(LEFT)
        await screen.press("L")
        assert screen.calls == [api.Release(boards=("left",))]


async def test_what_is_acquired_in_a_lab_is_not_released_here() -> None:
    async with opened() as screen:
        lease = BoardLease(by="desk/ann", reason="place left", place="left", since=1.0)
        screen.link.store.take(event(board=board("left", lease=lease)))
        await screen.select(LEFT)
        await screen.press("L")
        assert screen.calls == []
        assert screen.said == ["left is taken by desk/ann for place left: only labgrid ends that."]


async def test_take_and_give_back() -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        await screen.press("T")
        asked = api.Take(boards=("left",), by=ourselves(), reason="from the screen", timeout=TAKE_SECONDS)
        assert screen.calls == [asked]
        assert screen.said == ["left is yours until you quit: T gives it back."]
        taken = board("left", lease=BoardLease(by=ourselves(), since=1.0))
        screen.link.store.take(event(board=taken))
        screen.app.refresh_views()
        await screen.select(LAB)
        await screen.press("T")
        assert "You have left already" in screen.said[-1]
        await screen.select(LEFT)
        await screen.press("T")
        assert screen.calls[1:] == [api.EndLease()]
        assert screen.said[-1] == "left is given back."


# Undo.


async def test_a_hold_is_undone_while_it_is_the_same() -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        await screen.press("H", "enter")
        screen.link.store.take(event(board=board("left", hold=BoardHold(reason="by hand"))))
        await screen.press("u")
        assert screen.calls[1:] == [api.Release(boards=("left",))]
        assert screen.said[-1] == "Undone: hold left. No longer on hold: left."
        await screen.press("u")
        assert screen.said[-1] == "There is nothing to undo."


@pytest.mark.parametrize(
    ("now", "jobs", "why"),
    [
        (board("left"), (), "left has changed since"),
        (board("left", hold=BoardHold(reason="by hand", by=HoldBy.FLASHDECK)), (), "left has changed since"),
        (board("left", hold=BoardHold(reason="by hand"), doubts=("odd",)), (), "blocked jobs or faults"),
        (
            board("left", hold=BoardHold(reason="by hand")),
            (job(99, "left", Blocked(reason="map")),),
            "blocked jobs or faults",
        ),
    ],
)
async def test_a_hold_that_is_another_one_by_now_stays(now: Any, jobs: tuple[JobState, ...], why: str) -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        await screen.press("H", "enter")
        screen.link.store.take(event(board=now))
        for each in jobs:
            screen.link.store.take(event(job=each))
        await screen.press("u")
        assert len(screen.calls) == 1
        assert screen.said[-1].startswith("'hold left' can no longer be undone: ")
        assert why in screen.said[-1]


async def test_a_release_is_undone_with_the_reason_that_it_had() -> None:
    async with opened() as screen:
        await screen.select(LAB)
        await screen.press("L")
        screen.link.store.take(event(board=board("lab")))
        await screen.press("u")
        assert screen.calls[1:] == [api.Hold(boards=("lab",), reason="the scope is on it, Eva")]


async def test_a_release_of_flashdeck_s_own_hold_is_not_undone() -> None:
    own = board("left", hold=BoardHold(reason="may boot something incomplete", by=HoldBy.FLASHDECK))
    async with opened(with_boards(own)) as screen:
        await screen.select(LEFT)
        await screen.press("L", "u")
        assert screen.said[-1] == "There is nothing to undo."


@pytest.mark.parametrize(
    ("before", "key", "after", "back"),
    [
        ((True, False), "Z", (False, False), api.Arm(boards=("left",))),
        ((True, True), "A", (True, False), api.Arm(boards=("left",), once=True)),
        ((False, False), "O", (True, True), api.Disarm(boards=("left",))),
    ],
)
async def test_arming_goes_back_to_what_it_was(
    before: tuple[bool, bool], key: str, after: tuple[bool, bool], back: api.Params[Any]
) -> None:
    async with opened(with_boards(board("left", armed=before[0], once=before[1]))) as screen:
        await screen.select(LEFT)
        await screen.press(key)
        screen.link.store.take(event(board=board("left", armed=after[0], once=after[1])))
        await screen.press("u")
        assert screen.calls[1:] == [back]


async def test_armed_once_is_not_undone_after_its_job_has_come() -> None:
    async with opened(with_boards(board("left", armed=False))) as screen:
        await screen.select(LEFT)
        await screen.press("O")
        screen.link.store.take(event(board=board("left", armed=False)))
        await screen.press("u")
        assert len(screen.calls) == 1
        assert "left has changed since" in screen.said[-1]


async def test_marks_of_all_boards_go_back_to_those_before() -> None:
    async with opened() as screen:
        screen.mark("left", "lab")
        before = screen.app.main.marks
        await screen.press("asterisk")
        assert len(screen.app.main.marks) == len(BENCH.boards)
        await screen.press("u")
        assert screen.app.main.marks == before
        assert screen.said[-1] == "Undone: mark all. 2 boards marked, as before."
        await screen.press("asterisk")
        screen.mark("left")
        await screen.press("u")
        assert "can no longer be undone: the marks have changed since." in screen.said[-1]


async def test_one_mark_counts_and_not_the_board_under_the_cursor() -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        screen.mark("bench-1")
        await screen.press("c")
        assert "Cancel job 8" in screen.text
        await screen.press("n", "H", "enter")
        assert screen.calls == [api.Hold(boards=("bench-1",), reason="by hand")]


# The queue.


QUEUE = (
    job(20, "left", Queued()),
    job(21, "left", Queued(), partition="partition2"),
    job(22, "left", Queued(), partition="partition2"),
)


async def test_a_job_is_moved_and_moved_back() -> None:
    async with opened(replace(BENCH, jobs=QUEUE)) as screen:
        await screen.select(Selection(board="left", partition="partition2", job=21))
        await screen.press("K")
        assert screen.calls == [api.MoveJob(job=21, to=QueueMove.UP)]
        assert screen.said == ["Job 21 is number 1 of 3 in the queue of left."]
        for rank, each in enumerate((QUEUE[1], QUEUE[0]), 1):
            screen.link.store.take(event(job=replace(each, rank=rank)))
        await screen.press("u")
        assert screen.calls[1:] == [api.MoveJob(job=21, to=QueueMove.DOWN)]


async def test_a_move_is_not_undone_in_another_queue() -> None:
    async with opened(replace(BENCH, jobs=QUEUE)) as screen:
        await screen.select(Selection(board="left", partition="app1", job=20))
        await screen.press("J")
        assert screen.calls == [api.MoveJob(job=20, to=QueueMove.DOWN)]
        await screen.press("u")
        assert "The queue of left has changed since" in screen.said[-1]


@pytest.mark.parametrize(
    ("number", "key", "why"),
    [
        (20, "K", "Job 20 is the first one in the queue of left."),
        (22, "J", "Job 22 is the last one in the queue of left."),
        (22, "K", "Job 21 is for partition2, too: jobs of one partition keep their order."),
    ],
)
async def test_what_cannot_be_moved_says_why(number: int, key: str, why: str) -> None:
    async with opened(replace(BENCH, jobs=QUEUE)) as screen:
        await screen.select(Selection(board="left", partition="app1" if number == 20 else "partition2", job=number))
        await screen.press(key)
        assert screen.said == [why]
        assert not screen.calls


async def test_what_runs_is_in_no_queue() -> None:
    async with opened() as screen:
        await screen.select(Selection(board="bench-1", partition="app1", job=8))
        await screen.press("K")
        assert screen.said == ["Job 8 is in no queue: it is writing."]


# Many boards at once.


async def test_marked_boards_are_held_with_one_call() -> None:
    async with opened() as screen:
        screen.mark("left", "lab", "right")
        await screen.press("H", "enter")
        assert screen.calls == [api.Hold(boards=("left", "right"), reason="by hand")]
        assert screen.said == ["2 boards (left, right) are on hold: by hand."]


async def test_marked_boards_are_flashed_with_one_call_and_their_newest_build() -> None:
    async with opened() as screen:
        screen.mark("left", "right")
        await screen.press("f", "enter", "enter")
        assert screen.calls == [api.Flash(partition="app1", sha256=NEWEST, boards=("left", "right"))]
        assert screen.said == ["2 jobs: 1.0.2 into app1 of left, right."]


async def test_the_question_names_the_number_and_the_first_few() -> None:
    names = [f"rack-{number:03}" for number in range(8)]
    async with opened(replace(BENCH, boards=tuple(map(board, names)), jobs=())) as screen:
        screen.mark(*names)
        await screen.press("E", "enter")
        assert "Erase app1 of 8 boards (rack-000, rack-001, rack-002, rack-003, rack-004 and 3" in screen.text
        await screen.press("y")
        assert screen.calls == [api.Erase(partition="app1", boards=tuple(names))]


async def test_what_fails_on_some_is_told_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as screen:
        screen.mark("bench-1", "spare", "lab")

        async def call(params: Any, *, host: Any = None) -> Any:
            del host
            screen.link.calls.append(params)
            if params.job == 10:
                raise RemoteError("job 10 has ended already", hint="look at it")
            return screen.link.usual_answer(params)

        monkeypatch.setattr(screen.link, "call", call)
        await screen.press("c")
        assert "Cancel 3 jobs, of which 1 run (app1 of bench-1)?" in screen.text
        await screen.press("y")
        assert {call.job for call in screen.calls if isinstance(call, api.Cancel)} == {8, 9, 10}
        last = screen.app.messages.all[-1]
        assert last.text == "2 jobs: app1 of bench-1, app1 of spare. 1 failure: " + last.details[0]
        assert last.details[0] == "job 10 (app1 of lab): job 10 has ended already: look at it"
        await screen.press("exclamation_mark")
        assert "job 10 has ended already: look at it" in screen.text


async def test_none_of_the_marked_boards_says_why() -> None:
    async with opened() as screen:
        screen.mark("left", "right")
        await screen.press("L")
        assert screen.said == ["None of the 2 marked boards: left is not on hold."]


async def test_a_deed_is_for_the_board_that_was_selected_when_its_key_was_pressed() -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        await screen.press("H")
        screen.app.main.select(LAB)
        await screen.pilot.pause()
        await screen.press("enter")
        assert screen.calls == [api.Hold(boards=("left",), reason="by hand")]


# A host.


async def test_the_doctor_of_a_board_and_of_the_machine() -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        await screen.press("D")
        assert screen.calls == [api.Examine(boards=("left",))]
        assert "mend: implement MEM_If_Read_HS" in screen.text
        assert "\x1b" not in screen.text
        assert screen.said[-1] == "The doctor found on left: 0 errors, 1 warning, 0 notes."
        await screen.press("escape")
        await screen.select(DEVICE)
        await screen.press("D")
        assert screen.calls[1:] == [api.Examine()]


async def test_a_device_is_adopted_with_a_profile_and_a_name() -> None:
    async with opened() as screen:
        await screen.select(DEVICE)
        await screen.press("i")
        assert isinstance(screen.app.screen, ChooseScreen)
        await screen.press("down", "enter")
        screen.type("rack-001")
        await screen.press("enter")
        assert screen.calls == [api.Adopt(device="1-5", profile="product", name="rack-001")]
        assert screen.said == ["rack-001 is a board of profile product now, armed for new builds."]
        await screen.press("i", "enter", "enter")
        assert screen.calls[1:] == [api.Adopt(device="1-5")]


async def test_init_has_the_terminal_or_its_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[OwnCommand] = []
    codes: list[int | None] = [0, 1, None]

    async def run(_: AppContext, command: OwnCommand) -> int | None:
        ran.append(command)
        return codes.pop(0)

    monkeypatch.setattr(AppContext, "run_command", run)
    async with opened() as screen:
        await screen.select(DEVICE)
        for _ in range(3):
            await screen.press("i", "end", "enter")
        assert ran[0].words == ("init", "--device", "1-5")
        assert ran[0].options == ("--socket", str(screen.link.socket))
        assert screen.said[:2] == ["The board is set up.", "'flashdeck init' ended with 1: nothing more was done."]
        assert f"run it in one: flashdeck --socket {screen.link.socket} init --device 1-5" in screen.said[2]


async def test_the_configuration_is_read_again_and_its_changes_are_kept() -> None:
    async with opened() as screen:
        screen.app.action_act("config-reload")
        await screen.settle()
        assert screen.calls == [api.ReloadConfig()]
        assert screen.said == ["Read c.toml: 1 change; board left is new"]


async def test_a_file_is_confirmed_after_its_lines_were_shown() -> None:
    async with opened() as screen:
        waiting = api.UnconfirmedFile(file="/fw.toml", lines=(f"[profiles.p] enter: {HOSTILE}",), boards=("left",))
        plain = cast("api.ConfigReloaded", screen.link.usual_answer(api.ReloadConfig()))
        screen.link.answers[api.ReloadConfig] = replace(plain, unconfirmed=(waiting,))
        screen.app.action_act("config-trust")
        await screen.settle()
        assert "[profiles.p] enter" in screen.text
        assert "\x1b" not in screen.text
        await screen.press("n")
        assert screen.calls == [api.ReloadConfig()]
        screen.app.action_act("config-trust")
        await screen.settle()
        await screen.press("y")
        assert screen.calls[-1] == api.TrustConfig(file="/fw.toml")
        assert "Confirmed: /fw.toml" in screen.said[-1]


async def test_nothing_to_confirm_is_said() -> None:
    async with opened() as screen:
        screen.app.action_act("config-trust")
        await screen.settle()
        assert screen.said == ["No included file waits for a confirmation."]


async def test_the_report_is_written_by_the_command_and_its_path_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[OwnCommand] = []

    async def output(command: OwnCommand) -> str:
        ran.append(command)
        return "r.tar.gz, 12 KiB\nin it:\n  README.txt\n"

    monkeypatch.setattr("flashdeck_tui.actions.upkeep.output_of", output)
    async with opened() as screen:
        screen.app.action_act("report")
        await screen.settle()
        await screen.press("enter")
        screen.type(str(tmp_path / "r.tar.gz"))
        await screen.press("enter")
        await screen.done()
        assert ran[0].words == ("report", "--output", str(tmp_path / "r.tar.gz"), "--redact")
        assert screen.app.messages.all[-1].text == "Report: r.tar.gz, 12 KiB. Look into it before you hand it on."


async def test_retry_of_what_has_failed_on_marked_boards() -> None:
    failed = Failed(failure=Failure(kind=ErrorKind.STALL, message="it stalled"))
    async with opened(replace(BENCH, jobs=(job(30, "left", failed), job(31, "lab", failed)))) as screen:
        screen.mark("left", "lab")
        await screen.press("r")
        assert screen.calls == [api.Retry(job=30), api.Retry(job=31)]


async def test_a_read_is_not_retried_but_what_was_done_before_it() -> None:
    read = job(31, "left", Done(result=RESULT), kind=JobKind.READ)
    async with opened(replace(BENCH, jobs=(job(30, "left", Done(result=RESULT)), read))) as screen:
        await screen.select(LEFT)
        await screen.press("r")
        assert screen.calls == [api.Retry(job=30)]
        await screen.select(Selection(board="left", partition="app1", job=31))
        await screen.press("r")
        assert screen.calls[1:] == []
        assert screen.said[-1] == "Nobody would take what job 31 reads: R reads it into a file."
