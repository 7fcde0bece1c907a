"""Each action, from the key to the call that reaches the daemon."""

from dataclasses import replace as altered
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from flashdeck import api
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Blocked
from flashdeck.model import Disposition
from flashdeck_tui.actions.action import Action, Context, Needs
from flashdeck_tui.actions.boards import USUAL_REASON
from flashdeck_tui.actions.registry import ACTIONS, registry
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.link import LinkState, LinkStatus
from flashdeck_tui.screens.help import HelpScreen
from flashdeck_tui.screens.main import LONGEST_FILTER
from flashdeck_tui.screens.questions import ChooseScreen, ConfirmScreen, PathScreen
from flashdeck_tui.store import Selection
from flashdeck_tui.widgets.rows import Rows
from tui_hands import Screen, opened
from tui_scene import ARTIFACT, BENCH, NEWEST, FakeLink, board, job, make_app

LEFT, LEFT_APP1 = Selection(board="left"), Selection(board="left", partition="app1")
OFFLINE = LinkState(LinkStatus.DISCONNECTED, "no flashdeckd listens on /s", "start it: flashdeckd")


async def test_flash_of_the_newest_build_is_two_keys() -> None:
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press("f", "enter")
        assert screen.calls == [api.Flash(partition="app1", sha256=NEWEST, boards=("left",))]
        assert screen.said == ["Job 11: 1.0.2 into app1 of left."]


async def test_flash_of_a_board_asks_for_the_partition() -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        await screen.press("f", "enter", "enter")
        assert screen.calls == [api.Flash(partition="app1", sha256=NEWEST, boards=("left",))]


async def test_flash_of_a_file_sends_its_bytes_and_never_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.bin"
    file.write_bytes(b"an image")
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press("f", "down", "enter")
        assert isinstance(screen.app.screen, PathScreen)
        screen.app.screen.query_one(Input).value = str(file)
        await screen.press("enter")
        await screen.done()
        assert screen.link.uploads == [("mine.bin", b"an image", "app1", ("left",))]
        (call,) = screen.calls
        assert isinstance(call, api.Flash)
        assert (call.partition, call.boards) == ("app1", ("left",))
        assert call.sha256 not in ("", NEWEST)


async def test_a_file_that_is_not_there_is_said_and_nothing_is_sent(tmp_path: Path) -> None:
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press("f", "down", "enter")
        screen.app.screen.query_one(Input).value = str(tmp_path / "[/]none.bin")
        await screen.press("enter")
        await screen.done()
        await screen.settle()
        assert "there is no file" in screen.said[0]
        assert not screen.calls
        assert not screen.link.uploads


@pytest.mark.parametrize("keys", [("f", "escape"), ("f", "down", "enter", "escape"), ("f", "down", "enter", "enter")])
async def test_a_flash_can_be_left_at_every_question(keys: tuple[str, ...]) -> None:
    async with opened() as screen:
        await screen.select(LEFT_APP1)
        await screen.press(*keys)
        assert screen.app.screen is screen.app.main
        assert not screen.calls


async def test_a_refused_build_is_not_among_the_choices() -> None:
    refused = replace(ARTIFACT, disposition=Disposition.REFUSED, reason="linked for partition2")
    async with opened(replace(BENCH, artifacts=(refused,))) as screen:
        await screen.select(LEFT_APP1)
        await screen.press("f", "enter")
        assert isinstance(screen.app.screen, PathScreen)


async def test_the_name_of_a_board_is_no_glob() -> None:
    odd = replace(BENCH, boards=(board("b[1]*"),), jobs=())
    async with opened(odd) as screen:
        await screen.select(Selection(board="b[1]*", partition="app1"))
        await screen.press("f", "enter")
        assert screen.calls == [api.Flash(partition="app1", sha256=NEWEST, boards=("b[[]1][*]",))]


async def test_cancel_of_a_running_job_asks_first() -> None:
    async with opened() as screen:
        await screen.select(Selection(board="bench-1"))
        await screen.press("c")
        assert isinstance(screen.app.screen, ConfirmScreen)
        await screen.press("enter")  # pressed easily: not a yes
        assert not screen.calls
        await screen.press("n")
        assert not screen.calls
        await screen.press("c", "y")
        assert screen.calls == [api.Cancel(job=8)]
        assert screen.said == ["Job 8 (app1 of bench-1): cancelled by hand."]


