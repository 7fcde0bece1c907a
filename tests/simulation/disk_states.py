"""The states in which a power cut may leave a disk, made of what was done to it before. Pure.

The disk is a POSIX file system with a journal for its metadata, as ext4 and xfs are, and no more is believed of it than
what they promise:

- What was written to a file is on the disk once the file is synced. Until then each sector of it may have any contents
  that it had since, or zeros where the file has grown; and the file any length that it had, or one on the way to it.
- A name (made, removed, or moved there by a rename) is on the disk once its directory is synced. Until then the changes
  of one directory may be there up to any one of them, in their order. Those of two directories know nothing of each
  other, but for a rename from one to the other, which is in both or in none. Syncing a file syncs no name.
- So a rename may be there before the bytes of the file, and a file may be there whole under a name that is not.
- What was synced stays. Modes are taken to be there at once, which is more than is promised.

Files of SQLite are trusted: what is in them passes by this log, and they are as they were at the cut. So it is not
shown here that a commit survives a power cut (SQLite's `synchronous = FULL` is for that), nor that the log of a daemon,
which is written with less, is then read without a fault; nothing of ours depends on its lines. Their names are not
trusted.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

ROOT: Final = 1
"""The inode of the disk's first directory."""
SECTOR: Final = 512
"""Bytes that a disk writes as a whole."""
MOST_STATES: Final = 4096
"""States that are enumerated of one log."""
MOST_PENDING: Final = 256
"""Changes of names that may be lost at once; the oldest ones are written by the file system itself, sooner or later."""
MOST_VERSIONS: Final = 16
"""Contents that are remembered of one file since it was synced: the synced ones, and the newest."""


class Kind(Enum):
    """A kind of inode."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class Linked:
    """A name of a directory stands for an inode, and for what it stood before no longer."""

    directory: int
    name: str
    inode: int

    @property
    def directories(self) -> frozenset[int]:
        """The directories that it changes."""
        return frozenset({self.directory})


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A name is gone."""

    directory: int
    name: str

    @property
    def directories(self) -> frozenset[int]:
        """The directories that it changes."""
        return frozenset({self.directory})


@dataclass(frozen=True, slots=True)
class Renamed:
    """What one name stood for has another, in one step."""

    source: int
    old: str
    target: int
    new: str

    @property
    def directories(self) -> frozenset[int]:
        """The directories that it changes."""
        return frozenset({self.source, self.target})


NameStep = Linked | Unlinked | Renamed
Names = dict[int, dict[str, int]]
"""By the inode of each directory: the names in it, and their inodes."""


@dataclass(frozen=True, slots=True)
class Node:
    """The thing that a path stands for."""

    inode: int
    kind: Kind
    mode: int
    data: bytes | None
    """None where it is as it was at the cut: a directory, or a trusted file."""


State = Mapping[str, Node]
"""A whole disk, by paths below its first directory; each directory comes before what is in it."""


@dataclass(slots=True)
class _Inode:
    kind: Kind
    mode: int
    is_trusted: bool = False
    versions: list[bytes] = field(default_factory=lambda: [b""])
    """The contents of a file: as they were synced, and as each write since has made them."""


