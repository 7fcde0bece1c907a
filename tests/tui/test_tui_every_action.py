"""Every action of the screen, by its key and from the palette: the calls that it makes, then what is seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from flashdeck import api
from flashdeck.job_state import Done, JobKind
from flashdeck.queue_order import QueueMove
from flashdeck.taking import ourselves
from flashdeck_tui.actions.action import Action
from flashdeck_tui.actions.boards import TAKE_SECONDS
from flashdeck_tui.actions.read_into_file import READ_SECONDS
from flashdeck_tui.actions.registry import ACTIONS
from flashdeck_tui.app import AppContext
from flashdeck_tui.board_list import Arrangement
from flashdeck_tui.middle import Middle
from flashdeck_tui.own_command import OwnCommand
from flashdeck_tui.store import Selection
from flashdeck_tui.unit_failures import MOST_UNITS
from slot_scene import FAILURES, LOT, slots
from tui_hands import Screen, opened
from tui_scene import BENCH, NEWEST, RESULT, job

LEFT, APP1 = Selection(board="left"), Selection(board="left", partition="app1")
LAB, RIGHT, SPARE, DEVICE = (
    Selection(board="lab"),
    Selection(board="right"),
    Selection(board="spare"),
    Selection(device="1-5"),
)
FIRST, SECOND = (
    Selection(board="left", partition="app1", job=20),
    Selection(board="left", partition="partition2", job=21),
)
SCENE = replace(
    slots(4, LOT),
    boards=tuple(replace(each, armed=each.name != "spare") for each in BENCH.boards),
    jobs=(*BENCH.jobs, job(20), job(21, partition="partition2")),
)
READ = job(61, status=Done(result=RESULT), kind=JobKind.READ, size=5)
FILE = "FILE"
"""The path of a new file, where it is typed."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One action as a person does it."""

    seen: str
    """A text that is on the screen afterwards."""
    at: Selection = LEFT
    before: tuple[str, ...] = ()
    """Keys that lead to where the action can be done."""
    then: tuple[str, ...] = ()
    """Keys that answer what it asks; `FILE` types a path."""
    calls: tuple[api.Params[Any], ...] = ()
    gone: str = ""
    """A text that was on the screen before, and is not there afterwards."""


def reads(*, force: bool) -> tuple[api.Params[Any], ...]:
    return (
        api.ReadPartition(partition="app1", boards=("left",), force=force),
        api.WaitJobs(ids=(61,), timeout=READ_SECONDS),
        api.ReadImage(sha256=READ.sha256, size=5),
    )


DEEDS: Mapping[str, Deed] = {
    "flash": Deed(
        "Job 11: 1.0.2 into app1 of left.",
        APP1,
        then=("enter",),
        calls=(api.Flash(partition="app1", sha256=NEWEST, boards=("left",)),),
    ),
    "plan": Deed(
        "plan for app1 of left",
        APP1,
        then=("enter",),
        calls=(api.Plan(partition="app1", sha256=NEWEST, boards=("left",)),),
    ),
    "verify": Deed("Job 21: verify app1 of left.", APP1, calls=(api.Verify(partition="app1", boards=("left",)),)),
    "verify-with": Deed(
        "Job 21: verify app1 of left.",
        APP1,
        then=("end", "enter"),
        calls=(api.Verify(partition="app1", boards=("left",), force=True),),
    ),
    "rollback": Deed(
        "Job 41: 1.0.2 into app1 of left.",
        APP1,
        then=("y",),
        calls=(
            api.PlanRollback(partition="app1", boards=("left",)),
            api.Rollback(partition="app1", boards=("left",)),
        ),
    ),
    "erase": Deed(
        "Job 31: erase app1 of left.", APP1, then=("y",), calls=(api.Erase(partition="app1", boards=("left",)),)
    ),
    "read": Deed("5 B of app1 of left are in", APP1, then=(FILE, "enter"), calls=reads(force=False)),
    "read-forced": Deed("5 B of app1 of left are in", APP1, then=(FILE, "enter"), calls=reads(force=True)),
    "retry": Deed("Job 12 (app1 of left): queued.", RIGHT, calls=(api.Retry(job=6),)),
    "cancel": Deed("Job 20 (app1 of left): cancelled", FIRST, calls=(api.Cancel(job=20),)),
    "move-up": Deed("Job 21 is number 1 of 2", SECOND, calls=(api.MoveJob(job=21, to=QueueMove.UP),)),
    "move-down": Deed("Job 20 is number 2 of 2", FIRST, calls=(api.MoveJob(job=20, to=QueueMove.DOWN),)),
    "move-first": Deed("Job 21 is number 1 of 2", SECOND, calls=(api.MoveJob(job=21, to=QueueMove.FIRST),)),
    "hold": Deed("left is on hold: by hand.", then=("enter",), calls=(api.Hold(boards=("left",), reason="by hand"),)),
    "release": Deed("lab is released.", LAB, calls=(api.Release(boards=("lab",)),)),
    "arm": Deed("spare is armed: new builds are flashed.", SPARE, calls=(api.Arm(boards=("spare",)),)),
    "arm-once": Deed("left is armed once: the next build", calls=(api.Arm(boards=("left",), once=True),)),
    "disarm": Deed("left is disarmed: new builds are offered.", calls=(api.Disarm(boards=("left",)),)),
    "take": Deed(
        "left is yours until you quit",
        calls=(api.Take(boards=("left",), by=ourselves(), reason="from the screen", timeout=TAKE_SECONDS),),
    ),
    "reset": Deed("right leaves DFU mode.", RIGHT, calls=(api.ResetBoards(boards=("right",)),)),
    "undo": Deed("Undone: mark all. 0 boards marked", before=("asterisk",), gone="6 boards marked"),
    "messages": Deed("messages, the newest first"),
    "doctor": Deed("doctor: left", calls=(api.Examine(boards=("left",)),)),
    "doctor-of-machine": Deed("doctor: this machine", calls=(api.Examine(),)),
    "adopt": Deed(
        "is a board of profile product now", DEVICE, then=("enter", "enter"), calls=(api.Adopt(device="1-5"),)
    ),
    "init": Deed("The board is set up.", DEVICE),
    "report": Deed("Report: r.tar.gz, 12 KiB.", then=("enter", FILE, "enter")),
    "config-reload": Deed("Read c.toml: 1 change; board left is new", calls=(api.ReloadConfig(),)),
    "config-trust": Deed("No included file waits for a confirmation.", calls=(api.ReloadConfig(),)),
    "flash-map": Deed("left: flash map"),
    "history": Deed("history of left"),
    "log": Deed("log · all boards · all levels"),
    "slots": Deed("lot spring-7  12/100 PASS", calls=(api.GetUnits(limit=MOST_UNITS),)),
    "board-log": Deed("log · left · all levels"),
    "next-problem": Deed("─app1 of right"),
    "previous-problem": Deed("─lab"),
    "filter": Deed("Filter: name, state, profile"),
    "clear-filter": Deed("MAP", before=("2",), gone="PROGRESS, REASON"),
    "mark": Deed("STATE   1 board marked"),
    "mark-all": Deed("STATE   6 boards marked"),
    "sort": Deed("Boards are sorted by name."),
    "group": Deed("Boards are grouped by profile."),
    "boards": Deed("MAP", before=("2",), gone="PROGRESS, REASON"),
    "queue": Deed("PROGRESS, REASON", gone="MAP"),
    "wall": Deed("right", gone="STATE"),
    "details": Deed("left (Esc: close)"),
    "help": Deed("help (Esc: close)"),
    "palette": Deed("Search for commands"),
    "theme": Deed("Theme: dark. It is kept.", then=("enter",)),
    "redraw": Deed("STATE"),
    "suspend": Deed("There is no shell behind a screen"),
}
"""All but `quit`, after which there is nothing to see."""


