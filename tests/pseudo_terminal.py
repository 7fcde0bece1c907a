"""A pseudo-terminal that a test holds the other end of: it reads what is drawn, or does not, types, and hangs up."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping

PATIENCE = 60.0
"""Seconds that bound a broken test."""
_DRAWINGS = 80
"""More than terminal and queue take, of a screen of 60 lines."""
_LEADER = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if sys.argv[1] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Takes the terminal as its own, so that it is sent SIGHUP when that closes, and becomes what is to run."""
_PROGRAM = ("-c", "import sys; from flashdeck_tui.cli import main; sys.exit(main())")


class OnTerminal:
    """The command line with these words on a terminal, its session leader."""

    def __init__(
        self,
        *words: str,
        ignore_hangup: bool = False,
        columns: int = 80,
        lines: int = 24,
        python: tuple[str, ...] = (),
        installed: tuple[str, Mapping[str, str]] | None = None,
        **variables: str | None,
    ) -> None:
        """`python` are options of the interpreter, `variables` of the environment; None takes one away.

        `installed` is another command line than ours, and its whole environment.
        """
        self.seen = b""
        self._leader, follower = pty.openpty()
        self._size(columns, lines)
        program, inherited = installed or (sys.executable, os.environ)
        options = () if installed else (*python, *_PROGRAM)
        environment: Mapping[str, str | None] = {**inherited, "TERM": "xterm-256color", **variables}
        self.process = subprocess.Popen(  # noqa: S603 - ours
            (sys.executable, "-c", _LEADER, "nohup" if ignore_hangup else "", program, *options, *words),
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            env={name: value for name, value in environment.items() if value is not None},
        )
        os.close(follower)

    def until(self, text: bytes) -> None:
        """Reads until `text` was drawn."""
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            assert self.reads(end - time.monotonic()), self.seen

    def reads(self, seconds: float) -> bool:
        """Reads what comes within so many seconds; False once the other side has ended."""
        try:
            if select.select([self._leader], [], [], max(0.0, seconds))[0]:
                self.seen += os.read(self._leader, 65536)
        except OSError:  # EIO
            return False
        return True

    def types(self, keys: bytes) -> None:
        os.write(self._leader, keys)

    def stalls(self) -> None:
        """Lets it draw again and again, and reads nothing of it: it waits to write in the end."""
        for turn in range(_DRAWINGS):
            self._size(200, 60 + turn % 2)
            time.sleep(0.02)  # so that it draws for each; nobody can see from outside what it waits for

    def rest(self) -> str:
        """All that it said, once it has ended."""
        while self.reads(PATIENCE):
            pass
        return self.seen.decode()

    def close(self) -> None:
        """Hangs up."""
        if self._leader >= 0:
            os.close(self._leader)
            self._leader = -1

    def ended(self) -> int:
        """The exit code; fails where the process does not end."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            raise AssertionError("it outlived its terminal") from None

    def _size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
