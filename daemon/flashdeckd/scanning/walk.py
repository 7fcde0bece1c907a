"""The files below a directory that may be images, the nearest directories first. Blocks; bounded in everything.

Links to directories are followed, but no directory is looked into twice, so that circles end.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final

from flashdeck.image_formats import MAX_IMAGE, TAKEN
from flashdeck.text import MAX_TEXT, clean, format_size
from flashdeckd.host import clock, files
from flashdeckd.scanning.file_ending import ending_of

MAX_DEPTH: Final = 12
"""Directories below the one that is searched in which something is looked for."""
MAX_DIRECTORIES: Final = 20_000
"""Directories that are listed."""
MAX_NAMES: Final = 200_000
"""Names of files and directories that are looked at."""
MAX_FOUND: Final = 2_000
"""Files that are taken for images by their names, and are to be read: the newest count."""
WALK_SECONDS: Final = 10.0
"""Longest time for all of it: a directory may be on a slow network."""
LEAST_SIZE: Final = 64
"""Bytes of the smallest file that has a vector table."""

_NEVER = frozenset(
    ("node_modules", "__pycache__", "site-packages", "CMakeFiles", "libdeps", "venv", "proc", "sys", "lost+found")
)
"""Directories in which no build lies that is to be flashed; CMake checks its compilers in `CMakeFiles`."""
_IN_CARGO = frozenset(("deps", "build", "incremental"))
"""Directories of what cargo makes on the way, beside the results."""
_OTHERS = frozenset((".img", ".out"))
_SUFFIXES = frozenset(suffix for each in TAKEN for suffix in each.suffixes) | _OTHERS
_NO_IMAGES = """
.a .asm .c .cc .cmake .cpp .cs .css .cxx .d .dep .gcda .gcno .gz .h .hh .hpp .hxx .html .inc .inl .ipp .jpg .js .json
.ld .lib .log .lst .map .md .o .obj .pdf .png .py .pyc .rmeta .rlib .rs .rst .s .so .su .svg .tmp .toml .ts .txt .xml
.yaml .yml .zip
"""
"""Endings of names of files that are not looked at any further: they are most of a source tree."""


_DULL = frozenset(_NO_IMAGES.split())


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that may be an image."""

    path: Path
    size: int
    modified_at: float


@dataclass(frozen=True, slots=True)
class Walk:
    """All that was found."""

    files: tuple[FoundFile, ...]
    """The newest first."""
    names: Mapping[Path, frozenset[str]]
    """The names in each directory that was listed."""
    notes: tuple[str, ...] = ()
    """Places that were not looked at, each in a sentence."""


@dataclass(slots=True)
class _Search:
    files: list[FoundFile] = field(default_factory=list[FoundFile])
    names: dict[Path, frozenset[str]] = field(default_factory=dict[Path, frozenset[str]])
    seen: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """Directories and files that were met, under whatever name."""
    to_do: deque[tuple[Path, int]] = field(default_factory=deque[tuple[Path, int]])
    looked_at: int = 0
    huge: list[Path] = field(default_factory=list[Path])
    unreadable: list[Path] = field(default_factory=list[Path])
    too_deep: int = 0

    def enter(self, directory: Path, depth: int) -> None:
        """Look at all names in a directory."""
        try:
            listed = files.names(directory)
        except OSError:
            self.unreadable.append(directory)
            return
        names = tuple(islice(listed, MAX_NAMES - self.looked_at))
        self.names[directory] = frozenset(names)
        self.looked_at += len(names)
        for name in names:
            if not _is_dull(name):
                self._meet(directory / name, depth)

    def _meet(self, path: Path, depth: int) -> None:
        try:
            status = files.status(path)
        except (OSError, ValueError):  # a link that leads nowhere, or round and round
            return
        if S_ISDIR(status.st_mode):
            if files.identity(status) not in self.seen and not self._is_by_the_way(path):
                self.seen.add(files.identity(status))
                if depth == MAX_DEPTH:
                    self.too_deep += 1
                else:
                    self.to_do.append((path, depth + 1))
        elif S_ISREG(status.st_mode) and _may_be_image(path.name) and status.st_size >= LEAST_SIZE:
            if files.identity(status) in self.seen:
                return
            self.seen.add(files.identity(status))
            if status.st_size > MAX_IMAGE:
                self.huge.append(path)
            else:
                self.files.append(FoundFile(path, status.st_size, status.st_mtime))

    def _is_by_the_way(self, directory: Path) -> bool:
        """Tell whether a directory has only what cargo makes on the way to what lies beside it."""
        return directory.name in _IN_CARGO and ".fingerprint" in self.names.get(directory.parent, ())


def walk(root: Path) -> Walk:
    """Return the files below a directory that may be images. Raises OSError where that cannot be listed."""
    search = _Search()
    search.seen.add(files.identity(files.status(root)))
    files.names(root)
    search.to_do.append((root, 0))
    notes: list[str] = []
    end = clock.monotonic() + WALK_SECONDS
    while search.to_do:
        stopped = _why_no_further(search, end)
        if stopped:
            notes.append(f"{stopped}: there are more directories, from {clean(str(search.to_do[0][0]))} on")
            break
        search.enter(*search.to_do.popleft())
    found = sorted(search.files, key=lambda each: (-each.modified_at, each.path))
    notes += _notes(search, len(found))
    return Walk(tuple(found[:MAX_FOUND]), search.names, tuple(notes))


def _why_no_further(search: _Search, end: float) -> str:
    if len(search.names) >= MAX_DIRECTORIES:
        return f"stopped after {MAX_DIRECTORIES} directories"
    if search.looked_at >= MAX_NAMES:
        return f"stopped after {MAX_NAMES} names"
    if clock.monotonic() >= end:
        return f"stopped after {WALK_SECONDS:g} s"
    return ""


def _notes(search: _Search, found: int) -> list[str]:
    notes: list[str] = []
    if search.unreadable:
        notes.append(f"cannot be read: {_few(search.unreadable)}")
    if search.huge:
        notes.append(f"larger than {format_size(MAX_IMAGE)}: {_few(search.huge)}")
    if search.too_deep:
        notes.append(f"more than {MAX_DEPTH} directories deep: {search.too_deep} not looked into")
    if found > MAX_FOUND:
        notes.append(f"of {found} files that may be images only the {MAX_FOUND} newest were read")
    return notes


def _few(paths: list[Path]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{clean(str(paths[0]))}{more}"


def _is_dull(name: str) -> bool:
    """Tell by its name that something is neither an image nor a directory of builds."""
    if name.startswith("."):
        return name != ".pio"
    return name in _NEVER or ending_of(name) in _DULL or name != clean(name, MAX_TEXT)  # no configuration can have it


def _may_be_image(name: str) -> bool:
    ending = ending_of(name)
    return not ending or ending in _SUFFIXES
