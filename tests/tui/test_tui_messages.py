"""The status line and its list, what can be undone, how a path goes on, and commands that run beside the screen."""

import sys
from pathlib import Path
from typing import Self

import pytest
from textual.widgets import Input

from flashdeck.errors import FlashdeckError
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.messages import (
    ANSWER_SECONDS,
    ERROR_SECONDS,
    LONGEST_MESSAGE,
    MOST_DETAILS,
    MOST_MESSAGES,
    Message,
    Messages,
    Weight,
)
from flashdeck_tui.own_command import MOST_OUTPUT, OwnCommand, output_of
from flashdeck_tui.path_completion import MOST_LOOKED_AT, MOST_SHOWN, common, entries_of
from flashdeck_tui.screens.questions import LONGEST_ANSWER, LONGEST_QUESTION, AskScreen, ConfirmScreen
from flashdeck_tui.store import Store
from flashdeck_tui.undo import MOST_UNDOS, Undo, UndoList
from flashdeck_tui.views.message_lines import message_lines
from flashdeck_tui.views.plan_lines import MOST_PLANS, plan_lines
from flashdeck_tui.widgets.status_line import StatusLine, fitted
from tui_hands import opened
from tui_scene import HOSTILE, NOW, plan


def said(text: str, weight: Weight = Weight.ANSWER, at: float = 0.0, details: tuple[str, ...] = ()) -> Message:
    return Message(at, weight, text, details)


@pytest.mark.parametrize(
    ("weight", "seconds"),
    [(Weight.ANSWER, ANSWER_SECONDS), (Weight.REFUSAL, ANSWER_SECONDS), (Weight.ERROR, ERROR_SECONDS)],
)
def test_a_message_stays_for_its_time(weight: Weight, seconds: float) -> None:
    messages = Messages("!")
    messages.say(said("it is so", weight))
    assert messages.phrase(seconds - 0.1).text == "it is so"
    assert messages.phrase(seconds).text != "it is so"
    assert messages.all[0].text == "it is so"


def test_an_error_stays_before_answers_until_a_key_and_is_named_until_the_list_was_looked_at() -> None:
    messages = Messages("!")
    messages.say(said("it failed", Weight.ERROR, details=("look at it",)))
    messages.say(said("something else", at=1.0))
    assert messages.phrase(2.0) == Phrase("it failed; look at it", Tone.BAD)
    messages.key_pressed()
    assert messages.phrase(2.0) == Phrase("1 error in the list of messages: ! shows it", Tone.WAIT)
    messages.read()
    assert messages.phrase(2.0) == Phrase("")


def test_messages_are_bounded_and_cleaned() -> None:
    messages = Messages("!")
    for number in range(MOST_MESSAGES + 1):
        messages.say(said(f"{number} {HOSTILE}", details=("x",) * (MOST_DETAILS + 1)))
    assert len(messages.all) == MOST_MESSAGES
    assert messages.all[0].text.startswith("1 ")
    assert len(messages.all[-1].details) == MOST_DETAILS
    assert "\x1b" not in messages.all[-1].text
    messages.say(said("y" * (LONGEST_MESSAGE + 1), details=("z" * (LONGEST_MESSAGE + 1),)))
    last = messages.all[-1]
    assert (len(last.text), len(last.details[0])) == (LONGEST_MESSAGE, LONGEST_MESSAGE)


def test_the_list_has_everything_newest_first() -> None:
    messages = Messages("!")
    messages.say(said("older"))
    messages.say(said("newer", Weight.ERROR, details=("one", "two")))
    assert [line.text.split()[-1] for line in message_lines(messages.all)] == ["newer", "one", "two", "older"]
    assert messages.phrase(0.0).text == "newer (! shows 2 lines more)"


@pytest.mark.parametrize("width", [5, 20, 40, 80])
def test_a_long_message_says_where_the_rest_is(width: int) -> None:
    text = "it failed because of a very long reason that nobody can read in one line of any terminal at all"
    shown = fitted(text, width, "… (!: all of it)")
    assert len(shown) <= width
    assert "!" in shown or width < 20
    assert fitted("short", 80, "…") == "short"


async def test_an_error_on_the_line_ends_with_the_next_key_or_its_time() -> None:
    now = [NOW]
    async with opened(clock=lambda: now[0]) as screen:
        line = screen.app.main.query_one(StatusLine)
        assert not line.display, "the log has its line"
        screen.app.say("it failed", weight=Weight.ERROR)
        assert screen.status == "it failed"
        await screen.settle()
        assert line.size.height == 1
        await screen.press("down")
        assert "1 error" in screen.status
        screen.app.say("again", weight=Weight.ERROR)
        now[0] += ERROR_SECONDS
        screen.app.look()
        assert "2 errors" in screen.status
        await screen.press("exclamation_mark")
        assert "again" in screen.text
        await screen.press("escape")
        assert not screen.status


