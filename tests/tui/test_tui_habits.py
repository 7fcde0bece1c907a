"""The habits of hands: quitting, stopping, other keys, and keys of other programs."""

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, Static

from flashdeck import api
from flashdeck.screen_keys import DEFAULT_KEYS, clashes
from flashdeck_tui.actions.action import Action
from flashdeck_tui.actions.registry import ACTIONS
from flashdeck_tui.app import QUIT_AGAIN, FlashdeckApp
from flashdeck_tui.bench_actions import BenchActions
from flashdeck_tui.demo.demo_actions import DemoActions
from flashdeck_tui.job_control import can_be_continued
from flashdeck_tui.key_choice import NEEDED
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.key_signs import SIGNS
from flashdeck_tui.keymap import textual_key
from flashdeck_tui.middle import Middle
from flashdeck_tui.screens.help import HelpScreen
from flashdeck_tui.screens.questions import ConfirmScreen
from flashdeck_tui.settings import Settings
from flashdeck_tui.store import Selection
from flashdeck_tui.widgets.key_bar import KeyBar
from tui_scene import NOW, make_app

READS = (api.GetHistory, api.GetLogs, api.GetJobs, api.Plan, api.PlanRollback, api.PlanErase, api.Examine)
LEFT = Selection(board="left")
BENCH_1 = Selection(board="bench-1")


class Hands:
    """A bench of one's own, on which nothing can be done."""

    def headline(self, _keys: KeyNames) -> str:
        return ""

    def actions(self) -> tuple[Action, ...]:
        return ()


def changing(calls: list[api.Params[Any]]) -> list[api.Params[Any]]:
    """The calls that ask for more than to be told something."""
    return [call for call in calls if not isinstance(call, READS)]


async def settled(pilot: Pilot[Any]) -> None:
    await pilot.pause()
    await pilot.pause()


async def shown(app: FlashdeckApp, pilot: Pilot[Any], select: Selection = LEFT) -> None:
    app.refresh_views()
    await pilot.pause()
    app.main.select(select)
    await settled(pilot)


