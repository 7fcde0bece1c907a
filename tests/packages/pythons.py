"""The Pythons of this machine that flashdeck runs on."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 11)
_NEWEST_THOUGHT_OF = 20
_NAME = re.compile(r"python3\.(\d+)", re.ASCII)
_TELL = "import sys, venv; print('%d.%d' % sys.version_info[:2])"


def pythons() -> dict[str, Path]:
    """Return an interpreter for each version that is here, the oldest first; they are looked for, never fetched."""
    found: dict[str, Path] = {}
    for path in (Path(sys.executable), *_candidates()):
        try:
            asked = subprocess.run([path, "-c", _TELL], capture_output=True, text=True, check=False, timeout=30)
        except OSError:
            continue
        version = asked.stdout.strip()
        if asked.returncode == 0 and _number(version) >= OLDEST:
            found.setdefault(version, path)
    return dict(sorted(found.items(), key=lambda each: _number(each[0])))


def _candidates() -> Iterator[Path]:
    for minor in range(OLDEST[1], _NEWEST_THOUGHT_OF):
        if path := shutil.which(f"python3.{minor}"):
            yield Path(path)
    if shutil.which("pyenv"):  # its programs on PATH are only those of the versions that are switched on
        asked = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False, timeout=30)
        for path in sorted(Path(asked.stdout.strip(), "versions").glob("*/bin/python3.*")):
            if _NAME.fullmatch(path.name):
                yield path


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
