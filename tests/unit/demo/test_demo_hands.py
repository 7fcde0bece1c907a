import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flashdeck import api, config_file, paths
from flashdeck.client import Client
from flashdeck.errors import FlashdeckError
from flashdeck.model import BoardState, Presence
from flashdeck_tui.actions.action import Action, Context
from flashdeck_tui.actions.registry import registry
from flashdeck_tui.demo.demo_actions import DemoActions
from flashdeck_tui.demo.demo_bench import DemoBench
from flashdeck_tui.demo.firmware import Firmware
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.keymap import key_names
from flashdeck_tui.link import Link, LinkState, LinkStatus
from flashdeck_tui.store import Selection, Store
from needed_tools import need_compiler


class Person:
    """What an action gets to see of the screen, with one board selected."""

    def __init__(self, presence: Presence = Presence.DFU) -> None:
        self.store = Store()
        self.store.boards = {"classic": BoardState(name="classic", profile="product", presence=presence)}
        self.link = LinkState(LinkStatus.CONNECTED)
        self.selection = Selection(board="classic")
        self.targets = (self.selection,)
        self.host = FleetHost("", self.store, cast("Link", SimpleNamespace(state=self.link)))
        self.fleet = Fleet((self.host,))
        self.calls: list[api.Params[Any]] = []
        self.told: list[str] = []

    async def call(self, params: api.Params[Any]) -> None:
        self.calls.append(params)

    def tell(self, text: str) -> None:
        self.told.append(text)


def context(person: Person) -> Context:
    return cast("Context", person)


@pytest.fixture
def firmware(tmp_path: Path) -> Firmware:
    directory = tmp_path / "firmware"
    shutil.copytree(paths.data_file("demo", "firmware"), directory, ignore=shutil.ignore_patterns("build"))
    return Firmware(directory)


@pytest.fixture
def hands(firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DemoActions:
    monkeypatch.setattr("flashdeck_tui.demo.demo_actions.PAUSES", 0)
    config = config_file.load(Path(shutil.copy(paths.data_file("demo", "flashdeck.toml"), tmp_path)))
    return DemoActions(DemoBench(cast("Client", None), config, firmware, tmp_path / "s"))


def action(hands: DemoActions, key: str) -> Action:
    (found,) = [action for action in hands.actions() if action.key == key]
    return found


def test_the_hands_get_along_with_all_other_actions(hands: DemoActions) -> None:
    assert {action.id for action in hands.actions()} < {action.id for action in registry(hands.actions())}


@pytest.mark.parametrize(
    ("key", "call", "presence"),
    [
        ("U", api.VirtualUnplug(boards=("classic",)), Presence.APP),
        ("P", api.VirtualPlug(boards=("classic",)), Presence.ABSENT),
        ("S", api.VirtualPress(boards=("classic",)), Presence.APP),
    ],
)
async def test_each_hand_does_its_one_thing_to_the_selected_board(
    hands: DemoActions, key: str, call: api.Params[Any], presence: Presence
) -> None:
    person = Person(presence)
    assert action(hands, key).why_not(context(person)) is None
    await action(hands, key).run(context(person))
    assert person.calls == [call]
    other = Person(Presence.DFU if presence is Presence.ABSENT else Presence.ABSENT)
    assert "plugged in" in (action(hands, key).why_not(context(other)) or "")


async def test_a_build_is_one_changed_line_and_lands_where_the_daemon_looks(
    hands: DemoActions, firmware: Firmware
) -> None:
    source, person = firmware.source.read_text(), Person()
    await action(hands, "B").run(context(person))
    assert firmware.source.read_text() == source.replace("demo 1.0.0", "demo 1.0.1")
    assert b"demo 1.0.1\0" in firmware.output.read_bytes()
    assert person.told == ["Building demo 1.0.1."]


async def test_one_build_at_a_time(hands: DemoActions, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = asyncio.Event()
    build: Callable[[], Any] = firmware.build

    async def slowly() -> Any:
        await go_on.wait()
        return await build()

    monkeypatch.setattr(firmware, "build", slowly)
    running = asyncio.create_task(cast("Any", action(hands, "B").run(context(Person()))))
    await asyncio.sleep(0)
    assert action(hands, "B").why_not(context(Person()))
    go_on.set()
    await running
    assert action(hands, "B").why_not(context(Person())) is None


async def test_a_build_that_fails_shows_the_compilers_complaint(hands: DemoActions, firmware: Firmware) -> None:
    need_compiler()
    with (firmware.source.parent / "main.c").open("a") as source:
        source.write("no such declaration;\n")
    with pytest.raises(FlashdeckError, match="does not build") as caught:
        await action(hands, "B").run(context(Person()))
    assert "main.c" in caught.value.hint
    assert "error" in caught.value.hint
    assert not firmware.output.exists()


def test_the_headline_has_the_command_on_a_line_of_its_own(hands: DemoActions, firmware: Firmware) -> None:
    assert hands.headline(key_names(registry(hands.actions()))).splitlines()[-1] == firmware.shell_command
