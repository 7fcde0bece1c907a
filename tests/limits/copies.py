"""A copy of the tree, in which one mutant at a time takes the place of the product's files."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from limits.tree import ROOT


class Verdict(StrEnum):
    """The verdict of tests."""

    PASSED = "passed"
    FAILED = "failed"
    ENDLESS = "not ended in time"
    BROKEN = "not run"
    """There was no such test, or pytest could not even start."""


class Copy:
    """All files that git knows or would add, elsewhere; they are run with this Python."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.said = ""
        """The output of pytest the last time."""
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):  # noqa: S603 -- our own words
            if name and (ROOT / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, place / name)

    def with_files(self, files: Mapping[Path, str], tests: Sequence[str], *, seconds: float) -> Verdict:
        """Return what these tests say, up to the first that fails, while these files are others."""
        kept = {path: (self._place / path).read_bytes() for path in files}
        try:
            for path, text in files.items():
                (self._place / path).write_text(text)
            return self._run(tests, seconds=seconds)
        finally:
            for path, data in kept.items():
                (self._place / path).write_bytes(data)

    def _run(self, tests: Sequence[str], *, seconds: float) -> Verdict:
        rooms = os.pathsep.join(str(self._place / room) for room in ("shared", "daemon", "tui"))
        # Files that are as old and as long as those before them would be taken from the byte code of those.
        environment = {**os.environ, "PYTHONPATH": rooms, "PYTHONDONTWRITEBYTECODE": "1"}
        words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--timeout={seconds:g}", *tests]
        process = subprocess.Popen(  # noqa: S603 -- our own words
            words,
            cwd=self._place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self.said = process.communicate(timeout=2 * seconds)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Verdict.ENDLESS
        return {0: Verdict.PASSED, 1: Verdict.FAILED}.get(process.returncode, Verdict.BROKEN)
