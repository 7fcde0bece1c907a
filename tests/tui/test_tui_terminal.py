"""The process as a whole on a real pseudo-terminal: refusing, drawing, and ending with its terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flashdeck_tui import terminal

RUN = "import sys; from pathlib import Path; from flashdeck_tui.app import run; sys.exit(run(Path(sys.argv[1])))"
PATIENCE = 60.0
"""Seconds that bound a broken test."""


class OnTerminal:
    """The application on a pseudo-terminal, its session leader."""

    def __init__(self, *, ignore_hangup: bool = False, columns: int = 80, lines: int = 24) -> None:
        self.seen = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            if ignore_hangup:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.execve(  # noqa: S606 - no shell is wanted
                sys.executable,
                (sys.executable, "-c", RUN, "/nowhere/s"),
                os.environ | {"TERM": "xterm-256color", "LINES": str(lines), "COLUMNS": str(columns)},
            )

    def until(self, text: bytes) -> None:
        """Reads until `text` was drawn."""
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, self.seen
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError as error:  # EIO: the other side ended
                    raise AssertionError(self.seen) from error

    def close(self) -> None:
        os.close(self.master)

    def ended(self) -> int:
        """The exit code; fails where the process does not end."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)  # another process ends: there is nothing to wait on that has a time limit
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError("the application outlived its terminal")


@pytest.mark.parametrize("signalled", [True, False])
def test_it_ends_with_129_when_its_terminal_goes(signalled: bool) -> None:
    app = OnTerminal(ignore_hangup=not signalled)
    app.until(b"start it: flashdeckd --socket /nowhere/s")
    app.close()
    assert app.ended() == 129


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143)])
def test_it_ends_on_a_signal_and_puts_the_terminal_back(number: signal.Signals, code: int) -> None:
    app = OnTerminal()
    app.until(b"start it:")
    os.kill(app.pid, number)
    app.until(b"\x1b[?1049l")
    assert app.ended() == code
    app.close()


def test_it_quits_with_0_and_puts_the_terminal_back() -> None:
    app = OnTerminal()
    app.until(b"start it:")
    os.write(app.master, b"q")
    app.until(b"\x1b[?1049l")
    assert app.ended() == 0
    app.close()


def test_the_first_screen_of_a_small_terminal_has_all_keys() -> None:
    app = OnTerminal(columns=60, lines=20)
    app.until(b"start it:")
    app.until(b"Quit")
    os.write(app.master, b"q")
    assert app.ended() == 0
    app.close()


@pytest.mark.parametrize("where", ["pipe", "null"])
def test_it_refuses_politely_without_a_terminal(where: str, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - this interpreter
        (sys.executable, "-c", RUN, str(tmp_path / "s")),
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


def test_what_is_missing_is_named() -> None:
    said = terminal.refusal(lambda number: number != 2)
    assert said is not None
    assert said.startswith("flashdeck: stderr is no terminal, so there is nowhere to draw the screen")
    assert "stdin and stderr are no terminals" in (terminal.refusal(lambda _: False) or "")
    assert terminal.refusal(lambda _: True) is None
