"""Suspending the screen: in a shell with job control, and what is left of its terminal then."""

import os
import select
import signal
from pathlib import Path

import pytest

from tmux_terminal import PATIENCE, Terminal

pytestmark = pytest.mark.long

SEEN = "no flashdeckd listens"
INTO_THE_BACKGROUND = 'bg; while jobs >~/jobs; grep -q Running ~/jobs; do sleep 0.1; done; echo "has stopped"'
"""A screen that the shell does not know to be stopped again could stop itself right after an `fg`."""


def suspended(shell: Terminal, title: str | None = None) -> None:
    assert "Stopped" in shell.until_given_back(title)


def back(shell: Terminal) -> None:
    """Continue the screen, until it is drawn anew: after SIGSTOP what it drew before is still there."""
    shell.press("f", "g", "C-j")  # a line feed, as the terminal may make none of Enter after SIGSTOP
    shell.until(
        lambda screen: (
            SEEN in screen
            and "quit" in screen.lower()
            and "Stopped" not in screen
            and shell.fact("alternate_on") == "1"
        ),
        what="the screen again",
    )


def test_ctrl_z_gives_the_terminal_back_and_fg_brings_the_screen_back(shell: Terminal) -> None:
    title = shell.fact("pane_title")
    shell.run("flashdeck")
    shell.until(SEEN)
    shell.until(lambda _: shell.fact("pane_title") == "flashdeck: not connected", what="the title")
    for turn in ("1st", "2nd", "3rd"):  # each time anew
        shell.press("C-z")
        suspended(shell, title)
        shell.run(f"{INTO_THE_BACKGROUND} {turn}")  # where a screen stops again, and draws nothing
        shell.until(f"has stopped {turn}")
        shell.until_given_back(title)
        back(shell)
    shell.press("?")
    shell.until("help (Esc: close)")
    shell.press("C-z")
    suspended(shell)
    shell.run("fg")
    shell.until("help (Esc: close)")
    shell.press("Escape")
    shell.until(lambda screen: "help (Esc" not in screen, what="the boards")
    shell.press("q")
    shell.until_given_back()


def test_a_stop_from_outside_is_the_same(place: Path, shell: Terminal) -> None:
    title = shell.fact("pane_title")
    shell.run("sh -c 'echo $$ > ~/pid; exec flashdeck'")
    shell.until(SEEN)
    process = int((place / "pid").read_text())
    os.kill(process, signal.SIGTSTP)
    suspended(shell)
    back(shell)
    # Nobody can hear of SIGSTOP: what it leaves is put right once the screen goes on.
    os.kill(process, signal.SIGSTOP)
    shell.until("Stopped")
    back(shell)
    shell.press("C-c")
    shell.until("Ctrl-C again")
    shell.press("C-c")
    shell.until_given_back(title)


def test_the_whole_job_stops_and_not_the_screen_alone(place: Path, shell: Terminal) -> None:
    (place / "Makefile").write_text("screen:\n\t@flashdeck\n\t@echo made\n")
    shell.run("cd; make -s screen")
    shell.until(SEEN)
    shell.press("C-z")
    suspended(shell)
    back(shell)
    shell.press("q")
    shell.until("made")


def test_without_a_shell_behind_it_nothing_stops(shell: Terminal) -> None:
    shell.tmux("new-window", "flashdeck")
    shell.until(SEEN)
    shell.press("C-z")
    shell.until("no shell behind")
    shell.press("q")
    shell.until(lambda screen: SEEN not in screen, what="the first window")


def test_it_ends_with_its_terminal_while_it_is_stopped(place: Path, shell: Terminal) -> None:
    shell.run("sh -c 'echo $$ > ~/pid; exec flashdeck'")
    shell.until(SEEN)
    shell.press("C-z")
    suspended(shell)
    with os.fdopen(os.pidfd_open(int((place / "pid").read_text()))) as process:
        shell.close()
        assert select.select([process], [], [], PATIENCE)[0], "it outlived its terminal"