async def test_whatever_textual_says_is_on_the_line_and_in_no_box() -> None:
    async with opened() as screen:
        screen.app.notify(f"saved {HOSTILE}", title="Screenshot", severity="warning")
        assert screen.status.startswith("Screenshot: saved")
        assert not screen.app.screen.query("Toast")


def undo(number: int) -> Undo:
    return Undo(deed=str(number), done="", why_not=lambda _: "")


def test_undos_are_kept_by_host_and_bounded() -> None:
    undos = UndoList()
    for number in range(MOST_UNDOS + 1):
        undos.remember("box", undo(number))
    assert undos.newest("") is None
    seen = 0
    while (newest := undos.newest("box")) is not None:
        assert newest.why_not(Store()) == ""
        undos.forget("box", newest)
        seen += 1
    assert seen == MOST_UNDOS


def test_a_path_goes_on_as_the_directory_has_it(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    for name in ("APP1.bin", "APP2.bin", ".hidden", "odd\x1b.bin"):
        (tmp_path / name).touch()
    here = f"{tmp_path}/"
    assert entries_of(here) == [f"{here}build/", f"{here}APP1.bin", f"{here}APP2.bin"]
    assert entries_of(f"{here}.h") == [f"{here}.hidden"]
    assert common(f"{here}A", entries_of(f"{here}A")) == f"{here}APP"
    assert common("nowhere/x", entries_of("nowhere/x")) == "nowhere/x"
    assert entries_of("~nobody-like-this/") == []


def test_a_large_directory_shows_its_first_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(MOST_SHOWN + 1):
        (tmp_path / f"{number:03}").touch()
    assert len(entries_of(f"{tmp_path}/")) == MOST_SHOWN

    class Entry:
        def __init__(self, number: int) -> None:
            self.name = "a" if number < MOST_LOOKED_AT - 1 else f"b{number}"

        def is_dir(self) -> bool:
            return False

    class Scan:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __iter__(self) -> object:
            return iter(Entry(number) for number in range(MOST_LOOKED_AT + 5))

    def scan(_path: object) -> Scan:
        return Scan()

    monkeypatch.setattr("os.scandir", scan)
    assert entries_of("b") == [f"b{MOST_LOOKED_AT - 1}"]


async def test_a_question_and_an_answer_have_an_end() -> None:
    async with opened() as screen:
        screen.app.push_screen(ConfirmScreen("q" * (LONGEST_QUESTION + 1), ""))
        await screen.settle()
        assert screen.text.count("q") == LONGEST_QUESTION - 1  # the last one is an ellipsis
        await screen.press("n")
        screen.app.push_screen(AskScreen("path", ""))
        await screen.settle()
        screen.type("x" * (LONGEST_ANSWER - 1))
        await screen.press("end", "y", "z")
        assert screen.app.screen.query_one(Input).value.endswith("xy")


def test_plans_of_many_boards_are_shown_up_to_a_number() -> None:
    lines = plan_lines([plan(f"b{number}", "app1") for number in range(MOST_PLANS + 1)])
    assert sum(line.tone is Tone.STRONG for line in lines) == MOST_PLANS


def test_a_command_goes_to_the_daemon_of_its_host() -> None:
    near, far = OwnCommand("", Path("/s"), ("jobs",)), OwnCommand("user@box", Path("/s"), ("jobs",))
    assert near.shown == "flashdeck --socket /s jobs"
    assert far.shown == "flashdeck --host user@box jobs"


async def test_what_a_command_prints_is_told_and_what_it_complains_of_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await output_of(OwnCommand("", Path("/s"), ("--version",)))).startswith("flashdeck ")
    with pytest.raises(FlashdeckError) as refused:
        await output_of(OwnCommand("", Path("/s"), ("stauts",)))
    assert "no command" in refused.value.message
    assert "status" in refused.value.hint
    shown = "import sys; sys.stdout.write('x' * int(sys.argv[-1]))"
    monkeypatch.setattr("flashdeck_tui.own_command._PROGRAM", (sys.executable, "-c", shown))
    assert len(await output_of(OwnCommand("", Path("/s"), (str(MOST_OUTPUT + 1),)))) == MOST_OUTPUT
