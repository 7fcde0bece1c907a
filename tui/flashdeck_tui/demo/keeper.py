"""A process that keeps the demo's directory and daemon, and takes both down once the demo has ended, however it did.

It is run by its path, by an interpreter that is isolated: nothing but the standard library is imported. The demo
holds the other end of its stdin; both sides speak JSON, one value a line. The keeper says the path of the new
directory. The first line that it is told is the daemon's command line, a second one ends the daemon, and it says the
exit status once the daemon has ended. When stdin is closed, daemon and directory go, and so does the keeper.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

LOG = "daemon.log"
"""The file with what the daemon prints, in the directory."""
PREFIX = "flashdeck-demo-"
STOP_WITHIN = 20.0
"""Seconds until the daemon has to be gone after SIGTERM; it may finish the block that it is writing."""
REMOVALS = 50
"""Attempts to remove the directory: a compiler that nobody waits for any more may still write into it."""
REMOVAL_PAUSE = 0.2
"""Seconds between two of them."""


def keep(parent: str) -> None:
    """Do all of it, with a directory in `parent`."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)  # whoever ends all of us ends the demo, and it tells us
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)).resolve()
    try:
        _say(str(directory))
        words = sys.stdin.readline()
        if words:
            _run(json.loads(words), directory / LOG)
    finally:
        remove(directory)


def _run(words: list[str], log: Path) -> None:
    """Run the daemon until it ends or is to end, and return once the demo has ended."""
    ended = threading.Event()
    with (
        log.open("wb") as output,
        subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as daemon,  # noqa: S603 - ours
    ):
        asked = threading.Thread(target=end_when_asked, args=(daemon, ended))
        asked.start()
        status = daemon.wait()
        ended.set()
    _say(status)
    asked.join()
    sys.stdin.read()


def end_when_asked(daemon: "subprocess.Popen[bytes]", ended: threading.Event) -> None:
    """End the daemon as soon as the demo asks for it, or has itself ended."""
    sys.stdin.readline()  # returns, too, when the other end is closed, by whatever ended the demo
    daemon.terminate()
    if not ended.wait(STOP_WITHIN):
        daemon.kill()


def _say(value: object) -> None:
    with contextlib.suppress(OSError):  # a demo that has gone needs no answer
        os.write(sys.stdout.fileno(), f"{json.dumps(value)}\n".encode())


def remove(directory: Path) -> None:
    """Remove the directory with all that is in it."""
    pause = threading.Event()
    for _ in range(REMOVALS):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        pause.wait(REMOVAL_PAUSE)


if __name__ == "__main__":
    keep(sys.argv[1])
