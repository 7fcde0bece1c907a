"""The things that the terminal is told beside the picture: the title of its window, and that something failed."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from flashdeck.config_screen import Notify
from flashdeck.job_state import Failed
from flashdeck_tui import terminal_app
from flashdeck_tui.failure_notices import LONGEST_NOTICE, NOTICE_PAUSE, FailureNotices, sequence
from flashdeck_tui.fleet import Fleet
from flashdeck_tui.link import LinkState, LinkStatus
from flashdeck_tui.settings import FRAMES_OVER_SSH
from flashdeck_tui.window_title import LONGEST_TITLE, MOST_CONDITIONS, has_title, title_of
from flashdeck_tui.window_title import sequence as title_sequence
from tui_scene import BENCH, FAILURE, HOSTILE, NOW, event, job, make_app


def fleet(**snapshot: object) -> Fleet:
    app, _ = make_app(replace(BENCH, **snapshot))
    return app.fleet


def fails(boards: Fleet, number: int, board: str = "left", message: str = "erase failed") -> None:
    failed = Failed(failure=replace(FAILURE, message=message))
    boards.hosts[0].store.take(event(job=job(number, board, failed)))


def test_the_title_has_the_worst_conditions_first() -> None:
    app, link = make_app()
    title = title_of(app.fleet)
    assert title.startswith("flashdeck: 1 FAILED, ")
    assert title.count(",") == MOST_CONDITIONS - 1
    link.state = LinkState(LinkStatus.DISCONNECTED, "gone", "")
    assert title_of(app.fleet).startswith("flashdeck: not connected, 1 FAILED")
    assert title_of(fleet(boards=BENCH.boards[:1], jobs=())) == "flashdeck"


def test_a_title_is_clean_and_short() -> None:
    assert title_sequence(HOSTILE).count("\x1b") == 1
    for length, whole in ((LONGEST_TITLE, True), (LONGEST_TITLE + 1, False)):
        assert (f"]2;{'t' * length}\x07" in title_sequence("t" * length)) is whole


def test_over_ssh_a_picture_waits_until_its_part_of_a_second_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    app: Any = make_app()[0]
    owed: list[float] = []

    def set_timer(seconds: float, _: object) -> None:
        owed.append(seconds)

    monkeypatch.setattr(terminal_app, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(app, "set_timer", set_timer)
    assert not app._is_too_soon()
    now += 0.75 / FRAMES_OVER_SSH
    assert app._is_too_soon()
    assert owed == [pytest.approx(0.25 / FRAMES_OVER_SSH)]
    now += 0.5 / FRAMES_OVER_SSH
    assert not app._is_too_soon()


@pytest.mark.parametrize(
    ("term", "has"), [("xterm-256color", True), ("tmux", True), ("linux", False), ("vt220", False)]
)
def test_a_terminal_without_a_window_gets_no_title(term: str, has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    assert has_title() is has


def test_each_new_failure_is_told_once_and_old_ones_never() -> None:
    boards, notices = fleet(), FailureNotices()
    assert notices.look(boards, NOW) == ""  # one has failed before
    fails(boards, 50)
    assert notices.look(boards, NOW) == "left app1: failed: erase failed"
    assert notices.look(boards, NOW + 2 * NOTICE_PAUSE) == ""


def test_what_fails_soon_after_is_told_later_in_one() -> None:
    boards, notices = fleet(), FailureNotices()
    notices.look(boards, NOW)
    fails(boards, 50)
    assert notices.look(boards, NOW)
    fails(boards, 51, "lab")
    fails(boards, 52, "right")
    assert notices.look(boards, NOW + NOTICE_PAUSE * 0.99) == ""
    assert notices.look(boards, NOW + NOTICE_PAUSE) == "2 jobs FAILED: lab, right"


def test_a_notice_is_clean_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    boards, notices = fleet(), FailureNotices()
    notices.look(boards, NOW)
    fails(boards, 50, message=HOSTILE)
    said = sequence(notices.look(boards, NOW), Notify.OSC9)
    assert said.startswith("\x1b]9;flashdeck: left app1: failed: ")
    assert said.count("\x1b") == said.count("\x07") == 1
    fails(boards, 51, message="x" * 2 * LONGEST_NOTICE)
    assert len(notices.look(boards, NOW + NOTICE_PAUSE)) == LONGEST_NOTICE
    for length, whole in ((LONGEST_NOTICE, True), (LONGEST_NOTICE + 1, False)):
        assert ("n" * length in sequence("n" * length, Notify.OSC9)) is whole
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    assert sequence("x", Notify.OSC9) == "\x1bPtmux;\x1b\x1b]9;flashdeck: x\x07\x1b\\"
    assert sequence("x", Notify.BELL) == "\x07"
    assert sequence("x", Notify.OFF) == ""
