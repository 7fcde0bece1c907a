"""The leftovers of a program that was to clean up after itself, and what one has open: read of the kernel."""

import os
from contextlib import suppress
from pathlib import Path


def left_behind(place: Path) -> list[str]:
    """Files in `place`/tmp, and the command lines of processes that name `place`."""
    found = [str(path) for path in (place / "tmp").iterdir()]
    return found + [words for process in _processes() if str(place) in (words := _read(process / "cmdline"))]


def processes_with(variable: str, value: str) -> list[str]:
    """The names of all processes that were started with an environment variable."""
    wanted = f"\0{variable}={value}\0"
    return [
        _read(process / "comm").strip() for process in _processes() if wanted in f"\0{_read(process / 'environ')}\0"
    ]


def open_files(pid: int) -> list[str]:
    """The names of the files that a process has open; it may close some of them meanwhile."""
    found: list[str] = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return found


def _processes() -> list[Path]:
    return list(Path("/proc").glob("[0-9]*"))


def _read(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes())
    except OSError:
        return ""  # it ended while we looked
