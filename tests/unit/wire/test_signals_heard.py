"""A signal that comes while the daemon starts ends it, also where what it raises gets lost on the way."""

import os
import signal
import subprocess
import sys

from flashdeckd.signals import START_SECONDS

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


_PATIENT = """
import asyncio, os, signal
from flashdeckd.signals import Signals

async def serve(signals):
    asyncio.get_running_loop().call_later = lambda seconds, *_: print(seconds)
    with signals.asked() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        await asked.to_end.wait()

signals = Signals()
with signals.heard():
    asyncio.run(serve(signals))
"""


def test_a_start_goes_on_for_so_long_once_the_daemon_is_to_end() -> None:
    run = subprocess.run(  # noqa: S603 -- our own words
        (sys.executable, "-c", _PATIENT), capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split() == [str(START_SECONDS)]