async def test_cancel_of_a_waiting_job_loses_nothing_and_asks_nothing() -> None:
    async with opened() as screen:
        await screen.select(Selection(board="spare", partition="app1", job=9))
        await screen.press("c")
        assert screen.calls == [api.Cancel(job=9)]


async def test_retry_of_what_failed_from_the_board_and_from_the_job() -> None:
    async with opened() as screen:
        await screen.select(Selection(board="right", partition="app1"))
        await screen.press("r")
        await screen.select(Selection(board="right", partition="app1", job=6))
        await screen.press("r")
        assert screen.calls == [api.Retry(job=6), api.Retry(job=6)]


async def test_retry_looks_at_a_blocked_job_again() -> None:
    blocked = replace(BENCH, jobs=(job(6, "right", Blocked(reason="map")),))
    async with opened(blocked) as screen:
        await screen.select(Selection(board="right"))
        await screen.press("r")
        assert screen.calls == [api.Retry(job=6)]


async def test_hold_and_release() -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        await screen.press("H", "enter")
        assert screen.calls == [api.Hold(boards=("left",), reason=USUAL_REASON)]
        assert screen.said == ["left is on hold: by hand."]
        await screen.select(Selection(board="lab"))
        await screen.press("L")
        assert screen.calls[1:] == [api.Release(boards=("lab",))]
        assert screen.said[1:] == ["lab is released."]


async def test_a_fault_of_a_bootloader_is_released() -> None:
    doubted = tuple(replace(b, doubts=("it is not read",) if b.name == "left" else ()) for b in BENCH.boards)
    async with opened(replace(BENCH, boards=doubted)) as screen:
        await screen.select(LEFT)
        await screen.press("L")
        assert screen.calls == [api.Release(boards=("left",))]


async def test_disarm_and_arm() -> None:
    disarmed = tuple(replace(b, armed=b.name != "lab") for b in BENCH.boards)
    async with opened(replace(BENCH, boards=disarmed)) as screen:
        await screen.select(LEFT)
        await screen.press("Z")
        await screen.select(Selection(board="lab"))
        await screen.press("A")
        assert screen.calls == [api.Disarm(boards=("left",)), api.Arm(boards=("lab",))]


@pytest.mark.parametrize(
    ("selection", "key", "why"),
    [
        (LEFT, "c", "No job of this board runs or waits."),
        (Selection(board="right", partition="app1", job=6), "c", "Job 6 is over: failed."),
        (Selection(board="bench-1", partition="app1", job=8), "r", "Job 8 is not over: writing."),
        (LEFT, "L", "left is not on hold."),
        (LEFT, "A", "left is already armed: new builds are flashed."),
        (Selection(device="1-5"), "f", "Select a board first."),
    ],
)
async def test_what_can_not_be_done_says_why(selection: Selection, key: str, why: str) -> None:
    async with opened() as screen:
        await screen.select(selection)
        (action,) = [action for action in ACTIONS if action.key == key]
        assert action.id not in screen.enabled()
        await screen.press(key)
        assert screen.said == [why]
        assert not screen.calls


async def test_without_a_connection_every_order_says_how_to_get_one() -> None:
    async with opened(state=OFFLINE) as screen:
        await screen.select(LEFT)
        orders = [action for action in ACTIONS if action.needs is not Needs.NOTHING and action.key]
        for action in orders:
            await screen.press(action.key)
        assert screen.said == ["Not connected: start it: flashdeckd"] * len(orders)
        assert screen.enabled() == {"filter", "help", "next-problem", "quit", "mark", "queue", "log"}
        assert not screen.calls


async def test_what_the_daemon_refuses_is_shown_with_its_hint() -> None:
    async with opened() as screen:
        screen.link.answers[api.Flash] = RemoteError(
            "linked for [/]0x08080000", hint="build it for app1", kind=ErrorKind.GUARD
        )
        await screen.select(LEFT_APP1)
        await screen.press("f", "enter")
        assert screen.said == ["Flash failed: linked for [/]0x08080000; build it for app1"]


