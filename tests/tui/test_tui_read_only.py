"""The screen on a connection that is read-only: it says so, and what changes something says why it does not."""

import asyncio
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, cast

import pytest
from textual.widgets import Input

from canned_daemon import canned_daemon
from flashdeck import api
from flashdeck.config_screen import ThemeName
from flashdeck.whereabouts import Whereabouts
from flashdeck_tui.actions.action import Action
from flashdeck_tui.actions.registry import registry
from flashdeck_tui.link import READ_ONLY, Link, LinkState, LinkStatus
from flashdeck_tui.own_command import OwnCommand
from flashdeck_tui.screens.log_screen import LogScreen
from flashdeck_tui.settings import Settings
from flashdeck_tui.store import Store
from flashdeck_tui.views.header import header
from flashdeck_tui.widgets.key_bar import KeyBar
from tui_scene import KEYS, make_app

CALLS = {kind.__name__: kind for kind in api.METHODS.values()}
LOOKING = LinkState(LinkStatus.CONNECTED, read_only=True)


def reached(run: object) -> set[str]:
    """The methods that the code of an action names, with all functions of the screen that it goes through."""
    seen: set[CodeType] = set()
    names: set[str] = set()
    left: list[tuple[CodeType, dict[str, Any]]] = []
    if isinstance(run, FunctionType):
        left.append((run.__code__, run.__globals__))
    while left:
        code, around = left.pop()
        if code in seen:
            continue
        seen.add(code)
        names |= set(code.co_names) & CALLS.keys()
        left += [(each, around) for each in code.co_consts if isinstance(each, CodeType)]
        for name in code.co_names:
            found = around.get(name)
            if isinstance(found, FunctionType) and found.__module__.startswith("flashdeck_tui"):
                left.append((found.__code__, found.__globals__))
    return names


@pytest.mark.parametrize("action", registry(), ids=lambda action: cast("Action", action).id)
def test_an_action_that_calls_what_changes_something_says_so(action: Action) -> None:
    changing = {name for name in reached(action.run) if api.changes(CALLS[name])}
    assert action.changes or not changing, changing


def test_most_actions_that_change_something_are_seen_to() -> None:
    """Else the test above would see nothing."""
    seen = {action.id for action in registry() if any(map(api.changes, (CALLS[name] for name in reached(action.run))))}
    assert {"hold", "flash", "rollback", "cancel", "arm", "erase"} <= seen


async def until(link: Link, *, connected: bool) -> None:
    while link.connected is not connected:  # noqa: ASYNC110 - a link tells nobody
        await asyncio.sleep(0.01)


async def test_what_changes_something_is_faint_and_says_why() -> None:
    app, link = make_app(state=LOOKING)
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        context = app.context()
        changing = [action for action in app.actions.values() if action.changes]
        assert {action.why_not(context) for action in changing} == {READ_ONLY}
        assert len(changing) > 10
        enabled = {key.action for key in app.main.query_one(KeyBar).keys if key.enabled}
        assert enabled.isdisjoint({action.id for action in changing})
        for key in {each for action in changing for each in action.key.split(",") if each}:
            await pilot.press(key)
            await pilot.pause()
        assert [call for call in link.calls if api.changes(type(call))] == []
        assert app.actions["help"].why_not(context) is None


def test_the_header_says_so_and_no_other_one_does() -> None:
    for state, says in ((LOOKING, True), (LinkState(LinkStatus.CONNECTED), False)):
        app, _ = make_app(state=state)
        assert ("read-only" in [each.text for each in header(app.fleet, KEYS)]) is says


async def test_a_link_stays_read_only_while_it_is_lost_and_made_again() -> None:
    """It is one before it is connected: what goes another way than through it must know at any time."""
    with canned_daemon() as daemon:
        where = Whereabouts((daemon.socket,), read_only=True)

        async def connect() -> Any:
            return await where.connect(client="test")

        link = Link(daemon.socket, Store(), connect=connect, read_only=True)
        assert link.state.read_only
        running = asyncio.create_task(link.run())
        await until(link, connected=True)
        assert link.state.read_only
    await until(link, connected=False)
    assert link.state.read_only
    running.cancel()
    await asyncio.wait((running,))


async def test_a_bridge_that_narrowed_the_connection_is_noticed() -> None:
    with canned_daemon() as daemon:
        where = Whereabouts((daemon.socket,), read_only=True)

        async def connect() -> Any:
            return await where.connect(client="test")

        link = Link(daemon.socket, Store(), connect=connect)
        assert not link.state.read_only
        running = asyncio.create_task(link.run())
        await until(link, connected=True)
        assert link.state.read_only
        running.cancel()
        await asyncio.wait((running,))


def test_a_command_that_the_screen_runs_is_no_wider_than_it() -> None:
    assert "--read-only" in OwnCommand("", Path("/s"), ("report",), read_only=True).options
    assert "--read-only" in OwnCommand("box", Path("/s"), ("report",), read_only=True).options
    assert "--read-only" not in OwnCommand("", Path("/s"), ("report",)).options


def is_there(file: Path) -> bool:
    return file.exists()


async def test_a_page_that_may_only_look_writes_no_file(tmp_path: Path) -> None:
    app, link = make_app(state=LOOKING)
    link.answers[api.GetLogs] = api.LogPage(lines=(), next=0)
    app.settings = Settings(files=False, theme_file=tmp_path / "theme")
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        assert "writes no file" in (app.actions["report"].why_not(app.context()) or "")
        await app.actions["log"].run(app.context())
        await pilot.pause()
        assert isinstance(app.screen, LogScreen)
        await pilot.press("s")
        await pilot.pause()
        assert isinstance(app.screen, LogScreen)
        assert not [each for each in app.screen.query(Input) if each.has_focus]
        await app.use_theme(ThemeName.LIGHT)
        assert not is_there(tmp_path / "theme")
        app.settings = Settings(theme_file=tmp_path / "theme")
        await app.use_theme(ThemeName.LIGHT)
        assert is_there(tmp_path / "theme")


async def test_a_page_that_may_change_things_and_a_terminal_write_files() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)):
        assert app.why_no_file is None
        assert app.actions["report"].why_not(app.context()) is None
