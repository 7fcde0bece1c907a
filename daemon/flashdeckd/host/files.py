"""Files and directories: each function that changes one is a step behind which the power may fail.

A simulation sets `system` to one that takes the same steps and keeps a log of those that change something: from it
every state can be built in which a power cut may leave the disk. Globs and links are looked up in the real tree, and
what SQLite does with the journal's file does not pass here.
"""

import contextlib
import errno
import glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

Place = str | Path
Status = os.stat_result
_PRIVATE = 0o600
_PIECE = 1024 * 1024


class FileSystem(Protocol):
    """The system calls of the same names; all raise OSError."""

    def open(self, path: Place, flags: int, mode: int = ..., /) -> int: ...
    def close(self, fd: int, /) -> None: ...
    def read(self, fd: int, size: int, /) -> bytes: ...
    def pread(self, fd: int, size: int, offset: int, /) -> bytes: ...
    def write(self, fd: int, data: bytes, /) -> int: ...
    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int: ...
    def ftruncate(self, fd: int, size: int, /) -> None: ...
    def fsync(self, fd: int, /) -> None: ...
    def fstat(self, fd: int, /) -> Status: ...
    def stat(self, path: Place, /) -> Status: ...
    def lstat(self, path: Place, /) -> Status: ...
    def access(self, path: Place, mode: int, /) -> bool: ...
    def readlink(self, path: Place, /) -> Place: ...
    def statvfs(self, path: Place, /) -> os.statvfs_result: ...
    def listdir(self, path: Place, /) -> list[str]: ...
    def mkdir(self, path: Place, mode: int = ..., /) -> None: ...
    def replace(self, source: Place, target: Place, /) -> None: ...
    def unlink(self, path: Place, /) -> None: ...
    def chmod(self, path: Place, mode: int, /) -> None: ...
    def chown(self, path: Place, uid: int, gid: int, /) -> None: ...


system: FileSystem = os


# Open files, by their descriptors. No child process gets one. All raise OSError.


def open_to_read(path: Place, *, follow: bool = True, wait: bool = False) -> int:
    """Open a file to read it. Without `follow` a link at its name is refused.

    Waits for a FIFO or a device only with `wait`, which is for a thread that may be left behind.
    """
    flags = os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC
    if not wait:
        flags |= os.O_NONBLOCK
    return system.open(path, flags if follow else flags | os.O_NOFOLLOW)


def open_to_ask(directory: Place) -> int:
    """Open a directory only to ask where it is, which needs no permission to read it."""
    return system.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def open_to_change(path: Place, *, follow: bool = True) -> int:
    """Open a file to read and write it; where there is none, make an empty one for its owner only."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    return system.open(path, flags if follow else flags | os.O_NOFOLLOW, _PRIVATE)


def open_to_append(path: Place) -> int:
    """Open a file that is there, and no link, to write at its end."""
    return system.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)


def create(path: Place) -> int:
    """Make a new file for its owner only, to write at its end. Raises FileExistsError where there is anything."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return system.open(path, flags, _PRIVATE)


def close(descriptor: int) -> None:
    """Close an open file; a network's disk may say only here that it is full."""
    system.close(descriptor)


