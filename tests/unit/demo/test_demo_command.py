from collections.abc import Callable
from typing import Any

import pytest

from flashdeck import extras
from flashdeck.errors import FlashdeckError
from flashdeck.extras import Extra
from flashdeck_tui.demo import command


@pytest.fixture
def faces(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which face of the demo was shown; neither is started for real."""
    shown: list[str] = []

    def face(name: str) -> Callable[..., Any]:
        async def show(**_options: bool) -> int:
            shown.append(name)
            return 0

        return show

    monkeypatch.setattr(command, "_played", face("played"))
    monkeypatch.setattr(command, "play_by_itself", face("unattended"))
    return shown


@pytest.mark.parametrize(
    ("options", "terminals", "face"),
    [
        ({}, {"stdin", "stdout", "stderr"}, "played"),
        ({"once": True}, {"stdin", "stdout", "stderr"}, "unattended"),
        ({"json": True}, {"stdin", "stdout", "stderr"}, "unattended"),
        ({}, {"stdout", "stderr"}, "unattended"),
        ({}, {"stdin", "stderr"}, "unattended"),
        ({}, {"stdin", "stdout"}, "unattended"),
        ({}, set[str](), "unattended"),
    ],
)
def test_it_is_played_on_a_terminal_and_runs_by_itself_elsewhere(
    monkeypatch: pytest.MonkeyPatch, faces: list[str], options: dict[str, bool], terminals: set[str], face: str
) -> None:
    standard = {name: object() for name in ("stdin", "stdout", "stderr")}
    monkeypatch.setattr(command, "sys", type("sys", (), standard))

    def is_terminal(stream: object) -> bool:
        return any(stream is standard[name] for name in terminals)

    monkeypatch.setattr(command, "is_terminal", is_terminal)
    assert command.run(**{"once": False, "json": False, **options}) == 0
    assert faces == [face]


def test_a_missing_interface_is_answered_with_the_command_that_adds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(extra: Extra) -> tuple[str, ...]:
        return ("textual",) if extra is Extra.TUI else ()

    def is_terminal(_stream: object) -> bool:
        return True

    monkeypatch.setattr(extras, "missing", missing)
    monkeypatch.setattr(command, "is_terminal", is_terminal)
    with pytest.raises(FlashdeckError, match="textual") as caught:
        command.run(once=False, json=False)
    assert "[daemon,tui" in caught.value.hint
    assert "--once" in caught.value.hint
