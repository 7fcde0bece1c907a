"""The page of the slots on a real terminal: units come and go, and everybody sees what became of them."""

import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

import flashdeck
from flashdeck import api
from rig import board, firmware, prepare
from slot_line import only_app1
from tmux_terminal import Terminal, at_home, terminal

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

DAEMON: Final = ("flashdeckd", "--config", "config.toml", "--virtual", "bench.toml")
SLOTS: Final = ("jig-1", "jig-2")
LARGE: Final = "██████  ██████  ██████  ██████"
"""The first line of the word in large letters."""


@contextmanager
def line_of_two(place: Path, variables: dict[str, str]) -> Generator[None]:
    """A daemon with two slots, whose ports are empty."""
    slots = "".join(f'[slots.{name}]\nprofile = "product"\nport = "1-{at}"\n' for at, name in enumerate(SLOTS, 1))
    prepare(place, boards=slots, bench="".join(board(name, at, plugged=False) for at, name in enumerate(SLOTS, 1)))
    only_app1(place)
    (place / "build").mkdir()
    with (place / "daemon.log").open("wb") as log:
        process = subprocess.Popen(DAEMON, env=variables, cwd=place, stdout=log, stderr=log)  # noqa: S603 - ours
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def test_units_come_and_go_and_are_seen() -> None:
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as name:
        place = Path(name)
        variables = at_home(place) | {"TMPDIR": str(place)}
        with line_of_two(place, variables), terminal(place, variables) as shell:
            title = shell.fact("pane_title")
            shell.run("clear; flashdeck --virtual")
            shell.until(lambda screen: all(slot in screen for slot in SLOTS), what="the slots among the boards")
            (place / "build" / "APP1.bin").write_bytes(firmware("1.0.2"))
            with flashdeck.connect(place / "run" / "flashdeck-virtual" / "flashdeckd.sock") as bench:
                watch(shell, bench)
            shell.press("4")
            shell.until(lambda screen: "back" not in screen.splitlines()[0], what="the boards again")
            shell.press("q")
            shell.until_given_back(title)


def watch(shell: Terminal, bench: flashdeck.Bench) -> None:
    """One unit passes, one is broken, and help explains the key."""
    shell.press("4")
    shell.until(lambda screen: "2 slots" in screen and "2 empty" in screen, what="the page of the slots")
    bench.call(api.VirtualSwap(board="jig-1", serial="336E36833233"))
    shell.until(lambda screen: LARGE in screen and "jig-1 336E36833233" in screen, what="PASS in large letters")
    bench.call(api.VirtualSwap(board="jig-2", serial="336E36833233", fault="error-write"))
    shell.until(lambda screen: "1 FAIL" in screen, what="a unit that failed")
    shell.until("jig-2 336E36833233: write of")
    shell.press("?")
    shell.until("help (Esc: close)")
    shell.press("Escape")
    shell.until(lambda screen: "2 slots" in screen, what="the page again")
    bench.call(api.VirtualUnplug(boards=SLOTS))
    shell.until(lambda screen: "2 empty" in screen, what="empty ports")