@pytest.mark.parametrize("state", [OFFLINE, LinkState(LinkStatus.CONNECTED)], ids=lambda state: state.status)
async def test_the_panels_share_the_room_that_a_notice_takes_or_leaves(state: LinkState) -> None:
    async with opened(state=LinkState(LinkStatus.CONNECTED) if state is OFFLINE else OFFLINE) as screen:
        screen.link.state = state
        screen.app.refresh_views()
        await screen.settle()
        panels = screen.app.main.query_one("#panels")
        assert sum(panel.outer_size.height for panel in panels.children) == panels.size.height


async def test_a_larger_terminal_shows_at_once_what_there_was_no_room_for() -> None:
    async with opened() as screen:
        panel = screen.app.main.query_one("#log")
        few = panel.size.height
        await screen.pilot.resize_terminal(80, 60)
        await screen.settle()
        assert panel.size.height > few


def boards_shown(screen: Screen) -> list[str]:
    return [row.key.board for row in screen.app.main.query_one("#boards", Rows).rows if not row.key.partition]


async def test_n_goes_from_problem_to_problem_and_round() -> None:
    async with opened() as screen:
        await screen.select(Selection(board="spare", partition="app1", job=9))
        seen: list[Selection] = []
        for _ in range(5):
            await screen.press("n")
            seen.append(screen.app.main.selection)
        assert seen == [
            Selection(board="right", partition="app1"),
            Selection(board="twin", partition="app1"),
            Selection(board="lab"),
            Selection(board="right", partition="app1"),
            Selection(board="twin", partition="app1"),
        ]
        await screen.press("N")
        assert screen.app.main.selection == Selection(board="right", partition="app1")
        assert not screen.calls
        assert not screen.said


async def test_n_says_so_where_nothing_is_wrong() -> None:
    async with opened(replace(BENCH, boards=BENCH.boards[:2], jobs=())) as screen:
        assert "next-problem" not in screen.enabled()
        await screen.press("n")
        assert screen.said == ["There is no problem."]


async def test_a_filter_is_typed_kept_changed_and_cleared() -> None:
    async with opened() as screen:
        await screen.press("slash", *"LA")
        assert boards_shown(screen) == ["lab"], "filtered while it is typed, and no key of a board did anything"
        await screen.press("enter")
        assert screen.app.main.query_one("#boards").has_focus
        note = screen.app.main.query_one("#boards", Rows).note
        assert note == "1 of 6 boards: /LA"
        await screen.press("n")
        assert screen.app.main.selection == Selection(board="lab")
        await screen.press("slash", "backspace", "backspace", *"failed", "enter")
        assert boards_shown(screen) == ["right"]
        await screen.press("escape")
        assert len(boards_shown(screen)) == 7  # with the device that is no board
        assert not screen.app.main.query_one("#boards", Rows).note
        assert not screen.calls
        assert not screen.said


async def test_escape_leaves_the_filter_while_it_is_typed() -> None:
    async with opened() as screen:
        await screen.press("slash", *"nothing like this")
        assert boards_shown(screen) == []
        assert "Esc shows all" in screen.app.main.query_one("#boards", Rows).empty
        await screen.press("escape")
        assert len(boards_shown(screen)) == 7
        assert screen.app.main.query_one("#boards").has_focus


async def test_a_filter_has_an_end() -> None:
    async with opened() as screen:
        await screen.press("slash")
        screen.app.main.query_one("#filter", Input).value = "x" * (LONGEST_FILTER - 1)
        await screen.press("end", "y", "z")
        assert screen.app.main.wanted == "x" * (LONGEST_FILTER - 1) + "y"


async def test_a_filter_that_hides_every_problem_says_how_to_see_them() -> None:
    async with opened() as screen:
        await screen.press("slash", *"left", "enter", "n")
        assert screen.said == ["There is no problem among the boards shown; Esc shows all."]


async def test_escape_in_a_question_leaves_the_filter_alone() -> None:
    async with opened() as screen:
        await screen.press("slash", *"lab", "enter", "f", "escape")
        assert screen.app.screen is screen.app.main
        assert boards_shown(screen) == ["lab"]


async def test_tab_goes_past_a_log_that_has_no_room() -> None:
    app, _ = make_app(BENCH)
    async with app.run_test(size=(60, 12)) as pilot:
        screen = Screen(app, cast("FakeLink", app.fleet.hosts[0].link), pilot)
        app.refresh_views()
        await screen.select(LEFT)
        await screen.press("tab", "tab")
        assert app.main.query_one("#boards").has_focus


