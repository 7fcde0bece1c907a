"""The questions and texts of the actions as pictures, each alone on the screen."""

from collections.abc import Callable
from typing import Any, Protocol

import pytest
from textual.app import App, ComposeResult
from textual.screen import ModalScreen

from flashdeck.diagnosis import Diagnosis
from flashdeck_tui.actions.action import Choice
from flashdeck_tui.messages import Message, Messages, Weight
from flashdeck_tui.screens.details_screen import DetailsScreen
from flashdeck_tui.screens.questions import AskScreen, ChooseScreen, ConfirmScreen
from flashdeck_tui.views.diagnosis_lines import diagnosis_lines
from flashdeck_tui.views.message_lines import message_lines
from flashdeck_tui.views.plan_lines import plan_lines
from flashdeck_tui.widgets.status_line import StatusLine
from tui_scene import HOSTILE, KEYS, NOW, plan, report

FLASH = (
    Choice("newest", "the newest build: 1.0.2", "98 KiB, 5 min old, /home/dev/fw/app1/Debug/APP1.bin"),
    Choice("file", "a file …", "its bytes are sent: .bin, .elf, .hex, .srec or .dfu"),
    Choice("sha256:1", "earlier: 1.0.1", "98 KiB, 2 h ago by job 4 on left: done"),
)
DIAGNOSIS = Diagnosis(installation=(), boards=(report("left"),))


def said() -> Messages:
    messages = Messages("!")
    messages.say(Message(NOW, Weight.ANSWER, "3 boards (left, right, lab) are on hold: by hand."))
    hint = "build it for app1, or flash it into partition2"
    messages.say(Message(NOW, Weight.ERROR, f"Flash failed: {HOSTILE} is linked for 0x08080000", (hint,)))
    return messages


SCREENS: dict[str, Callable[[], ModalScreen[Any]]] = {
    "picker": lambda: ChooseScreen("Flash app1 of 3 boards (left, right, lab) with", FLASH),
    "reason": lambda: AskScreen("Put left on hold", "the reason, which everybody sees", "by hand"),
    "rollback": lambda: ConfirmScreen(
        "Roll app1 of left back to 1.0.1?",
        "The program that is there now is then offered, and flashed only when you ask.",
        plan_lines([plan("left", "app1")]),
    ),
    "doctor": lambda: DetailsScreen("doctor: left", diagnosis_lines(DIAGNOSIS), KEYS),
    "messages": lambda: DetailsScreen("messages, the newest first", message_lines(said().all), KEYS),
}


class Compare(Protocol):
    def __call__(self, app: App[None], *, terminal_size: tuple[int, int], run_before: Any = None) -> bool: ...


class Alone(App[None]):
    """A screen above nothing but the status line."""

    def __init__(self, theme: str, screen: Callable[[], ModalScreen[Any]]) -> None:
        super().__init__()
        self.theme = theme
        self._shown = screen
        self._line = StatusLine("!", id="status")

    def compose(self) -> ComposeResult:
        yield self._line

    def on_mount(self) -> None:
        self._line.show(said().phrase(NOW))
        self.push_screen(self._shown())


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize(
    ("size", "theme"), [((60, 20), "textual-dark"), ((80, 24), "textual-light")], ids=("small-dark", "light")
)
def test_a_question_is_legible(snap_compare: Compare, name: str, size: tuple[int, int], theme: str) -> None:
    assert snap_compare(Alone(theme, SCREENS[name]), terminal_size=size)
