"""From the start of the screen to its first picture with the bench in it, on a real pseudo-terminal."""

import asyncio
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
from pathlib import Path

from benchmarks.desk import BOARD, desk
from benchmarks.rows import Measure, Row, Unit
from rig import WAIT_SECONDS

_CLI = Path(sys.executable).with_name("flashdeck")
_LINES, _COLUMNS = 24, 80


async def row(repeats: int) -> Row:
    """Until the name of the board was drawn."""
    async with desk() as rig:
        taken = [await asyncio.to_thread(_milliseconds, rig.socket) for _ in range(repeats)]
    return Row(what="screen's start to its first picture", measure=Measure.median(taken, Unit.MILLISECONDS))


def _milliseconds(socket: Path) -> float:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    started = time.monotonic()
    words = (str(_CLI), "--socket", str(socket))
    environment = os.environ | {"TERM": "xterm-256color"}
    screen = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, process_group=0)  # noqa: S603 -- our own program
    os.close(theirs)
    try:
        _until_drawn(ours, BOARD.encode(), started + WAIT_SECONDS)
        return (time.monotonic() - started) * 1000
    finally:
        screen.send_signal(signal.SIGTERM)
        os.close(ours)
        screen.wait(WAIT_SECONDS)


def _until_drawn(terminal: int, text: bytes, deadline: float) -> None:
    seen = b""
    while text not in seen:
        if not select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError(f"not drawn: {text!r}")
        seen += os.read(terminal, 65536)