def read(descriptor: int, size: int) -> bytes:
    """Return the next bytes of an open file, at most `size`; none at its end."""
    return system.read(descriptor, size)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Return bytes of an open file from `offset` on, at most `size`."""
    return system.pread(descriptor, size, offset)


def write(descriptor: int, data: bytes) -> None:
    """Write all of `data`."""
    while written := system.write(descriptor, data):
        if written == len(data):
            return
        data = data[written:]  # the next one says what is wrong
    if data:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def rewrite(descriptor: int, data: bytes) -> None:
    """Make the few bytes `data` all that an open file contains."""
    system.ftruncate(descriptor, 0)
    system.pwrite(descriptor, data, 0)


def sync(descriptor: int) -> None:
    """Return once what was written to an open file is on the disk."""
    system.fsync(descriptor)


def open_status(descriptor: int) -> Status:
    """Return what is known of an open file."""
    return system.fstat(descriptor)


# Files by their names. Those that return a bool never raise: what cannot be looked at is not there.


def status(path: Place) -> Status:
    """Return what is known of a file, links followed. Raises OSError."""
    return system.stat(path)


def link_status(path: Place) -> Status:
    """Return what is known of a file, or of the link at its name. Raises OSError."""
    return system.lstat(path)


def identity(found: Status) -> tuple[int, int]:
    """Return what no other file has that is there at the same time."""
    return found.st_dev, found.st_ino


def device_number(found: Status) -> tuple[int, int]:
    """Return major and minor number of the device that a node stands for."""
    return os.major(found.st_rdev), os.minor(found.st_rdev)


def exists(path: Place) -> bool:
    """Return whether there is anything, links followed."""
    return _mode(path) != 0


def is_file(path: Place) -> bool:
    """Return whether there is a regular file, links followed."""
    return stat.S_ISREG(_mode(path))


def is_directory(path: Place) -> bool:
    """Return whether there is a directory, links followed."""
    return stat.S_ISDIR(_mode(path))


def is_socket(path: Place) -> bool:
    """Return whether there is a socket at `path`."""
    return stat.S_ISSOCK(_mode(path))


def is_link(path: Place) -> bool:
    """Return whether there is a symbolic link."""
    return stat.S_ISLNK(_link_mode(path))


def is_named(path: Place) -> bool:
    """Return whether there is anything at that name, even a link that leads nowhere."""
    return _link_mode(path) != 0


def is_at(path: Place, descriptor: int) -> bool:
    """Return whether `path` names the file that is open as `descriptor`, and no link to it."""
    try:
        return os.path.samestat(system.lstat(path), system.fstat(descriptor))
    except (OSError, ValueError):
        return False


def is_open_to_us(path: Place) -> bool:
    """Return whether we may read and write a file."""
    return system.access(path, os.R_OK | os.W_OK)


def is_readable(path: Place) -> bool:
    """Return whether we may read a file."""
    return system.access(path, os.R_OK)


def is_readable_directory(path: Place) -> bool:
    """Return whether we may list a directory, and reach what is in it."""
    return system.access(path, os.R_OK | os.X_OK)


def target(link: Place) -> str:
    """Return what a symbolic link says. Raises OSError."""
    return str(system.readlink(link))


def real_path(path: Place) -> Path:
    """Return `path` from the root on, without any link in it."""
    return Path(os.path.realpath(path))


def free_bytes(path: Place) -> int:
    """Return how many bytes an ordinary user may still write to the file system of a path."""
    found = system.statvfs(path)
    return found.f_bavail * found.f_frsize


def names(directory: Place) -> list[str]:
    """Return what is in a directory, sorted. Raises OSError."""
    return sorted(system.listdir(directory))


def is_pattern(path: str) -> bool:
    """Return whether `path` has any character that means something in a glob."""
    return glob.has_magic(path)


def matching(pattern: str) -> Iterator[str]:
    """Return all paths that a glob stands for, in any order; `**` for directories of any depth.

    A directory that cannot be read has nothing in it.
    """
    return glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.rglob treats dot files and links differently


def contents(path: Place, limit: int | None = None, *, wait: bool = False) -> bytes:
    """Return the bytes of a file, at most the first `limit`; `wait` as for `open_to_read`. Raises OSError."""
    descriptor = open_to_read(path, wait=wait)
    try:
        data = bytearray()
        while piece := system.read(descriptor, _PIECE if limit is None else min(_PIECE, limit - len(data))):
            data += piece
        return bytes(data)
    finally:
        system.close(descriptor)


def make_directory(path: Path, mode: int = 0o777, *, parents: bool = True) -> None:
    """Make a directory, and those above it, where they are missing; on return they are on the disk.

    `mode` is that of the last. Raises OSError.
    """
    try:
        system.mkdir(path, mode)
    except FileNotFoundError:
        if path.parent == path or not parents:
            raise
        make_directory(path.parent)
        make_directory(path, mode)
    except OSError:
        if not is_directory(path):  # no matter which error: some systems refuse before they look
            raise
    else:
        with contextlib.suppress(PermissionError):  # one that we may write to, but not read, cannot be synced
            sync_directory(path.parent)


def rename(source: Place, target: Place) -> None:
    """Give a file the name `target`, in one step; one that had it is gone. Raises OSError."""
    system.replace(source, target)


def remove(path: Place) -> None:
    """Remove a file, if it is there. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        system.unlink(path)


def make_link(target: Place, link: Place) -> None:
    """Make a symbolic link. Raises OSError, also where anything has that name."""
    os.symlink(target, link)  # noqa: PTH211 - links are looked up in the real tree


def close_to_others(path: Place) -> None:
    """Let only its owner read and write a file. Raises OSError."""
    system.chmod(path, _PRIVATE)


def change_mode(path: Place, mode: int) -> None:
    """Let others do with a file what `mode` says. Raises OSError."""
    system.chmod(path, mode)


def give_to_group(path: Place, group: int) -> None:
    """Let a file be of a group, by its number; its owner stays. Raises OSError."""
    system.chown(path, -1, group)


def sync_directory(path: Place) -> None:
    """Return once new names in a directory are on the disk, too. Raises OSError."""
    descriptor = system.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        system.fsync(descriptor)
    finally:
        system.close(descriptor)


def sync_what_is_left(directory: Path) -> None:
    """Let a directory be on the disk as an earlier process has left it, which may have been killed before its sync.

    Where that cannot be, whoever writes there says so.
    """
    with contextlib.suppress(OSError):
        sync_directory(directory)


def _mode(path: Place) -> int:
    try:
        return system.stat(path).st_mode
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return 0


def _link_mode(path: Place) -> int:
    try:
        return system.lstat(path).st_mode
    except (OSError, ValueError):
        return 0
