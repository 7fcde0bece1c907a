"""The demo as somebody plays with it: on a terminal, with the keyboard."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftovers import left_behind, processes_with
from tmux_terminal import LOOK_AGAIN, PATIENCE, PROMPT, Terminal, terminal

BOARDS = ("classic", "noread", "usbx")
SETTINGS = "echo settings $(stty -g | cksum)"
PRESENCES = "in DFU mode|running|absent"


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the demo may put its directory, short enough for its socket."""
    with tempfile.TemporaryDirectory(prefix="fd-") as name:
        (Path(name) / "tmp").mkdir()
        yield Path(name)


@pytest.fixture
def shell(place: Path) -> Iterator[Terminal]:
    """A shell at 80x24 that finds this flashdeck, and keeps its hands off the user's own files."""
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(place),
        "TMPDIR": str(place / "tmp"),
        "XDG_RUNTIME_DIR": str(place / "run"),
        "LANG": "C.UTF-8",
    }
    with terminal(place, variables) as made:
        yield made


def board(screen: str, name: str) -> str:
    """The line of a board."""
    return next((line for line in screen.splitlines() if re.search(rf"\b{name} +({PRESENCES})\b", line)), "")


def app1(screen: str, name: str) -> str:
    """The line of a board's app1, which is below that of the board."""
    lines = screen.splitlines()
    below = lines[lines.index(board(screen, name)) + 1 :][:1] if board(screen, name) else []
    return next((line for line in below if "app1" in line), "")


def landed(screen: str, version: str, *names: str) -> bool:
    """Whether a version is on boards, and nothing newer was built."""
    return all(version in app1(screen, name) and "current" in app1(screen, name) for name in names)


def started(shell: Terminal) -> None:
    """The demo runs, and shows its boards."""
    shell.until(lambda screen: all(board(screen, name) for name in BOARDS), what="the three boards")


def pointed_at(screen: str) -> str:
    """The line with the cursor."""
    return next((line for line in screen.splitlines() if "▸" in line), "")


def select_problem(shell: Terminal, name: str) -> None:
    """Moves the cursor to the one board that needs somebody, or to its app1."""
    shell.press("n")
    shell.until(lambda screen: pointed_at(screen) in (board(screen, name), app1(screen, name)), what=f"{name} selected")


def edit_and_build(screen: str) -> None:
    """Does what the screen says, as somebody does in another terminal: edits version.h, and pastes the command."""
    found = re.search(r"(?m)^ (make -C (\S+) app1|sh (\S+)/prebuilt\.sh) *$", screen)
    assert found, screen
    header = Path(found[2] or found[3]) / "version.h"
    header.write_text(header.read_text().replace("1.0.1", "1.0.2"))
    subprocess.run(found[1], shell=True, check=True, capture_output=True, cwd="/")  # noqa: S602 - as a person pastes it


def screen_after(shell: Terminal) -> str:
    """The screen once the demo has ended, when the terminal is as it was: its settings, screen, cursor and mouse."""
    screen = shell.until(lambda screen: re.search(rf"status \d+\nsettings .+\n{PROMPT}", screen), what="the prompt")
    before, after = re.findall(r"(?m)^settings (.+)$", screen)
    assert before == after
    assert [shell.fact(name) for name in ("alternate_on", "cursor_flag", "mouse_any_flag")] == ["0", "1", "0"]
    return screen


@pytest.mark.timeout(300)  # four flashes that are slow on purpose, and each step has its own patience
def test_somebody_builds_watches_unplugs_plugs_presses_and_quits(place: Path, shell: Terminal) -> None:
    shell.run(f"{SETTINGS}; flashdeck demo; echo status $?; {SETTINGS}")
    started(shell)
    assert shell.fact("alternate_on") == "1"

    shell.press("b")
    # The first flash writes every sector: there is time to pull a cable.
    shell.until(lambda screen: re.search(r"writing [1-4]?\d %", app1(screen, "classic")), what="1.0.1 being written")
    shell.press("u")
    screen = shell.until(lambda screen: "waiting" in app1(screen, "classic"), what="the job of classic waiting")
    assert "absent" in board(screen, "classic")
    assert "incomplete" in app1(screen, "classic")
    shell.press("p")
    shell.until(lambda screen: landed(screen, "1.0.1", *BOARDS), what="1.0.1 on all boards")
    assert "not verified" in app1(shell.screen(), "noread")

    edit_and_build(shell.screen())
    shell.until(lambda screen: landed(screen, "1.0.2", "classic", "usbx"), what="1.0.2 on classic and usbx")
    # The third one's application cannot be told to leave: somebody has to press.
    assert "waiting" in app1(shell.screen(), "noread")
    select_problem(shell, "noread")
    shell.press("s")
    shell.until(lambda screen: landed(screen, "1.0.2", *BOARDS), what="1.0.2 on all boards")

    shell.press("q")
    assert "status 0" in screen_after(shell)
    shell.run("echo typed")
    shell.until("\ntyped\n")
    assert left_behind(place) == []


@pytest.mark.parametrize("key", ["C-c", "C-q"])
def test_the_keys_that_end_other_programs_end_it_too(place: Path, shell: Terminal, key: str) -> None:
    shell.run("flashdeck demo; echo status $?")
    started(shell)
    shell.press(key)
    shell.until("status 0")
    assert left_behind(place) == []


def test_a_signal_ends_it_in_the_middle_of_a_flash_and_leaves_a_clean_terminal(place: Path, shell: Terminal) -> None:
    shell.run(f"{SETTINGS}; sh -c 'echo $$ > ~/pid; exec flashdeck demo'; echo status $?; {SETTINGS}")
    started(shell)
    shell.press("b")
    shell.until(lambda screen: "writing" in app1(screen, "classic"), what="a flash")
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
        shell.press("b")
        shell.until(lambda screen: "Building" in screen or "1.0.1" in app1(screen, "classic"), what="a build")
    assert len(processes_with("TMPDIR", str(place / "tmp"))) >= 4, "a server, a shell, the demo and its daemon"
    shell.close()
    deadline = time.monotonic() + PATIENCE
    while processes_with("TMPDIR", str(place / "tmp")) or left_behind(place):
        assert time.monotonic() < deadline, (processes_with("TMPDIR", str(place / "tmp")), left_behind(place))
        time.sleep(LOOK_AGAIN)
