"""The demo as somebody plays with it: on a terminal, with the keyboard."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from leftovers import left_behind, processes_with
from tmux_terminal import LOOK_AGAIN, PATIENCE, PROMPT, Terminal

pytestmark = pytest.mark.long

BOARDS = ("classic", "noread", "usbx")
BUILD = re.compile(r"(?m)^ (make -C (\S+) app1|sh (\S+)/prebuilt\.sh) *$")
"""The line of the screen that says how to build."""
SETTINGS = "echo settings $(stty -g | cksum)"


def board(screen: str, name: str) -> str:
    """The line of a board."""
    return next((line for line in screen.splitlines() if re.match(rf"[▸ ] ..{name} ", line)), "")


def landed(screen: str, version: str, *names: str) -> bool:
    """True if a version is on boards, and nothing newer is on its way."""
    lines = [board(screen, name) for name in names]
    return all(version in line and not re.search(r"[>:]\d", line) for line in lines)


def started(shell: Terminal) -> None:
    """The demo runs, and shows its boards."""
    shell.until(lambda screen: all(board(screen, name) for name in BOARDS), what="the three boards")


def pointed_at(screen: str) -> str:
    """The line with the cursor."""
    return next((line for line in screen.splitlines() if "▸" in line), "")


def select_problem(shell: Terminal, name: str) -> None:
    """Moves the cursor to the one board that needs somebody."""
    shell.press("n")
    shell.until(lambda screen: pointed_at(screen) == board(screen, name) != "", what=f"{name} selected")


def edit_and_build(screen: str) -> None:
    """Does what the screen says, as somebody does in another terminal: edits version.h, and pastes the command."""
    found = BUILD.search(screen)
    assert found, screen
    header = Path(found[2] or found[3]) / "version.h"
    header.write_text(header.read_text().replace("1.0.1", "1.0.2"))
    subprocess.run(found[1], shell=True, check=True, capture_output=True, cwd="/")  # noqa: S602 - as a person pastes it


def screen_after(shell: Terminal) -> str:
    """The screen once the demo has ended, when the terminal is as it was: its settings, screen, cursor and mouse."""
    screen = shell.until(lambda screen: re.search(rf"status \d+\nsettings .+\n{PROMPT}", screen), what="the prompt")
    before, after = re.findall(r"(?m)^settings (.+)$", screen)
    assert before == after
    assert shell.is_given_back()
    return screen


@pytest.mark.timeout(600)  # four flashes that are slow on purpose, and each step has its own patience
def test_somebody_builds_watches_unplugs_plugs_presses_and_quits(place: Path, shell: Terminal) -> None:
    shell.run(f"{SETTINGS}; flashdeck demo; echo status $?; {SETTINGS}")
    started(shell)
    assert shell.fact("alternate_on") == "1"

    shell.press("B")
    # The first flash writes every sector: there is time to pull a cable.
    shell.until(lambda screen: re.search(r"write [1-4]?\d%", board(screen, "classic")), what="1.0.1 being written")
    shell.press("U")
    shell.until(
        lambda screen: all(text in board(screen, "classic") for text in ("waiting", "-:1.0", "!")),
        what="the job of classic waiting, and that what it has cannot boot",
    )
    shell.press("P")
    shell.until(lambda screen: landed(screen, "1.0.1", *BOARDS), what="1.0.1 on all boards")

    edit_and_build(shell.until(BUILD.search, what="how to build it"))
    shell.until(lambda screen: landed(screen, "1.0.2", "classic", "usbx"), what="1.0.2 on classic and usbx")
    # The third one's application cannot be told to leave: somebody has to press.
    shell.until(lambda screen: "! noread" in board(screen, "noread"), what="a hand that is asked for")
    select_problem(shell, "noread")
    shell.press("S")
    shell.until(lambda screen: landed(screen, "1.0.2", *BOARDS), what="1.0.2 on all boards")

    shell.press("q")
    assert "status 0" in screen_after(shell)
    shell.run("echo typed")
    shell.until("\ntyped\n")
    assert left_behind(place) == []


@pytest.mark.parametrize("keys", [("C-c", "C-c"), ("C-q",)])
def test_the_keys_that_end_other_programs_end_it_too(place: Path, shell: Terminal, keys: tuple[str, ...]) -> None:
    shell.run("flashdeck demo; echo status $?")
    started(shell)
    shell.press(*keys)
    shell.until("status 0")
    assert left_behind(place) == []


def test_a_signal_ends_it_in_the_middle_of_a_flash_and_leaves_a_clean_terminal(place: Path, shell: Terminal) -> None:
    shell.run(f"{SETTINGS}; sh -c 'echo $$ > ~/pid; exec flashdeck demo'; echo status $?; {SETTINGS}")
    started(shell)
    shell.press("B")
    shell.until(lambda screen: re.search(r"write \d+%", board(screen, "classic")), what="a flash")
    os.kill(int((place / "pid").read_text()), signal.SIGTERM)
    screen = screen_after(shell)
    assert "status 143" in screen
    assert "stopped by SIGTERM" in screen
    assert left_behind(place) == []


@pytest.mark.parametrize("moment", ["idle", "building"])
def test_closing_the_terminal_ends_demo_and_daemon(place: Path, shell: Terminal, moment: str) -> None:
    shell.run("flashdeck demo")
    started(shell)
    if moment == "building":
        shell.press("B")
        shell.until(lambda screen: "Building" in screen or "1.0.1" in board(screen, "classic"), what="a build")
    assert len(processes_with("TMPDIR", str(place / "tmp"))) >= 4, "a server, a shell, the demo and its daemon"
    shell.close()
    deadline = time.monotonic() + PATIENCE
    while processes_with("TMPDIR", str(place / "tmp")) or left_behind(place):
        assert time.monotonic() < deadline, (processes_with("TMPDIR", str(place / "tmp")), left_behind(place))
        time.sleep(LOOK_AGAIN)


def test_ctrl_z_stops_the_demo_its_daemon_goes_on_and_fg_brings_it_back(place: Path, shell: Terminal) -> None:
    shell.run(f"{SETTINGS}; flashdeck demo; echo status $?; {SETTINGS}")
    started(shell)
    shell.press("B")
    shell.until(lambda screen: re.search(r"write \d+%", board(screen, "classic")), what="a flash")
    shell.press("C-z")
    assert "Stopped" in shell.until_given_back()
    shell.run("clear; fg")
    shell.until(lambda screen: landed(screen, "1.0.1", *BOARDS), what="what was flashed meanwhile")
    shell.press("q")
    shell.until_given_back()
    deadline = time.monotonic() + PATIENCE
    while left_behind(place):
        assert time.monotonic() < deadline, left_behind(place)
        time.sleep(LOOK_AGAIN)
