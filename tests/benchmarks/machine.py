"""Where the numbers come from."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from benchmarks.rows import Machine

_PACKAGES = ("flashdeck", "pyusb", "textual")


def this_machine() -> Machine:
    """What the numbers depend on."""
    versions = {"Python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    commit = _said("git", "describe", "--always", "--dirty")
    if commit:
        versions["commit"] = commit
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
        kernel=f"{platform.system()} {platform.release()}",
        versions=versions,
    )


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _said(*words: str) -> str:
    """The first line that a program says; "" where it is not there or fails."""
    if shutil.which(words[0]) is None:
        return ""
    ended = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)  # noqa: S603 -- our own words
    return ended.stdout.partition("\n")[0].strip() if ended.returncode == 0 else ""
