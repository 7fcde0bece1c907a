"""A copy of the source tree, because nobody may edit files under a running guest, and it should run what was there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_SOURCE = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "build", "dist")
_COMPILED = ("shared", "daemon", "tui", "tests")


def snapshot(place: Path, revision: str = "") -> None:
    """Copies the tree as it is on disk, or as it is in a `revision` of git, to `place`, and compiles it there.

    The guest's own byte code would be lost at its end, and compiling takes it long.
    """
    if revision:
        place.mkdir()
        packed = place.with_suffix(".tar")
        words = ["git", "-C", str(ROOT), "archive", "-o", str(packed), revision]
        subprocess.run(words, check=True, timeout=60)  # noqa: S603 -- our words, no shell
        shutil.unpack_archive(packed, place, filter="data")
    else:
        shutil.copytree(ROOT, place, symlinks=True, ignore=_NOT_SOURCE)
    (place / ".venv").mkdir()
    trees = [*(str(place / name) for name in _COMPILED), str(ROOT / ".venv")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [sys.executable, "-m", "compileall", "-q", "-j", "0"]
    subprocess.run([*words, *trees], env=kept, check=False, capture_output=True, timeout=300)  # noqa: S603 -- our interpreter; a package may bring files that are no Python of this version