@pytest.mark.parametrize("key", ["l", "o", "e", "a", "d"])
async def test_keys_that_had_an_effect_have_none_any_more(key: str) -> None:
    async with opened() as screen:
        await screen.select(LEFT)
        await screen.press(key)
        assert screen.app.screen is screen.app.main
        assert (screen.calls, screen.said) == ([], [])


async def test_help_has_every_action_and_why_not() -> None:
    async with opened() as screen:
        await screen.press("question_mark")
        shown = screen.app.screen
        assert isinstance(shown, HelpScreen)
        entries = list(shown.entries())
        for action in ACTIONS:
            assert any(action.description in text for _, text, _ in entries)
        assert any("right is not on hold." in more for _, _, more in entries)
        await screen.press("escape")
        assert screen.app.screen is screen.app.main


async def test_the_palette_has_every_action_and_runs_it() -> None:
    async with opened() as screen:
        await screen.select(Selection(board="lab"))
        commands = {command.title: command for command in screen.app.get_system_commands(screen.app.screen)}
        assert len(commands) == len(ACTIONS) - 1  # all but the palette itself
        assert commands["Arm (A)"].help.startswith("Not now: lab is already armed")
        commands["Release (L)"].callback()
        await screen.settle()
        assert screen.calls == [api.Release(boards=("lab",))]
        await screen.press("ctrl+p")
        assert screen.app.screen is not screen.app.main


async def test_a_click_on_a_key_is_as_good_as_the_key() -> None:
    async with opened() as screen:
        await screen.select(Selection(board="lab"))
        await screen.pilot.click("KeyBar", offset=(1 + len("f Flash  "), 0))
        await screen.settle()
        assert screen.calls == [api.Release(boards=("lab",))]


async def test_details_show_all_of_a_long_failure() -> None:
    async with opened() as screen:
        await screen.select(Selection(board="right", partition="app1"))
        await screen.press("enter")
        assert screen.app.screen is not screen.app.main
        await screen.press("enter")
        assert screen.app.screen is screen.app.main


async def test_quit_leaves_with_0() -> None:
    async with opened() as screen:
        await screen.press("q")
    assert screen.app.return_code == 0
    assert not screen.calls


class BenchHands:
    def headline(self, _keys: KeyNames) -> str:
        return "make -C firmware"

    def __init__(self) -> None:
        self.built: list[str] = []

    def actions(self) -> tuple[Action, ...]:
        async def build(context: Context) -> None:
            self.built.append(context.selection.board)
            await context.call(api.Release(boards=(context.selection.board,)))

        return (Action(id="build", key="B", title="Build", description="Build it.", needs=Needs.BOARD, run=build),)


async def test_the_hands_on_a_bench_come_first_and_act() -> None:
    hands = BenchHands()
    async with opened(hands=hands) as screen:
        await screen.select(LEFT)
        await screen.press("B")
        assert hands.built == ["left"]
        assert screen.calls == [api.Release(boards=("left",))]
        assert "make -C firmware" in str(screen.app.main.query_one("#headline").render())


def test_no_two_actions_share_a_key_or_an_id() -> None:
    with pytest.raises(ValueError, match="share f"):
        registry([altered(ACTIONS[0], id="other")])
    with pytest.raises(ValueError, match="share flash"):
        registry([altered(ACTIONS[0], key="e")])
    assert registry()[0].id == "flash"


async def test_the_selection_outlives_an_update_of_everything() -> None:
    async with opened() as screen:
        await screen.select(Selection(board="lab", partition="app1"))
        screen.app.fleet.hosts[0].store.take(replace(BENCH, boards=BENCH.boards[2:]))
        screen.app.refresh_views()
        await screen.settle()
        assert screen.app.main.selection == Selection(board="lab", partition="app1")
        screen.app.fleet.hosts[0].store.take(replace(BENCH, boards=(), devices=()))
        screen.app.refresh_views()
        await screen.settle()
        assert screen.app.main.selection == Selection()
        await screen.press("f")
        assert screen.said == ["Select a board first."]
        assert not isinstance(screen.app.screen, ChooseScreen)
