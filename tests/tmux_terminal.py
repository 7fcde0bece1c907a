"""A real terminal to run programs in: a tmux server of its own with one pane, read as text and typed into."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from needed_tools import need

PATIENCE = 60.0
"""Seconds until what is awaited has to be on the screen; a test that gets near it is broken, not slow."""
LOOK_AGAIN = 0.1
PROMPT = "ready>"


class Terminal:
    """A shell on a terminal. `home` holds the server's socket; `variables` are the shell's whole environment."""

    def __init__(self, home: Path, variables: Mapping[str, str], *, columns: int = 80, lines: int = 24) -> None:
        (home / "shrc").write_text(f"PS1='{PROMPT} '\n")
        self._environment = {**variables, "TMUX_TMPDIR": str(home), "ENV": str(home / "shrc")}
        self._size = ("-x", str(columns), "-y", str(lines))
        self.open = False

    def start(self) -> None:
        """Starts server and shell, and waits for the prompt."""
        self.tmux("new-session", "-d", *self._size, "sh")
        self.open = True
        self.until(PROMPT)

    def tmux(self, *words: str) -> str:
        """Asks the server for something; what it answers."""
        answer = subprocess.run(  # noqa: S603 - our own words
            ["tmux", "-L", "test", "-f", "/dev/null", *words],  # noqa: S607 - found on PATH, as a user finds it
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def fact(self, name: str) -> str:
        """One of tmux's formats, as `alternate_on`."""
        return self.tmux("display-message", "-p", f"#{{{name}}}").strip()

    def is_given_back(self) -> bool:
        """True if the terminal is as a shell wants it: its own screen, a cursor, no mouse."""
        return [self.fact(name) for name in ("alternate_on", "cursor_flag", "mouse_any_flag")] == ["0", "1", "0"]

    def until_given_back(self, title: str | None = None) -> str:
        """The first screen with a shell's prompt at its end, once the terminal is as a shell wants it.

        With `title`, the title of the terminal is that, too.
        """
        return self.until(
            lambda screen: (
                screen.rstrip().rpartition("\n")[2] == PROMPT
                and self.is_given_back()
                and title in (None, self.fact("pane_title"))
            ),
            what="the shell, with its terminal as it was",
        )

    def screen(self) -> str:
        """What is on the screen."""
        return self.tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Types keys by tmux's names of them."""
        self.tmux("send-keys", *keys)

    def run(self, line: str) -> None:
        """Types a command line."""
        self.tmux("send-keys", "-l", line)
        self.press("Enter")

    def until(self, wanted: str | Callable[[str], object], *, what: str = "") -> str:
        """The first screen which has the text `wanted`, or of which `wanted` is true."""
        deadline = time.monotonic() + PATIENCE
        while True:
            screen = self.screen()
            if wanted in screen if isinstance(wanted, str) else wanted(screen):
                return screen
            if time.monotonic() > deadline:
                pytest.fail(f"not seen within {PATIENCE:g} s: {what or wanted}\n{screen}")
            time.sleep(LOOK_AGAIN)

    @contextmanager
    def attached(self) -> Generator["Heard"]:
        """Let somebody look at the terminal for the length of a block, in a terminal of his own; what that is sent."""
        ours, theirs = pty.openpty()
        environment = {**self._environment, "TERM": "xterm-256color"}
        words = ("tmux", "-L", "test", "attach-session")
        client = subprocess.Popen(words, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)  # noqa: S603 - our own words
        os.close(theirs)
        try:
            self.until(lambda _: self.tmux("list-clients"), what="whoever looks")  # before that nothing is sent to it
            yield Heard(ours)
        finally:
            client.terminate()
            client.wait(PATIENCE)
            os.close(ours)

    def close(self) -> None:
        """Ends the server and with it the terminal, as whoever closes its window."""
        self.tmux("kill-server")
        self.open = False


class Heard:
    """The bytes that a terminal around the one of tmux is sent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._heard = b""

    def until(self, wanted: bytes) -> None:
        """Waits for some bytes."""
        deadline = time.monotonic() + PATIENCE
        while wanted not in self._heard:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                pytest.fail(f"not heard within {PATIENCE:g} s: {wanted!r}\n{self._heard[-2000:]!r}")
            self._heard += os.read(self._descriptor, 65536)


def at_home(home: Path) -> dict[str, str]:
    """Return the variables of somebody with this home, who finds this flashdeck and nothing of the user's own."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "LANG": "C.UTF-8",
    }


@contextmanager
def terminal(home: Path, variables: Mapping[str, str] = os.environ, **size: int) -> Generator[Terminal]:
    """A terminal for the length of a block; needs tmux, and says so."""
    need("tmux", packages="tmux")
    made = Terminal(home, variables, **size)
    try:
        made.start()
        yield made
    finally:
        if made.open:
            made.close()