class DiskLog:
    """The changes of a disk that may be lost, on top of those that may not."""

    def __init__(self) -> None:
        self._inodes = {ROOT: _Inode(Kind.DIRECTORY, 0o700)}
        self._names: Names = {ROOT: {}}
        self._steps: list[NameStep] = []
        """Changes of names that no sync has reached yet."""

    # What is done to it.

    def make(self, inode: int, kind: Kind, mode: int, data: bytes = b"", *, is_trusted: bool = False) -> None:
        """An inode is new; it has no name yet. The target of a link is its data, which comes with its name."""
        self._inodes[inode] = _Inode(kind, mode, is_trusted, [data])

    def step(self, step: NameStep) -> None:
        """A name has changed."""
        self._steps.append(step)
        while len(self._steps) > MOST_PENDING:
            _apply(self._names, self._steps.pop(0))

    def write(self, inode: int, data: bytes, offset: int | None = None) -> None:
        """Bytes are written at a place; None: at the end."""
        versions = self._inodes[inode].versions
        before = versions[-1]
        at = len(before) if offset is None else offset
        self._add(inode, before[:at].ljust(at, b"\0") + data + before[at + len(data) :])

    def resize(self, inode: int, size: int) -> None:
        """A file gets another length; where it grows, by zeros."""
        self._add(inode, self._inodes[inode].versions[-1][:size].ljust(size, b"\0"))

    def _add(self, inode: int, data: bytes) -> None:
        versions = self._inodes[inode].versions
        versions.append(data)
        del versions[1 : 1 - MOST_VERSIONS]

    def change_mode(self, inode: int, mode: int) -> None:
        """An inode gets another mode."""
        self._inodes[inode].mode = mode

    def sync(self, inode: int) -> None:
        """Return from a sync of a file or a directory: what it says of names or bytes is on the disk."""
        found = self._inodes[inode]
        if found.kind is Kind.DIRECTORY:
            self._sync_names(inode)
        else:
            found.versions[:-1] = []

    def sync_all(self) -> None:
        """All that was done is on the disk: see sync(2)."""
        for step in self._steps:
            _apply(self._names, step)
        self._steps.clear()
        for inode in self._inodes.values():
            inode.versions[:-1] = []

    def adopt(self, step: Linked) -> None:
        """A name is found that nobody has logged: it is taken to be on the disk."""
        self._names.setdefault(step.directory, {})[step.name] = step.inode

    def _sync_names(self, directory: int) -> None:
        reached, synced = {directory}, list[NameStep]()
        for step in reversed(self._steps):
            if not reached.isdisjoint(step.directories):
                reached |= step.directories  # what a directory got from another one was done there before
                synced.append(step)
        for step in reversed(synced):
            _apply(self._names, step)
        wanted = {id(step) for step in synced}
        self._steps = [step for step in self._steps if id(step) not in wanted]

    # What can be said of it.

    def is_trusted(self, inode: int) -> bool:
        """Return whether a file's contents pass by this log."""
        return inode in self._inodes and self._inodes[inode].is_trusted

    @property
    def is_settled(self) -> bool:
        """True if nothing can be lost."""
        return not self._steps and not any(len(inode.versions) > 1 for inode in self._inodes.values())

    def now(self) -> State:
        """Return the disk as every process sees it."""
        return self._state(self._steps, {})

    def at_rest(self, state: State) -> "DiskLog":
        """Return the log of a disk that has come up in `state`: all of that is on it."""
        log = DiskLog()
        log._inodes = {ROOT: self._inodes[ROOT]}
        directories = {"": ROOT}
        for path, node in state.items():
            parent, _, name = path.rpartition("/")
            was = self._inodes[node.inode]
            log._inodes[node.inode] = replace(was, mode=node.mode, versions=[node.data or b""])
            log._names.setdefault(directories[parent], {})[name] = node.inode
            if node.kind is Kind.DIRECTORY:
                directories[path] = node.inode
                log._names.setdefault(node.inode, {})
        return log

    def _state(self, steps: Iterable[NameStep], contents: Mapping[int, bytes]) -> State:
        names: Names = {directory: dict(entries) for directory, entries in self._names.items()}
        for step in steps:
            _apply(names, step)
        state: dict[str, Node] = {}
        self._walk(names, ROOT, "", contents, state)
        return state

    def _walk(
        self, names: Names, directory: int, at: str, contents: Mapping[int, bytes], state: dict[str, Node]
    ) -> None:
        for name, inode in sorted(names.get(directory, {}).items()):
            found = self._inodes[inode]
            path = f"{at}/{name}" if at else name
            is_plain = found.kind is not Kind.DIRECTORY and not found.is_trusted
            data = contents.get(inode, found.versions[-1]) if is_plain else None
            state[path] = Node(inode, found.kind, found.mode, data)
            if found.kind is Kind.DIRECTORY:
                self._walk(names, inode, path, contents, state)

    def _unsynced(self) -> dict[int, list[bytes]]:
        """Return all contents that each file had since it was synced, where there are several."""
        return {
            number: inode.versions
            for number, inode in self._inodes.items()
            if len(inode.versions) > 1 and not inode.is_trusted
        }

    # The states after a cut.

    def draw(self, rng: random.Random) -> State:
        """Return one of the states that a power cut may leave, each way of losing something about as likely."""
        share = rng.choice((0.0, 0.5, 0.9, 1.0))
        lost: set[int] = set()
        kept: list[NameStep] = []
        for step in self._steps:
            if lost.isdisjoint(step.directories) and rng.random() < share:
                kept.append(step)
            else:
                lost |= step.directories
        return self._state(kept, {number: _torn(seen, rng) for number, seen in self._unsynced().items()})

    def every(self, most: int = MOST_STATES) -> Iterator[State]:
        """Yield each state in which names may be, with each typical one of the bytes; `most` of them."""
        yield from itertools.islice(self._each(), most)

    def _each(self) -> Iterator[State]:
        unsynced = self._unsynced()
        for steps in _downward(tuple(self._steps)):
            there = {node.inode for node in self._state(steps, {}).values()}
            typical = [
                [(number, each) for each in _typical(seen)] for number, seen in unsynced.items() if number in there
            ]
            for contents in itertools.product(*typical):
                yield self._state(steps, dict(contents))


