"""A configured image path: a file, or a glob whose newest match counts; and the directories to watch for it."""

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path

from flashdeckd.builds.gate import Fingerprint
from flashdeckd.builds.lease import Unreadable, not_a_file
from flashdeckd.host import files

MAX_LINKS = 40
"""Symbolic links that are followed on the way to one file; the kernel follows as many (path_resolution(7))."""


def newest(pattern: str) -> Fingerprint | Unreadable | None:
    """The file that `pattern` (absolute) stands for now; None where there is none.

    Of several matches of a glob the one modified last counts, of equally old ones the one whose name sorts last. Only
    regular files count, symbolic links followed, as long as there is one. A name that exists as written is no glob.
    """
    if not files.is_pattern(pattern) or files.is_named(pattern):
        return _look_at(pattern)
    best: Fingerprint | None = None
    complaint: Unreadable | None = None
    for path in files.matching(pattern):
        found = _look_at(path)
        if isinstance(found, Unreadable):
            complaint = max(complaint or found, found, key=lambda unreadable: unreadable.path)
        elif found is not None and (best is None or _age(found) > _age(best)):
            best = found
    return best or complaint


def places(pattern: str) -> Iterator[str]:
    """The directories to watch for `pattern`, and the file itself where it has other names as well.

    What is written to a file by another of its names (hard links) changes nothing in this one's directory.
    """
    yield from directories(pattern)
    found = newest(pattern)
    if isinstance(found, Fingerprint):
        with contextlib.suppress(OSError):  # gone again
            if files.status(found.path).st_nlink > 1:
                yield found.path


def directories(pattern: str) -> Iterator[str]:
    """The existing directories in which a change may change what `newest(pattern)` says.

    The directory of the file and its parent, which sees it removed and made again; where it does not exist, the
    nearest ancestor that does. For globs among the directories, each directory that matches so far. Where symbolic
    links lead on the way, the directory of each, and that of what the last one stands for. Never more than one level of
    each: the nearest ancestor of a build directory may be a home directory.
    """
    parent = Path(pattern).parent
    if files.is_directory(parent):  # it exists as it is written, whatever it means as a glob
        yield from _nearest(parent)
    parts = parent.parts
    fixed = next((index for index, part in enumerate(parts) if files.is_pattern(part)), len(parts))
    yield from _nearest(Path(*parts[:fixed]))
    for length in range(fixed + 1, len(parts) + 1):
        prefix = str(Path(*parts[:length]))
        yield from filter(files.is_directory, files.matching(prefix))
    for path in _leading_elsewhere(pattern):
        for link in links(path):
            yield str(Path(link).parent)
        yield from _nearest(files.real_path(path).parent)


def names(pattern: str) -> frozenset[str]:
    """The last parts (names and globs) of all paths at which a change may matter to `pattern`."""
    parts = set(Path(pattern).parts)
    for path in _leading_elsewhere(pattern):
        parts.update(Path(link).name for link in links(path))
        parts.update(files.real_path(path).parts)
    return frozenset(parts)


def links(path: str) -> Iterator[str]:
    """Each symbolic link that is followed on the way to `path`, in order, by a name with no other link in it."""
    here = Path(Path(path).anchor)
    ahead = [*reversed(Path(path).parts[1:])]
    followed = 0
    while ahead and followed < MAX_LINKS:
        part = ahead.pop()
        if part == "..":
            here = here.parent
            continue
        here /= part
        try:
            target = Path(files.target(here))
        except OSError:  # it is no link, or there is nothing
            continue
        yield str(here)
        followed += 1
        here = Path(here.anchor) if target.is_absolute() else here.parent
        ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def _leading_elsewhere(pattern: str) -> Iterator[str]:
    """The paths on whose way there may be links: those that a pattern stands for, or it itself where it is none."""
    if not files.is_pattern(pattern) or files.is_named(pattern):
        if next(links(pattern), None) is not None:
            yield pattern
        return
    parent = Path(pattern).parent
    fixed = next(index for index, part in enumerate(Path(pattern).parts) if files.is_pattern(part))
    yield from _leading_elsewhere(str(Path(*Path(pattern).parts[:fixed])))
    if fixed < len(parent.parts):
        yield from filter(files.is_link, files.matching(str(parent)))
    yield from filter(files.is_link, files.matching(pattern))


def _look_at(path: str) -> Fingerprint | Unreadable | None:
    try:
        status = files.status(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Unreadable(path, error.strerror or str(error))
    if not stat.S_ISREG(status.st_mode):
        return Unreadable(path, not_a_file(status.st_mode))
    return Fingerprint.of(path, status)


def _age(found: Fingerprint) -> tuple[int, str]:
    return (found.modified_ns, found.path)


def _nearest(directory: Path) -> Iterator[str]:
    existing = next((path for path in (directory, *directory.parents) if files.is_directory(path)), None)
    if existing is not None:
        yield str(existing)
        yield str(existing.parent)
