"""Suspending the screen: in a shell with job control, and what is left of its terminal then."""

import os
import signal
from pathlib import Path

import pytest

from tmux_terminal import Terminal

pytestmark = pytest.mark.long

SEEN = "no flashdeckd listens"


def suspended(shell: Terminal) -> None:
    assert "Stopped" in shell.until_given_back()


def back(shell: Terminal) -> None:
    shell.press("f", "g", "C-j")  # a line feed, as the terminal may make none of Enter after SIGSTOP
    shell.until(lambda screen: SEEN in screen and "quit" in screen.lower(), what="the screen again")
    assert shell.fact("alternate_on") == "1"


def test_ctrl_z_gives_the_terminal_back_and_fg_brings_the_screen_back(shell: Terminal) -> None:
    title = shell.fact("pane_title")
    shell.run("flashdeck")
    shell.until(SEEN)
    shell.until(lambda _: shell.fact("pane_title") == "flashdeck: not connected", what="the title")
    for _ in range(3):  # each time anew
        shell.press("C-z")
        suspended(shell)
        assert shell.fact("pane_title") == title
        shell.run("bg")  # a screen in the background stops again, and draws nothing
        shell.until(lambda screen: screen.count("flashdeck") > 0 and shell.is_given_back(), what="the shell, still")
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
    process = int((place / "pid").read_text())
    shell.close()
    descriptor = os.pidfd_open(process) if Path(f"/proc/{process}").exists() else None
    if descriptor is not None:
        with os.fdopen(descriptor) as watched:
            import select  # noqa: PLC0415 - beside its only use

            assert select.select([watched], [], [], 30)[0], "it outlived its terminal"
