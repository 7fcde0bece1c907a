"""`make vm-test`: the suite of the virtual machine, in one boot.

From the environment: TESTS are words for pytest, REV a commit to test instead of the tree as it is on disk, RESULTS the
directory for logs and results; with FLASHDECK_REQUIRE_VM=1 it fails where the machine lacks something, else it skips.
"""

import os
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from vm.kernel import MissingError, cached_kernel
from vm.machine import RESULTS, boot, check_host
from vm.tree import ROOT, snapshot

SECONDS = 2700
"""Limit of the whole suite: some quarter of an hour on a quiet machine with two cores, more where others share it."""
_PYTEST = (
    str(ROOT / ".venv/bin/python"),
    "-m",
    "pytest",
    "-c",
    "tests/vm/pytest.ini",
    f"--junitxml={RESULTS}/junit.xml",
    "tests/vm/suite",
)


def main() -> int:
    revision, tests = os.environ.get("REV", ""), os.environ.get("TESTS", "")
    results = Path(os.environ.get("RESULTS") or ROOT / "build" / "vm").resolve()
    signal.signal(signal.SIGTERM, stop)
    try:
        check_host()
        kernel = cached_kernel()
    except MissingError as missing:
        required = os.environ.get("FLASHDECK_REQUIRE_VM") == "1"
        say(f"{'failed' if required else 'skipped'}: {missing}")
        return 1 if required else 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="flashdeck-tree-") as scratch:
        tree = Path(scratch, "tree")
        snapshot(tree, revision)
        command = [*_PYTEST, *shlex.split(tests)]
        ended = boot(command, kernel=kernel, tree=tree, results=results, seconds=SECONDS)
    say(f"{time.monotonic() - started:.0f} s; logs are in {ended.results}")
    if ended.status is None:
        say("the guest did not get to its end")
    return 1 if ended.status is None else ended.status


def stop(number: int, _: FrameType | None) -> None:
    """Lets what was started be stopped."""
    sys.exit(128 + number)


def say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


if __name__ == "__main__":
    sys.exit(main())