async def begin(screen: Screen) -> None:
    """Close what is open, and let the list be as it was."""
    for _ in range(3):
        await screen.press("escape")
    assert screen.app.screen is screen.app.main
    screen.app.main.marks = frozenset()
    screen.app.main.take_listing(Arrangement())
    screen.app.main.open_middle(Middle.BOARDS)
    screen.app.refresh_views()
    screen.link.calls.clear()
    await screen.settle()


async def do(screen: Screen, action: Action, deed: Deed, file: Path, *, by_key: bool) -> None:
    """Do it, by its key where it has one and that is wanted."""
    if by_key and action.key:
        await screen.press(action.key)
    else:
        commands = {command.title: command for command in screen.app.get_system_commands(screen.app.screen)}
        key = f" ({action.key_label})" if action.key else ""
        commands[f"{action.title}{key}"].callback()
        await screen.settle()
    for key in deed.then:
        if key == FILE:
            screen.type(str(file))
        else:
            await screen.press(key)


@pytest.mark.long
@pytest.mark.parametrize("by_key", [True, False], ids=["key", "palette"])
async def test_every_action_calls_what_it_says_and_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_key: bool
) -> None:
    async def output(_: OwnCommand) -> str:
        return "r.tar.gz, 12 KiB\n"

    async def run(_: AppContext, _command: OwnCommand) -> int:
        return 0

    monkeypatch.setattr("flashdeck_tui.actions.upkeep.output_of", output)
    monkeypatch.setattr(AppContext, "run_command", run)
    async with opened(SCENE) as screen:
        screen.link.answers |= {
            api.ReadPartition: api.JobList(jobs=(job(61, kind=JobKind.READ, sha256="", size=0),)),
            api.WaitJobs: api.JobList(jobs=(READ,)),
            api.ReadImage: api.ImagePiece(data=b"bytes"),
            api.GetUnits: FAILURES,
        }
        for action in ACTIONS:
            if action.id not in DEEDS or (action.id == "palette" and not by_key):
                continue
            deed = DEEDS[action.id]
            await begin(screen)
            await screen.select(deed.at)
            await screen.press(*deed.before)
            await do(screen, action, deed, tmp_path / f"{action.id}.bin", by_key=by_key)
            await screen.done()
            screen.app.refresh_views()
            await screen.settle()
            asked = [call for call in screen.calls if not isinstance(call, api.GetLogs)]
            assert asked == list(deed.calls), action.id
            assert deed.seen in screen.shown, f"{action.id}\n{screen.shown}"
            assert not deed.gone or deed.gone not in screen.shown, f"{action.id}\n{screen.shown}"


def test_no_action_is_left_out() -> None:
    assert {*DEEDS, "quit"} == {action.id for action in ACTIONS}
