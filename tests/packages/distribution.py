"""Makes wheel and sdist from copies of the tree, and fetches what pip will want to install with them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from packages.workshop import Workshop

ROOT = Path(__file__).resolve().parents[2]
OLDER = "0.0.9"
"""The version of a release before this one, from the same tree."""
BUILD_WITH = ("hatchling>=1.27,<2", "hatch-fancy-pypi-readme>=24.1,<26", "editables")
_VERSION = re.compile(r'^((?:__version__|version) = )"[^"]*"', re.MULTILINE)
_PROGRAMS = ("uv", "uvx", "pipx")


def build_all(workshop: Workshop) -> None:
    """Make what the suite needs, before it runs in several processes."""
    copy_sources(workshop.clone)
    build(workshop.clone, workshop.root / "dist", "sdist", "wheel")
    older = workshop.root / "older sources"
    copy_sources(older)
    for name in ("pyproject.toml", "shared/flashdeck/__init__.py"):
        text = (older / name).read_text()
        (older / name).write_text(_VERSION.sub(rf'\1"{OLDER}"', text, count=1))
    build(older, workshop.root / "older", "wheel")
    workshop.programs.mkdir()
    for name in _PROGRAMS:
        (workshop.programs / name).symlink_to(Path(sys.executable).with_name(name))
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(workshop.wheels)]
    run([*words, f"{workshop.wheel}[daemon,tui,web,console,metrics]", "pip", *BUILD_WITH], cwd=workshop.root)
    for wheel in workshop.wheels.glob("flashdeck-*"):
        wheel.unlink()


def copy_sources(place: Path, *, mode: int = 0o644) -> None:
    """Copy the tree as it is on disk, without what git ignores; files that are no programs get `mode`."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, place / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else mode)


def build(tree: Path, place: Path, *targets: str, umask: int = -1) -> None:
    """Build in a tree, with the backend that is installed here."""
    kinds = [word for target in targets for word in ("--target", target)]
    words = [sys.executable, "-m", "hatchling", "build", "--directory", str(place), *kinds]
    run(words, cwd=tree, umask=umask)


def run(words: list[str], *, cwd: Path, umask: int = -1) -> None:
    ended = subprocess.run(words, cwd=cwd, umask=umask, capture_output=True, text=True, check=False, timeout=900)
    if ended.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
