"""The disk of the simulation: a real directory, every change of which is logged, so that the power may fail behind any.

It is a real one because much passes by `flashdeckd.host.files`: SQLite, globs, links, locks, and the configuration,
which clients read as well. What passes through it has numbers and times that are the same in every run, and may fail,
be slow or be the last thing that a daemon does. Nothing outside of the directory can be seen, but for what the kernel
tells of a process's own files.

After a kill or a power cut all files are made anew in the same place (`restart`, `cut`): what a killed daemon still has
open in this process, and SQLite's locks on it, belong to files that nobody sees any more.
"""

import errno
import fcntl
import os
import random
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from simulation.disk_states import ROOT, DiskLog, Kind, Linked, Node, Renamed, State, Unlinked, legal_states

DEVICE: Final = 77
"""The number of the disk, as `stat` shows it."""
BLOCK: Final = 4096
_OF_SQLITE: Final = ".sqlite3"
_BESIDE: Final = ("-wal", "-shm", "-journal")
_OF_THIS_PROCESS: Final = ("/proc/self/fdinfo/", "/proc/self/mountinfo")
Place = str | Path


class Deed(Enum):
    """A kind of operation that a disk does."""

    MAKE = "make"
    WRITE = "write"
    RESIZE = "resize"
    SYNC = "sync"
    SYNC_NAMES = "sync names"
    RENAME = "rename"
    UNLINK = "unlink"
    MKDIR = "mkdir"
    CHMOD = "chmod"
    READ = "read"
    """Changes nothing: a kill there is one between its neighbours. It may fail, or be slow."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the daemon."""

    number: int
    """From 1 on, among those that change something; a read has that of the change before it."""
    deed: Deed
    path: str
    """From the disk's first directory on."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An operation that fails."""

    number: int = errno.EIO
    written: int = 0
    """Bytes that a write takes before it fails: that many are reported as written, and the next one fails."""


@dataclass(slots=True)
class _Open:
    inode: int
    path: str
    appends: bool
    owner: object


def _goes_on(_step: Step) -> Failure | None:
    return None


def _nothing(_step: Step) -> None:
    """Nobody watches."""


