"""`make vm-test`: the suite of the virtual machine, in one boot."""

import argparse
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

SECONDS = 900
"""Limit of the whole suite."""
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
    parser = argparse.ArgumentParser(prog="make vm-test", description=__doc__)
    parser.add_argument("--revision", default="", help="a commit to test; else the tree as it is on disk")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "vm", help="where logs and results go")
    parser.add_argument("--tests", default="", help="words for pytest")
    options = parser.parse_args()
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
        snapshot(tree, options.revision)
        command = [*_PYTEST, *shlex.split(options.tests)]
        ended = boot(command, kernel=kernel, tree=tree, results=options.results.resolve(), seconds=SECONDS)
    say(f"{time.monotonic() - started:.0f} s; logs are in {ended.results}")
    if ended.status is None:
        say("the guest did not get to its end")
    return 1 if ended.status is None else ended.status


def stop(number: int, _: FrameType | None) -> None:
    """Lets what was started be stopped."""
    sys.exit(128 + number)


def say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


sys.exit(main())