def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is said in passing from now on."""
    from flashdeck_tui.app import AppContext  # noqa: PLC0415 - beside its only use

    said: list[str] = []
    tell: Callable[..., Any] = AppContext.tell

    def listen(context: AppContext, text: str, *more: Any, **named: Any) -> Any:
        said.append(text)
        return tell(context, text, *more, **named)

    monkeypatch.setattr(AppContext, "tell", listen)
    return said


async def test_q_quits_and_asks_nothing() -> None:
    app, link = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot)
        await pilot.press("q")
    assert app.exit_code == 0
    assert not changing(link.calls)


@pytest.mark.parametrize(("hands", "words"), [(None, "q quits (or"), (Hands(), "q quits and ends this bench (or")])
async def test_ctrl_c_says_how_to_quit_and_quits_when_it_is_pressed_again(
    hands: BenchActions | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = told(monkeypatch)
    app, _ = make_app(hands=hands)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot)
        await pilot.press("ctrl+c")
        await settled(pilot)
        assert app.is_running
        assert words in said[-1]
        await pilot.press("ctrl+c")
    assert app.exit_code == 0


@pytest.mark.parametrize(("seconds", "quits"), [(QUIT_AGAIN, True), (QUIT_AGAIN * 1.01, False)])
async def test_the_second_ctrl_c_has_to_come_soon(seconds: float, quits: bool) -> None:
    now = NOW
    app, _ = make_app(clock=lambda: now)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot)
        await pilot.press("ctrl+c")
        await settled(pilot)
        now = NOW + seconds
        await pilot.press("ctrl+c")
        await settled(pilot)
        assert app.is_running is not quits
        if not quits:
            app.exit(0)


@pytest.mark.parametrize("keys", [("c",), ("f",), ("question_mark",), ("enter",), ("slash",), ("ctrl+p",)])
async def test_ctrl_c_closes_what_is_open(keys: tuple[str, ...]) -> None:
    app, link = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, BENCH_1)
        await pilot.press(*keys)
        await settled(pilot)
        assert app.screen is not app.main or app.main.is_filtering
        await pilot.press("ctrl+c")
        await settled(pilot)
        assert app.is_running
        assert app.screen is app.main
        assert not app.main.is_filtering
    assert not changing(link.calls)


async def test_ctrl_c_copies_what_is_selected() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot)
        await pilot.press("slash", *"lab")
        app.main.query_one("#filter", Input).select_all()
        await pilot.press("ctrl+c")
        await settled(pilot)
        assert app.clipboard == "lab"
        assert app.main.is_filtering


async def test_ctrl_z_is_refused_where_there_is_no_shell_to_go_back_to() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot)
        assert "no shell" in (app.actions["suspend"].why_not(app.context()) or "")
        await pilot.press("ctrl+z")
        await settled(pilot)
        assert app.is_running


def processes(**table: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    """Processes by their numbers: parent, group, session."""
    return {int(name[1:]): values for name, values in table.items()}


@pytest.mark.parametrize(
    ("table", "continued"),
    [
        (processes(p1=(0, 1, 1), p10=(1, 10, 10), p20=(10, 20, 10)), True),
        (processes(p1=(0, 1, 1), p10=(1, 10, 10), p15=(10, 15, 10), p20=(15, 15, 10)), True),  # below make
        (processes(p1=(0, 1, 1), p20=(1, 20, 20)), False),  # ssh -t, tmux new-session flashdeck
        (processes(p1=(0, 1, 1), p15=(1, 15, 15), p20=(15, 15, 15)), False),  # in sh -c
        (processes(p1=(0, 1, 1), p20=(1, 20, 1)), True),  # the shell of a container
        (processes(p20=(7, 20, 20)), False),  # the parent ends meanwhile
    ],
)
def test_who_could_continue_a_stopped_screen(table: dict[int, tuple[int, int, int]], continued: bool) -> None:
    def of(index: int) -> Callable[[int], int]:
        def ask(process: int) -> int:
            if process and process not in table:
                raise ProcessLookupError
            return table[process or 20][index]

        return ask

    first = iter((20,))
    found = can_be_continued(
        parent_of=lambda process: table.get(next(first, process), (0, 0, 0))[0], group_of=of(1), session_of=of(2)
    )
    assert found is continued


def test_each_action_has_the_key_that_the_configuration_knows() -> None:
    actions = [*ACTIONS, *demo_actions()]
    assert {action.id: textual_key(DEFAULT_KEYS.get(action.id, "?")) for action in actions} == {
        action.id: action.key for action in actions
    }
    assert sorted(DEFAULT_KEYS) == sorted(action.id for action in actions)
    assert not list(clashes({}))


def demo_actions() -> tuple[Any, ...]:
    class Firmware:
        source = Path("app1")

    class Bench:
        firmware = Firmware()

    hands = DemoActions.__new__(DemoActions)
    vars(hands).update(_firmware=Bench.firmware, _building=None)
    return hands.actions()


async def test_other_keys_are_the_keys_everywhere() -> None:
    settings = Settings(keys={"hold": "f6", "flash": "|", "details": "none", "release": "enter"})
    app, link = make_app()
    app = FlashdeckApp(app.fleet, settings=settings, clock=app.clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot)
        labels = {key.action: key.label for key in app.main.query_one(KeyBar).keys}
        assert (labels["hold"], labels["flash"]) == ("f6", "|")
        commands = [command.title for command in app.get_system_commands(app.screen)]
        assert "Hold (f6)" in commands
        assert "Details" in commands
        await pilot.press("f6", "enter")
        await settled(pilot)
        assert [type(call) for call in link.calls] == [api.Hold]
        await pilot.press(textual_key("|"))
        await settled(pilot)
        assert app.screen is not app.main
        await pilot.press("escape", "question_mark")
        await settled(pilot)
        assert isinstance(app.screen, HelpScreen)
        entries = {keys: text for keys, text, _ in app.screen.entries()}
        assert "hold" in entries["f6"]
        words = "\n".join(str(each.render()) for each in app.screen.query(Static))
        assert "{" not in words


def test_all_signs_have_the_names_that_textual_gives_them() -> None:
    for sign, name in SIGNS.items():
        assert textual_key(sign) == name
        assert events.Key(name, sign).character == sign


HABITS = (
    *(letter for letter in string.ascii_letters if letter != "q"),
    *string.digits,
    *SIGNS.values(),
    *(f"ctrl+{letter}" for letter in "abdefghjklnoprstuvwxy"),  # not c and z, which have their own tests, nor ctrl+q
    *(
        "space",
        "enter",
        "tab",
        "backspace",
        "delete",
        "home",
        "end",
        "pageup",
        "pagedown",
        "up",
        "down",
        "left",
        "right",
    ),
    *(f"f{number}" for number in range(1, 13)),
)
ALLOWED: dict[type[Any], str] = {
    api.Hold: "undone by u",
    api.Release: "says so; nothing runs that was not asked for before",
    api.Arm: "undone by u",
    api.Disarm: "undone by u",
    api.ResetBoards: "starts what the board has; asks where that is incomplete",
    api.Retry: "an image that was asked for before",
    api.Verify: "reads, and changes nothing",
    api.Take: "given back by the same key",
    api.EndLease: "taken again by the same key",
    api.MoveJob: "undone by the other key",
    api.Cancel: "of a job that does not run; undone by r",
}
"""Calls that a single key makes without a question, and why it may."""


PLACES = (
    BENCH_1,
    *(
        pytest.param(place, marks=pytest.mark.long)
        for place in (LEFT, Selection(board="right"), Selection(board="lab"))
    ),
)


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
async def test_no_key_of_a_habit_does_harm(place: Selection) -> None:
    app, link = make_app()
    link.answers[api.GetLogs] = api.LogPage(lines=(), next=0, before=0)
    made: dict[str, list[str]] = {}
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, place)
        for key in HABITS:
            app.main.select(place)
            before = len(link.calls)
            await pilot.press(key)
            await pilot.pause()
            made[key] = [type(call).__name__ for call in changing(link.calls[before:]) if type(call) not in ALLOWED]
            while app.screen is not app.main:
                app.pop_screen()
            app.main.go_back()
        await pilot.pause()
        assert app.is_running
    assert {key: calls for key, calls in made.items() if calls} == {}
    assert not link.uploads


@pytest.mark.long
@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_a_click_on_the_key_bar_does_what_its_key_does(size: tuple[int, int]) -> None:
    for action in ACTIONS:
        if action.id not in NEEDED[Middle.BOARDS] or action.id == "quit":
            continue
        outcomes: list[tuple[Any, ...]] = []
        for by_mouse in (False, True):
            app, link = make_app()
            async with app.run_test(size=size) as pilot:
                await shown(app, pilot, BENCH_1)
                bar = app.main.query_one(KeyBar)
                if by_mouse and (at := place_of(bar, action.id)) is not None:
                    await pilot.click(bar, offset=at)
                else:
                    await pilot.press(action.key.split(",")[0])
                await settled(pilot)
                outcomes.append((link.calls, type(app.screen)))
        assert outcomes[0] == outcomes[1], action.id


def place_of(bar: KeyBar, action: str) -> tuple[int, int] | None:
    """Return the place of a key in the key bar."""
    for y, line in enumerate(bar.lines()):
        x = 0
        for key in line:
            if key.action == action:
                return x + 1, y
            x += key.width + 2
    return None


async def test_a_question_is_open_to_ctrl_z_and_to_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    app, link = make_app()
    suspended: list[bool] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, BENCH_1)
        await pilot.press("c")
        await settled(pilot)
        assert isinstance(app.screen, ConfirmScreen)
        monkeypatch.setattr(FlashdeckApp, "why_no_suspend", None)
        monkeypatch.setattr(FlashdeckApp, "suspend_screen", lambda _app: suspended.append(True))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        await pilot.press("ctrl+z", "ctrl+p", "h", "q")
        await settled(pilot)
        assert isinstance(app.screen, ConfirmScreen)
        assert suspended == [True]
    assert not changing(link.calls)


def test_only_what_is_harmless_works_while_a_question_is_open() -> None:
    assert {action.id for action in ACTIONS if action.while_asked} == {"suspend", "redraw"}
