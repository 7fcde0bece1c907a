"""A disk that is full for as long as a file is there, below what the daemon does with files (not below SQLite)."""

import errno
import os
from pathlib import Path
from typing import Any


class FullDisk:
    """The file system of the operating system, but that nothing fits into `directory` while there is a file `flag`.

    It becomes full in the middle of what is written: half of that fits, then half of the rest, and then nothing.
    """

    def __init__(self, directory: Path, flag: Path) -> None:
        self._directory = directory.resolve()
        self._flag = flag

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, fd: int, data: bytes, /) -> int:
        return os.write(fd, self._fitting(fd, data))

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        return os.pwrite(fd, self._fitting(fd, data), offset)

    def _fitting(self, fd: int, data: bytes) -> bytes:
        if not self._flag.exists() or not Path(f"/proc/self/fd/{fd}").readlink().is_relative_to(self._directory):
            return data
        if len(data) < 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return data[: len(data) // 2]
