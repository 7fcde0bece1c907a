"""A configured image path: a file, or a glob whose newest match counts; and the directories to watch for it."""

import stat
from collections.abc import Iterator
from pathlib import Path

from flashdeckd.builds.gate import Fingerprint
from flashdeckd.builds.lease import Unreadable, not_a_file
from flashdeckd.host import files


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


def directories(pattern: str) -> Iterator[str]:
    """The existing directories in which a change may change what `newest(pattern)` says.

    The directory of the file and its parent, which sees it removed and made again; where it does not exist, the
    nearest ancestor that does. For globs among the directories, each directory that matches so far. Never more than
    one level of each: the nearest ancestor of a build directory may be a home directory.
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
    if files.is_link(pattern):
        yield from _nearest(files.real_path(pattern).parent)


def names(pattern: str) -> frozenset[str]:
    """The last parts (names and globs) of all paths at which a change may matter to `pattern`."""
    parts = Path(pattern).parts
    if files.is_link(pattern):
        parts += files.real_path(pattern).parts
    return frozenset(parts)


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