class Disk:
    """See `flashdeckd.host.files.FileSystem`, and the locks of fcntl(2), which real files have.

    `before` is asked of each operation of the daemon: it may end the life that is at it, take its time, or say how it
    fails. `after` is told once it is done, and may end that life, too. What the world does inside `with disk.by_hand:`
    is logged, and nobody is asked.
    """

    def __init__(
        self,
        root: Path,
        wall: Callable[[], float],
        *,
        before: Callable[[Step], Failure | None] = _goes_on,
        after: Callable[[Step], None] = _nothing,
        owner: Callable[[], object] = lambda: None,
    ) -> None:
        """`wall` is the clock that stamps files; `owner` says whose the running thread is: see `end`."""
        self.root = os.path.realpath(root)
        self.before = before
        self.after = after
        self.room: int | None = None
        """Bytes that still fit, SQLite's not counted; None: as many as anybody wants."""
        self.counts: Counter[Deed] = Counter()
        self.steps = 0
        """The number of changes so far."""
        self.log = DiskLog()
        self.by_hand = _ByHand()
        self._wall = wall
        self._owner = owner
        self._open: dict[int, _Open] = {}
        self._next_inode = ROOT + 1
        first = os.stat(self.root)
        self._device = first.st_dev
        self._numbers = {first.st_ino: ROOT}
        """By the real inode: the one that is shown."""
        self._times: dict[int, tuple[int, int]] = {}
        """By inode: when its contents and when its status changed, in nanoseconds."""
        self._removed: dict[int, bytes] = {}
        """The bytes of SQLite's files that have no name any more, and may have one again after a cut."""
        self._lives = 0
        self._adopt_all()

    # Ends and beginnings.

    def end(self, owner: object) -> None:
        """The kernel closes all files of a process that has ended."""
        for fd in [fd for fd, found in self._open.items() if found.owner is owner]:
            self.close(fd)

    def restart(self) -> None:
        """A daemon was killed: all is as it was, and what was not synced can still be lost."""
        self._make_anew(self.log.now())

    def cut(self, choose: random.Random | State) -> State:
        """The power fails, and is back: the disk is in one of its legal states, or in the one that is given."""
        state = legal_states(self.log, choose) if isinstance(choose, random.Random) else choose
        self._make_anew(state)
        self.log = self.log.at_rest(state)
        return state

    def files(self) -> dict[str, bytes]:
        """Return all regular files as they are now, by their paths from the first directory on."""
        found = (Path(at) / name for at, _, names in os.walk(self.root) for name in names)
        return {str(path.relative_to(self.root)): path.read_bytes() for path in sorted(found) if path.is_file()}

    # Files that are open.

    def open(self, path: Place, flags: int, mode: int = 0o777, /) -> int:
        """See open(2)."""
        place = str(path)
        if place.startswith(_OF_THIS_PROCESS):
            return os.open(place, flags)
        self._check(place)
        follows = not flags & (os.O_NOFOLLOW | os.O_EXCL)
        is_new = bool(flags & os.O_CREAT) and not (os.path.exists if follows else os.path.lexists)(place)
        is_cut = bool(flags & os.O_TRUNC) and not is_new
        step = self._ask(Deed.MAKE if is_new else Deed.RESIZE if is_cut else Deed.READ, place)
        target = os.path.realpath(place) if is_new and follows else place
        fd = os.open(place, flags, mode)
        found = os.fstat(fd)
        inode = self._make(target, Kind.FILE, stat.S_IMODE(found.st_mode)) if is_new else self._number(found, place)
        if is_cut:
            self.log.resize(inode, 0)
            self._stamp(inode)
        self._open[fd] = _Open(inode, place, bool(flags & os.O_APPEND), self._owner())
        self._tell(step)
        return fd

    def close(self, fd: int, /) -> None:
        """See close(2)."""
        self._open.pop(fd, None)
        os.close(fd)

    def read(self, fd: int, size: int, /) -> bytes:
        """See read(2)."""
        if fd in self._open:
            self._ask(Deed.READ, self._open[fd].path)
        return os.read(fd, size)

    def pread(self, fd: int, size: int, offset: int, /) -> bytes:
        """See pread(2)."""
        self._ask(Deed.READ, self._open[fd].path)
        return os.pread(fd, size, offset)

    def write(self, fd: int, data: bytes, /) -> int:
        """See write(2)."""
        found = self._open[fd]
        at = None if found.appends else os.lseek(fd, 0, os.SEEK_CUR)
        return self._write(found, data, at, lambda fitting: os.write(fd, fitting))

    def pwrite(self, fd: int, data: bytes, offset: int, /) -> int:
        """See pwrite(2)."""
        return self._write(self._open[fd], data, offset, lambda fitting: os.pwrite(fd, fitting, offset))

    def _write(self, found: _Open, data: bytes, at: int | None, write: Callable[[bytes], int]) -> int:
        step, failure = self._asked(Deed.WRITE, found.path)
        fitting = data if failure is None else data[: failure.written]
        if failure is None and self.room is not None and not self.by_hand.is_on:
            fitting = data[: self.room]
            failure = Failure(errno.ENOSPC)
        if failure is not None and data and not fitting:
            raise OSError(failure.number, os.strerror(failure.number))
        written = write(fitting)
        if self.room is not None and not self.by_hand.is_on:
            self.room -= written
        if not self.log.is_trusted(found.inode):
            self.log.write(found.inode, fitting[:written], at)
        self._stamp(found.inode)
        self._tell(step)
        return written

    def ftruncate(self, fd: int, size: int, /) -> None:
        """See ftruncate(2)."""
        found = self._open[fd]
        step = self._ask(Deed.RESIZE, found.path)
        os.ftruncate(fd, size)
        self.log.resize(found.inode, size)
        self._stamp(found.inode)
        self._tell(step)

    def fsync(self, fd: int, /) -> None:
        """See fsync(2)."""
        found = self._open[fd]
        is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        step = self._ask(Deed.SYNC_NAMES if is_directory else Deed.SYNC, found.path)
        self.log.sync(found.inode)
        self._tell(step)

    def fstat(self, fd: int, /) -> os.stat_result:
        """See fstat(2)."""
        return self._shown(os.fstat(fd), self._open[fd].inode if fd in self._open else 0)

    def flock(self, fd: int, operation: int, /) -> None:
        """See flock(2)."""
        fcntl.flock(fd, operation)

    def fcntl(self, fd: int, cmd: int, arg: int = 0, /) -> int:
        """See fcntl(2)."""
        return fcntl.fcntl(fd, cmd, arg)

    # Files by their names.

    def stat(self, path: Place, /) -> os.stat_result:
        """See stat(2)."""
        self._check(path)
        found = os.stat(path)
        return self._shown(found, self._number(found, path))

    def lstat(self, path: Place, /) -> os.stat_result:
        """See lstat(2)."""
        self._check(path)
        found = os.lstat(path)
        return self._shown(found, self._number(found, path, follows=False))

    def access(self, path: Place, mode: int, /) -> bool:
        """See access(2)."""
        return self._is_inside(path) and os.access(path, mode)

    def readlink(self, path: Place, /) -> str:
        """See readlink(2)."""
        self._check(path)
        return os.readlink(str(path))

    def statvfs(self, path: Place, /) -> os.statvfs_result:
        """See statvfs(3)."""
        self._check(path)
        free = 1 << 19 if self.room is None else self.room // BLOCK
        return os.statvfs_result((BLOCK, BLOCK, 1 << 20, free, free, 1 << 16, 1 << 15, 1 << 15, 0, 255))

    def listdir(self, path: Place, /) -> list[str]:
        """See readdir(3)."""
        self._check(path)
        self._ask(Deed.READ, path)
        return sorted(os.listdir(path))

    def mkdir(self, path: Place, mode: int = 0o777, /) -> None:
        """See mkdir(2)."""
        self._check(path)
        step = self._ask(Deed.MKDIR, path)
        os.mkdir(path, mode)
        self._make(str(path), Kind.DIRECTORY, stat.S_IMODE(os.lstat(path).st_mode))
        self._tell(step)

    def replace(self, source: Place, target: Place, /) -> None:
        """See rename(2)."""
        self._check(source)
        self._check(target)
        step = self._ask(Deed.RENAME, target)
        inode = self._inode(str(source))
        self._goes(str(target))
        os.replace(source, target)
        (from_where, old), (to_where, new) = self._parent(source), self._parent(target)
        self.log.step(Renamed(from_where, old, to_where, new))
        self._stamp(inode, status_only=True)
        self._tell(step)

    def unlink(self, path: Place, /) -> None:
        """See unlink(2)."""
        self._check(path)
        step = self._ask(Deed.UNLINK, path)
        self._goes(str(path))
        os.unlink(path)
        self.log.step(Unlinked(*self._parent(path)))
        self._tell(step)

    def chmod(self, path: Place, mode: int, /) -> None:
        """See chmod(2)."""
        self._check(path)
        step = self._ask(Deed.CHMOD, path)
        inode = self._number(os.stat(path), path)
        os.chmod(path, mode)
        if not stat.S_ISSOCK(os.lstat(path).st_mode):  # a socket ends with its process
            self.log.change_mode(inode, mode)
        self._stamp(inode, status_only=True)
        self._tell(step)

    def chown(self, path: Place, uid: int, gid: int, /) -> None:
        """See chown(2). No bench of a seed is shared by several people."""
        del uid, gid
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    # What only the world does, by hand.

    def put(self, path: Place, data: bytes) -> None:
        """Make these bytes all that a file has, which is made where there is none."""
        fd = self.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o644)
        try:
            self.write(fd, data)
        finally:
            self.close(fd)

    def symlink(self, target: Place, path: Place) -> None:
        """See symlink(2)."""
        os.symlink(target, path)
        self._make(str(path), Kind.LINK, 0o777, os.fsencode(target))

    def link(self, source: Place, path: Place) -> None:
        """See link(2)."""
        inode = self._inode(str(source))
        os.link(source, path)
        directory, name = self._parent(path)
        self.log.step(Linked(directory, name, inode))
        self._stamp(inode, status_only=True)

    def rmdir(self, path: Place) -> None:
        """See rmdir(2)."""
        os.rmdir(path)
        self.log.step(Unlinked(*self._parent(path)))

    def set_times(self, path: Place, modified: float) -> None:
        """See utimensat(2): the time of the last change, as `cp -p` sets it."""
        inode = self._inode(os.path.realpath(path))
        self._times[inode] = (round(modified * 1e9), self._now())

    # Faults and ends.

    def _asked(self, deed: Deed, path: Place) -> tuple[Step, Failure | None]:
        changes = deed is not Deed.READ
        if self.by_hand.is_on:
            return Step(self.steps, deed, ""), None
        self.steps += changes
        self.counts[deed] += 1
        step = Step(self.steps, deed, self._below(str(path)))
        return step, self.before(step)

    def _ask(self, deed: Deed, path: Place) -> Step:
        step, failure = self._asked(deed, path)
        if failure is not None:
            raise OSError(failure.number, os.strerror(failure.number), str(path))
        if self.room == 0 and deed in (Deed.MAKE, Deed.MKDIR) and not self.by_hand.is_on:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return step

    def _tell(self, step: Step) -> None:
        if not self.by_hand.is_on and step.deed is not Deed.READ:
            self.after(step)

    # Inodes.

    def _is_inside(self, path: Place) -> bool:
        place = str(path)
        return place == self.root or place.startswith(self.root + "/")

    def _below(self, path: str) -> str:
        """Return a path as it is counted from the disk's first directory."""
        return path[len(self.root) + 1 :] or "."

    def _check(self, path: Place) -> None:
        if not self._is_inside(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    def _parent(self, path: Place) -> tuple[int, str]:
        directory, name = os.path.split(str(path))
        return self._number(os.stat(directory), directory), name

    def _make(self, path: str, kind: Kind, mode: int, data: bytes = b"") -> int:
        directory, name = self._parent(path)
        inode = self._next_inode
        self._next_inode += 1
        self._numbers[os.lstat(path).st_ino] = inode
        self.log.make(inode, kind, mode, data, is_trusted=kind is Kind.FILE and _OF_SQLITE in name)
        self.log.step(Linked(directory, name, inode))
        self._stamp(inode)
        return inode

    def _number(self, found: os.stat_result, path: Place, *, follows: bool = True) -> int:
        """Return the number of what is found at a path, as `_inode` does, which most often needs no second look."""
        known = self._numbers.get(found.st_ino) if found.st_dev == self._device else None
        if known is not None:
            return known
        return self._inode(os.path.realpath(path) if follows else str(path))

    def _inode(self, path: str) -> int:
        """Return the number of what has this name; what nobody has logged is taken to be on the disk."""
        if not self._is_inside(path):
            return 0
        found = os.lstat(path)
        if found.st_ino in self._numbers:
            return self._numbers[found.st_ino]
        directory, name = self._parent(path)
        inode = self._numbers[found.st_ino] = self._next_inode
        self._next_inode += 1
        self._stamp(inode)
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            self.log.make(inode, Kind.DIRECTORY, mode)
        elif stat.S_ISLNK(found.st_mode):
            self.log.make(inode, Kind.LINK, mode, os.fsencode(os.readlink(path)))
        elif stat.S_ISSOCK(found.st_mode):
            self.log.make(inode, Kind.SOCKET, mode)
        else:
            is_trusted = _OF_SQLITE in name
            self.log.make(inode, Kind.FILE, mode, b"" if is_trusted else Path(path).read_bytes(), is_trusted=is_trusted)
        self.log.adopt(Linked(directory, name, inode))
        return inode

    def _adopt_all(self) -> None:
        for at, directories, names in os.walk(self.root):
            for name in sorted((*directories, *names)):
                self._inode(f"{at}/{name}")

    def _goes(self, path: str) -> None:
        """A name goes, and perhaps a file with it: a cut may bring back one of SQLite's, and the others leave room."""
        if not os.path.lexists(path):
            return
        inode, found = self._inode(path), os.lstat(path)
        if self.log.is_trusted(inode):
            self._removed[inode] = Path(path).read_bytes()
        elif self.room is not None and found.st_nlink == 1:
            self.room += found.st_size

    # Times and status.

    def _now(self) -> int:
        return round(self._wall() * 1e9)

    def _stamp(self, inode: int, *, status_only: bool = False) -> None:
        now = self._now()
        modified = self._times[inode][0] if status_only and inode in self._times else now
        self._times[inode] = (modified, now)

    def _shown(self, found: os.stat_result, inode: int) -> os.stat_result:
        """Return a status with virtual times, and a number that is the same in every run."""
        if inode not in self._times:
            self._times[inode] = (self._now(), self._now())
        modified, changed = self._times[inode]
        fields: list[Any] = [*found[:7], modified // 10**9, modified // 10**9, changed // 10**9]
        fields[1:3] = inode, DEVICE
        fields += [modified / 1e9, modified / 1e9, changed / 1e9, modified, modified, changed, BLOCK, 8, 0]
        return os.stat_result(fields)

    # A disk that comes up.

    def _make_anew(self, state: State) -> None:
        """Make all files of `state` in the place of those that are there."""
        for fd in list(self._open):
            self.close(fd)
        self._lives += 1
        old = f"{self.root}.{self._lives}"
        os.rename(self.root, old)
        os.mkdir(self.root)
        os.chmod(self.root, stat.S_IMODE(os.stat(old).st_mode))
        lasting = {inode: real for real, inode in self._numbers.items()}
        kept = {os.lstat(path).st_ino: path for path in _all_paths(old)}
        self._numbers = {os.stat(self.root).st_ino: ROOT}
        made: dict[int, str] = {}
        modes: list[tuple[str, int]] = []
        for name, node in state.items():
            path = f"{self.root}/{name}"
            if node.inode in made:
                os.link(made[node.inode], path)
                continue
            if node.kind is Kind.FILE:
                data = node.data
                if data is None:
                    data = self._trusted(node, kept.get(lasting.get(node.inode, 0), f"{old}/{name}"))
                if data is None:
                    continue
                Path(path).write_bytes(data)
            else:
                _put_special(path, node)
            if node.kind is not Kind.LINK:
                modes.append((path, node.mode))
            made[node.inode] = path
            self._numbers[os.lstat(path).st_ino] = node.inode
        for path, mode in reversed(modes):
            os.chmod(path, mode)
        self._bring_what_is_beside(old, state)
        shutil.rmtree(old)

    def _trusted(self, node: Node, path: str) -> bytes | None:
        """Return what a file of SQLite's has; None where SQLite has removed it itself."""
        if os.path.isfile(path):
            return Path(path).read_bytes()
        return self._removed.get(node.inode)

    def _bring_what_is_beside(self, old: str, state: State) -> None:
        """Copy what SQLite made itself beside a database that is still there, but for its shared memory."""
        for path in _all_paths(old):
            name = os.path.relpath(path, old)
            main = next((name.removesuffix(each) for each in _BESIDE if name.endswith(each)), "")
            if name not in state and main in state and not name.endswith("-shm"):
                shutil.copy(path, f"{self.root}/{name}")


class _ByHand:
    """A block in which it is the world that does something to the disk."""

    def __init__(self) -> None:
        self._depth = 0

    @property
    def is_on(self) -> bool:
        """True inside of such a block."""
        return self._depth > 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1


def _put_special(path: str, node: Node) -> None:
    """Make what is no file."""
    match node.kind:
        case Kind.DIRECTORY:
            os.mkdir(path)
        case Kind.LINK:
            os.symlink(node.data or b"", os.fsencode(path))
        case _:
            os.mknod(path, stat.S_IFSOCK | node.mode)


def _all_paths(root: str) -> Iterator[str]:
    for at, directories, names in os.walk(root):
        yield from (f"{at}/{name}" for name in sorted((*directories, *names)))
