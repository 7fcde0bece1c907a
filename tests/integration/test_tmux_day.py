"""A whole day at the screen, on a real terminal: from the daemon's start to the last q."""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import flashdeck
from flashdeck import api
from flashdeck.value import Value
from rig import CONFIG, board, firmware
from tmux_terminal import Terminal, at_home, terminal

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

NAMES = tuple(f"rack-{number:03}" for number in range(1, 7))
DAEMON = ("flashdeckd", "--config", "flashdeck.toml", "--virtual", "bench.toml")
OTHERS = tuple(name for name in NAMES if name != NAMES[2])
SIZE = 60_000


class Day:
    """The bench of the day, and who sits at it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.variables = at_home(place) | {"TMPDIR": str(place)}
        serials = {name: f"DAY{number:09}" for number, name in enumerate(NAMES)}
        boards = "".join(f'[boards.{name}]\nprofile = "product"\nserial = "{serials[name]}"\n' for name in NAMES)
        config = CONFIG.format(settle="50ms", app="0483:5740", enter='"detach"', profile="", boards=boards)
        (place / "flashdeck.toml").write_text(config)
        bench = (
            board(name, number, serial=serials[name], timing="real", slowdown=15)
            for number, name in enumerate(NAMES, 1)
        )
        (place / "bench.toml").write_text("".join(bench))
        (place / "build").mkdir()

    def build(self, version: str) -> None:
        (self.place / "build" / "APP1.bin").write_bytes(firmware(version, size=SIZE))

    def hand(self, does: api.Params[Value]) -> None:
        """Somebody at the bench, who is as quick as a hand, and not as slow as the start of a command."""
        with flashdeck.connect(self.place / "run" / "flashdeck-virtual" / "flashdeckd.sock") as bench:
            bench.call(does)

    def end_first(self) -> None:
        """The daemon that was started in the shell ends, if it was not ended yet."""
        pid = self.place / "pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)
            pid.unlink()

    @contextmanager
    def daemon(self) -> Generator[subprocess.Popen[bytes]]:
        """The daemon, started by somebody else."""
        log = (self.place / "later.log").open("wb")
        process = subprocess.Popen(DAEMON, env=self.variables, cwd=self.place, stdout=log, stderr=log)  # noqa: S603 - ours
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)
            log.close()


def row(screen: str, name: str) -> str:
    """The line of a board in the list."""
    return next((line for line in screen.splitlines() if re.match(rf"^.{{0,5}}{name}  ", line)), "")


def all_say(*words: str, names: tuple[str, ...] = NAMES) -> Callable[[str], object]:
    """True if each of these boards has one of the words in its line."""
    return lambda screen: all(any(word in row(screen, name) for word in words) for name in names)


@pytest.fixture
def day() -> Iterator[Day]:
    with tempfile.TemporaryDirectory(prefix="fd-") as name:
        made = Day(Path(name))
        yield made
        made.end_first()  # of a test that failed half way


@pytest.fixture
def shell(day: Day) -> Iterator[Terminal]:
    with terminal(day.place, day.variables) as made:
        yield made


def test_a_whole_day(day: Day, shell: Terminal) -> None:
    title = shell.fact("pane_title")
    shell.run(f"cd; {' '.join(DAEMON)} 2>daemon.log & echo $! > ~/pid; clear; flashdeck --virtual")
    shell.until(all_say("in DFU mode"), what="the boards")
    a_build_is_watched_and_a_cable_pulled(day, shell)
    what_is_half_there_is_put_right(day, shell)
    one_is_found_and_all_are_put_on_hold(shell)
    the_next_build_is_taken_back(day, shell)
    day.end_first()
    shell.until(lambda screen: "disconnected" in screen, what="a daemon that is gone")
    with day.daemon():
        shell.until(lambda screen: "disconnected" not in screen and row(screen, NAMES[0]), what="the new daemon")
        shell.press("C-z")
        assert "Stopped" in shell.until_given_back(title)
        shell.run("fg")
        shell.until(lambda screen: all(row(screen, name) for name in NAMES), what="the screen again")
        shell.press("q")
        shell.until_given_back(title)
    shell.run("clear; stty -a")
    screen = shell.until(lambda screen: "isig" in screen and "iexten" in screen, what="the terminal's settings")
    assert [word for word in ("isig", "icanon", "iexten", "echo", "icrnl") if f"-{word}" in screen.split()] == []


def a_build_is_watched_and_a_cable_pulled(day: Day, shell: Terminal) -> None:
    day.build("1.0.1")
    shell.until(lambda screen: re.search(r"write +[1-5]?\d ?%", row(screen, NAMES[2])), what="a flash")
    shell.until(lambda _: "flashing" in shell.fact("pane_title"), what="the title")
    day.hand(api.VirtualUnplug(boards=NAMES[2:3]))
    shell.press("m")
    shell.until(lambda screen: "has contents" in screen or "written" in screen, what="the flash map")
    shell.press("Escape")
    shell.until(all_say("running", names=OTHERS), what="1.0.1 on all boards but one")
    shell.until(all_say("waiting", names=NAMES[2:3]), what="the job of that one waiting")


def what_is_half_there_is_put_right(day: Day, shell: Terminal) -> None:
    select(shell, NAMES[2])
    shell.press("c")
    shell.until(all_say("INCOMPLETE", names=NAMES[2:3]), what="a problem")
    shell.until(lambda _: "incomplete" in shell.fact("pane_title"), what="the title")
    select(shell, NAMES[4])
    shell.press("n")
    shell.until(lambda screen: "▸" in row(screen, NAMES[2]), what="the problem selected")
    shell.press("r")
    shell.until(all_say("waiting", names=NAMES[2:3]), what="its image queued again")
    day.hand(api.VirtualPlug(boards=NAMES[2:3]))
    shell.until(all_say("running"), what="1.0.1 everywhere")


def one_is_found_and_all_are_put_on_hold(shell: Terminal) -> None:
    shell.press("/")
    shell.until("Filter:")
    shell.press(*NAMES[3])
    shell.press("Enter")
    shell.until(lambda screen: row(screen, NAMES[3]) and not row(screen, NAMES[0]), what="one board")
    shell.press("Escape")
    shell.until(all_say("running"), what="all boards again")
    shell.press("*")
    shell.until("6 boards marked")
    shell.press("H")
    shell.until("the reason")
    shell.press("Enter")
    shell.until(all_say("on hold"), what="all on hold")
    shell.press("L")
    shell.until(lambda screen: not any("on hold" in row(screen, name) for name in NAMES), what="all let go")
    shell.press("*")
    shell.until(lambda screen: "marked" not in screen, what="no marks")


def the_next_build_is_taken_back(day: Day, shell: Terminal) -> None:
    day.build("1.0.2")
    shell.until(all_say("write", "erase", "starting", "open", "verify"), what="the second build")
    shell.until(all_say("running"), what="1.0.2 everywhere")
    select(shell, NAMES[0])
    shell.press("h")
    shell.until(lambda screen: "istory" in screen and not row(screen, NAMES[5]), what="the history")
    shell.press("Escape")
    shell.until(all_say("running"), what="the boards")
    shell.press("b")
    shell.until("Roll back which partition")
    shell.press("Enter")
    shell.until("y: yes")
    shell.press("y")
    shell.until("f flashes 1.0.2", what="the earlier program, and the later one offered")


def test_tmux_hands_on_the_notice_of_a_failure_to_the_terminal_around_it(day: Day, shell: Terminal) -> None:
    settings = day.place / ".config" / "flashdeck" / "flashdeck.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[tui]\nnotify = "osc9"\n')
    shell.tmux("set-option", "-g", "allow-passthrough", "on")
    with day.daemon():
        shell.run("cd; flashdeck --virtual")
        shell.until(all_say("in DFU mode"), what="the boards")
        with shell.attached() as heard:
            day.hand(api.VirtualFault(board=NAMES[0], fault="error-erase", times=50))
            day.build("1.0.1")
            heard.until(f"\x1b]9;flashdeck: {NAMES[0]} app1: failed".encode())
        shell.until(all_say("FAILED", names=NAMES[:1]), what="the failure")
        shell.press("q")
        shell.until_given_back()


def select(shell: Terminal, name: str) -> None:
    """Moves the cursor to a board, as somebody who sees the list."""
    shell.press("g")
    shell.until(lambda screen: any("▸" in line for line in screen.splitlines()[2:3]), what="the first line")
    for _ in NAMES:
        if "▸" in row(shell.screen(), name):
            return
        before = shell.screen()
        shell.press("j")
        shell.until(lambda screen, before=before: cursor(screen) != cursor(before), what="the cursor")
    raise AssertionError(f"{name} is not in the list")


def cursor(screen: str) -> str:
    """The line that the cursor is on."""
    return next((line[:12] for line in screen.splitlines() if "▸" in line), "")
