"""A process that may take no more memory than so much."""

import subprocess

from flashdeck import own_python

CODE = """
from flashdeckd.host import processes
processes.limit_memory(1 << 30)
kept = bytearray(1 << 20)
try:
    bytearray(1 << 30)
except MemoryError:
    print("no more")
"""


def test_who_asks_for_more_gets_an_error() -> None:
    run = subprocess.run(own_python.code(CODE), capture_output=True, text=True, check=False)  # noqa: S603 -- our own Python
    assert (run.stdout, run.stderr) == ("no more\n", "")
