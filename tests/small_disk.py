"""A disk with little room, below what the daemon does with files (not below SQLite)."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from flashdeckd.host import files


class SmallDisk:
    """The file system of the operating system, but that what lies in one directory may have only so many bytes."""

    def __init__(self, root: Path, size: int) -> None:
        self.root = root
        self.size = size
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @property
    def used(self) -> int:
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    def write(self, fd: int, data: bytes, /) -> int:
        if self.used + len(data) > self.size:
            self.refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(fd, data)


def small_disk(monkeypatch: pytest.MonkeyPatch, root: Path, size: int) -> SmallDisk:
    """Put a small disk below the daemon."""
    disk = SmallDisk(root, size)
    monkeypatch.setattr(files, "system", disk)
    return disk
