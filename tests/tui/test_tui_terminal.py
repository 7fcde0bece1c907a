"""The process as a whole on a real pseudo-terminal: refusing, drawing, and ending with its terminal."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flashdeck_tui import terminal
from pseudo_terminal import PATIENCE, OnTerminal
from tui_scene import make_app

NOWHERE = ("--socket", "/nowhere/s")


@pytest.mark.parametrize("signalled", [True, False])
def test_it_ends_with_129_when_its_terminal_goes(signalled: bool) -> None:
    app = OnTerminal(*NOWHERE, ignore_hangup=not signalled)
    app.until(b"start it: flashdeckd --socket /nowhere/s")
    app.close()
    assert app.ended() == 129


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_ends_on_a_signal_and_puts_the_terminal_back(number: signal.Signals, code: int) -> None:
    app = OnTerminal(*NOWHERE)
    app.until(b"start it:")
    app.process.send_signal(number)
    app.until(b"\x1b[?1049l")
    assert app.ended() == code
    app.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.long
def test_a_signal_ends_it_though_its_terminal_takes_nothing(number: signal.Signals, code: int) -> None:
    app = OnTerminal(*NOWHERE)
    app.until(b"start it:")
    app.stalls()
    app.process.send_signal(number)
    assert app.ended() == code
    app.close()


@pytest.mark.parametrize("signalled", [True, False])
def test_it_ends_with_129_when_a_terminal_goes_that_took_nothing_before(signalled: bool) -> None:
    app = OnTerminal(*NOWHERE, ignore_hangup=not signalled)
    app.until(b"start it:")
    app.stalls()
    app.close()
    assert app.ended() == 129


@pytest.mark.parametrize("signalled", [True, False])
@pytest.mark.parametrize("moment", ["flashdeck_tui.terminal", "textual.app", "flashdeck_tui.widgets.rows"])
def test_it_ends_with_its_terminal_while_it_starts(moment: str, signalled: bool) -> None:
    app = OnTerminal(*NOWHERE, ignore_hangup=not signalled, python=("-X", "importtime"))
    app.until(f"{moment}\r\n".encode())
    app.close()
    assert app.ended() != 0


def test_it_quits_with_0_and_puts_the_terminal_back() -> None:
    app = OnTerminal(*NOWHERE)
    app.until(b"start it:")
    app.types(b"q")
    app.until(b"\x1b[?1049l")
    assert app.ended() == 0
    app.close()


def test_the_first_screen_of_a_small_terminal_has_all_keys() -> None:
    app = OnTerminal(*NOWHERE, columns=60, lines=20)
    app.until(b"start it:")
    app.until(b"Quit")
    app.types(b"q")
    assert app.ended() == 0
    app.close()


@pytest.mark.parametrize("where", ["pipe", "null"])
def test_it_refuses_politely_without_a_terminal(where: str, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - this interpreter
        (Path(sys.executable).parent / "flashdeck", "--socket", str(tmp_path / "s")),
        stdin=subprocess.PIPE if where == "pipe" else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no terminal" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["dumb", "unknown", "dumb-emacs-ansi", "", None])
@pytest.mark.parametrize("words", [(), ("demo",)], ids=["screen", "demo"])
def test_a_terminal_that_can_not_draw_is_refused_in_a_line(name: str | None, words: tuple[str, ...]) -> None:
    app = OnTerminal(*words, TERM=name)
    assert app.ended() == 2
    said = app.rest()
    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert ("flashdeck demo --once" if words else "flashdeck status") in said
    assert "TERM" in said
    assert str(name or "") in said
    app.close()


def test_a_demo_whose_terminal_went_before_it_began_does_not_play_by_itself(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    os.close(leader)
    try:
        ended = subprocess.run(
            (sys.executable, "-m", "flashdeck_tui", "demo"),
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(follower)
    assert ended.returncode == 129
    assert not list(tmp_path.iterdir()), "no demo was begun"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    said = terminal.refusal(instead="flashdeck status", is_terminal=lambda number: number != 2)
    assert said is not None
    assert (
        said == "flashdeck: stderr is no terminal, and the screen needs one; use 'flashdeck status' (over ssh: ssh -t)"
    )
    none = terminal.refusal(instead="flashdeck status", is_terminal=lambda _: False)
    assert "stdin and stderr are no terminals" in (none or "")
    assert terminal.refusal(instead="flashdeck status", is_terminal=lambda _: True) is None


async def test_a_screen_that_closed_by_itself_did_not_end_well() -> None:
    app, _ = make_app()
    async with app.run_test():
        app.panic("the terminal cannot be read")  # as Textual does where reading it fails
    assert app.exit_code == 129
    app, _ = make_app()
    async with app.run_test() as pilot:
        await pilot.press("q")
    assert app.exit_code == 0
