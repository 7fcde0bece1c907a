"""A file system with as many directories and files as a test wants, without one of them on the disk."""

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flashdeckd.host import files

Place = str | Path


@dataclass
class MadeUpFile:
    """A file that says another size than it has bytes, where a test wants that."""

    content: bytes
    size: int
    modified_at: float = 0.0


@dataclass
class MadeUpTree:
    """Stands in for `flashdeckd.host.files.system`, for reading."""

    directories: dict[str, dict[str, None]] = field(default_factory=dict[str, dict[str, None]])
    files: dict[str, MadeUpFile] = field(default_factory=dict[str, MadeUpFile])
    listed: list[str] = field(default_factory=list[str])
    read_files: list[str] = field(default_factory=list[str])
    bytes_read: Counter[str] = field(default_factory=Counter[str])
    on_listing: Callable[[], object] = lambda: None
    _open: dict[int, tuple[str, bytes]] = field(default_factory=dict[int, tuple[str, bytes]])

    def add(self, path: str, file: MadeUpFile | None = None) -> None:
        """Add a file or a directory, and those above it."""
        if file is None:
            if path in self.directories:
                return
            self.directories[path] = {}
        else:
            self.files[path] = file
        parent, _, name = path.rpartition("/")
        if parent:
            self.add(parent)
            self.directories[parent][name] = None

    def listdir(self, path: Place, /) -> list[str]:
        self.listed.append(str(path))
        self.on_listing()
        if str(path) not in self.directories:
            raise FileNotFoundError(errno.ENOENT, "no such directory", str(path))
        return list(self.directories[str(path)])

    def stat(self, path: Place, /) -> os.stat_result:
        name = str(path)
        if name in self.directories:
            return self._status(name, stat.S_IFDIR, 0, 0.0)
        file = self.files.get(name)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", name)
        return self._status(name, stat.S_IFREG, file.size, file.modified_at)

    def open(self, path: Place, _flags: int, _mode: int = 0, /) -> int:
        self.read_files.append(str(path))
        descriptor = 1000 + len(self.read_files)
        self._open[descriptor] = str(path), self.files[str(path)].content
        return descriptor

    def read(self, descriptor: int, size: int, /) -> bytes:
        name, data = self._open[descriptor]
        self._open[descriptor] = name, data[size:]
        self.bytes_read[name] += len(data[:size])
        return data[:size]

    def close(self, descriptor: int, /) -> None:
        del self._open[descriptor]

    @staticmethod
    def _status(name: str, kind: int, size: int, modified_at: float) -> os.stat_result:
        return os.stat_result((kind | 0o644, hash(name), 1, 1, 0, 0, size, 0, int(modified_at), 0))


def take_over(monkeypatch: Any, tree: MadeUpTree) -> MadeUpTree:
    """Let the daemon see this tree, and no other."""
    monkeypatch.setattr(files, "system", tree)
    return tree
