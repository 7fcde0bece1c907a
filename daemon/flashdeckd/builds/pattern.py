"""A configured image path: a file, or a glob whose newest match counts; and the directories to watch for it."""

import glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from flashdeckd.builds.gate import Fingerprint
from flashdeckd.builds.lease import Unreadable, not_a_file


def newest(pattern: str) -> Fingerprint | Unreadable | None:
    """The file that `pattern` (absolute) stands for now; None where there is none.

    Of several matches of a glob the one modified last counts, of equally old ones the one whose name sorts last. Only
    regular files count, symbolic links followed, as long as there is one. A name that exists as written is no glob.
    """
    if not glob.has_magic(pattern) or os.path.lexists(pattern):
        return _look_at(pattern)
    best: Fingerprint | None = None
    complaint: Unreadable | None = None
    for path in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - Path.rglob treats dot files and links differently
        found = _look_at(path)
        if isinstance(found, Unreadable):
            complaint = max(complaint or found, found, key=lambda unreadable: unreadable.path)
        elif found is not None and (best is None or _age(found) > _age(best)):
            best = found
    return best or complaint


def directories(pattern: str) -> Iterator[str]:
    """The existing directories in which a change may change what `newest(pattern)` says.

    The directory of the file and its parent, which sees it removed and made again; where it does not exist, the
    nearest ancestor that does. For globs among the directories, each directory that matches so far. Never more than
    one level of each: the nearest ancestor of a build directory may be a home directory.
    """
    parent = Path(pattern).parent
    if _is_dir(parent):  # it exists as it is written, whatever it means as a glob
        yield from _nearest(parent)
    parts = parent.parts
    fixed = next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    yield from _nearest(Path(*parts[:fixed]))
    for length in range(fixed + 1, len(parts) + 1):
        prefix = str(Path(*parts[:length]))
        yield from (path for path in glob.iglob(prefix, recursive=True) if _is_dir(path))  # noqa: PTH207 - as above
    if _is_link(pattern):
        yield from _nearest(Path(os.path.realpath(pattern)).parent)


def names(pattern: str) -> frozenset[str]:
    """The last parts (names and globs) of all paths at which a change may matter to `pattern`."""
    parts = Path(pattern).parts
    if _is_link(pattern):
        parts += Path(os.path.realpath(pattern)).parts
    return frozenset(parts)


def _look_at(path: str) -> Fingerprint | Unreadable | None:
    try:
        status = Path(path).stat()
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
    existing = next((path for path in (directory, *directory.parents) if _is_dir(path)), None)
    if existing is not None:
        yield str(existing)
        yield str(existing.parent)


# A path that can not be looked at (no permission, too long, a server that is gone) is neither. pathlib would raise, and
# that would end the watch on all the other directories.


def _is_dir(path: str | Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - as above


def _is_link(path: str) -> bool:
    return os.path.islink(path)  # noqa: PTH114 - as above
