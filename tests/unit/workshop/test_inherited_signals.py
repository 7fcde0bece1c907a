"""The processes that a test starts hear SIGHUP and SIGINT, also where tests run by nohup or behind a script."""

import subprocess
import sys
from pathlib import Path

import inherited_signals

STARTED = """
import signal, subprocess, sys
for number in (signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
from inherited_signals import heard_again
if sys.argv[1] == "again":
    heard_again()
    signal.raise_signal(signal.SIGHUP)
child = "import signal; print(signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
subprocess.run([sys.executable, "-c", child], check=True)
"""


def said(what: str) -> str:
    run = subprocess.run(  # noqa: S603 -- our own words
        [sys.executable, "-c", STARTED, what],
        cwd=Path(inherited_signals.__file__).parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return run.stdout.strip()


def test_what_is_started_heeds_them_again() -> None:
    assert said("not") == "1 True", "it would ignore them"
    assert said("again") == "0 False"
