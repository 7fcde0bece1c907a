"""A signal that comes while the daemon starts ends it, also where what it raises gets lost on the way."""

import os
import signal
import subprocess
import sys

_DAEMON = """
import asyncio, os, signal
from contextlib import suppress
from flashdeckd.signals import Signals

signals = Signals()

async def serve():
    with signals.asked() as asked:
        print(asked.to_end.is_set())

with signals.heard():
    with suppress(SystemExit):  # as a callback of the interpreter does
        os.kill(os.getpid(), int(os.environ["NUMBER"]))
    asyncio.run(serve())
"""


def said_after(number: int) -> str:
    run = subprocess.run(  # noqa: S603 -- our own words
        (sys.executable, "-c", _DAEMON),
        env={**os.environ, "NUMBER": str(number)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return run.stdout.strip()


def test_an_end_that_got_lost_while_it_started_is_not_forgotten() -> None:
    assert said_after(signal.SIGTERM) == "True"
    assert said_after(signal.SIGINT) == "True"
    assert said_after(signal.SIGUSR1) == "False"