def legal_states(log: DiskLog, rng: random.Random) -> State:
    """Return one state in which a power cut may leave the disk now."""
    return log.draw(rng)


def all_states(log: DiskLog, most: int = MOST_STATES) -> Iterator[State]:
    """Yield the states in which a power cut may leave the disk now: all of the names, the typical ones of the bytes."""
    return log.every(most)


def _apply(names: Names, step: NameStep) -> None:
    match step:
        case Linked(directory, name, inode):
            names.setdefault(directory, {})[name] = inode
        case Unlinked(directory, name):
            names.setdefault(directory, {}).pop(name, None)
        case Renamed(source, old, target, new):
            inode = names[source].pop(old)
            names.setdefault(target, {})[new] = inode


def _downward(steps: tuple[NameStep, ...]) -> Iterator[tuple[NameStep, ...]]:
    """Yield each choice of steps with which all go that came before them in one of their directories."""

    def choose(at: int, lost: frozenset[int]) -> Iterator[tuple[NameStep, ...]]:
        if at == len(steps):
            yield ()
            return
        step = steps[at]
        if lost.isdisjoint(step.directories):
            for rest in choose(at + 1, lost):
                yield (step, *rest)
            lost |= step.directories
            yield from choose(at + 1, lost)
        else:
            yield from choose(at + 1, lost | step.directories)

    return choose(0, frozenset())


def _lengths(versions: list[bytes]) -> list[int]:
    """Return each length that a file may have: one that it had, or whole sectors on the way to the next."""
    lengths = {len(versions[0])}
    for before, after in itertools.pairwise(map(len, versions)):
        lengths |= {after, *(at for at in range(before - before % SECTOR + SECTOR, after, SECTOR))}
    return sorted(lengths)


def _torn(versions: list[bytes], rng: random.Random) -> bytes:
    """Return a file of which each sector is as it was at some time, or zero."""
    length = rng.choice((len(versions[0]), len(versions[-1]), rng.choice(_lengths(versions))))
    share = rng.choice((0.0, 0.5, 1.0))
    data = bytearray()
    for at in range(0, length, SECTOR):
        version = versions[-1] if rng.random() < share else rng.choice(versions)
        data += version[at : at + SECTOR].ljust(min(SECTOR, length - at), b"\0")
    return bytes(data[:length])


def _typical(versions: list[bytes]) -> list[bytes]:
    """Return the ways in which a file that was not synced is usually met: old, new, empty, half, and long but zero."""
    old, new = versions[0], versions[-1]
    half = len(new) // 2 // SECTOR * SECTOR
    zero = min(versions, key=len).ljust(len(new), b"\0")
    found = (old, new, new[:half] if half in _lengths(versions) else old, zero)
    return list(dict.fromkeys(found))
