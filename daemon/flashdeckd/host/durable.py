"""Writing a file so that it is whole or not there, also after a power cut."""

import contextlib
from pathlib import Path

from flashdeckd.host import clock, files, randomness

TEMPORARY = ".writing-"
"""Beginning of the name of a file that is being written; one that stays behind is from a killed process."""


def name_aside(path: Path) -> Path:
    """Return a name beside `path`, with the time in it, for a file that is set aside: nothing has it yet."""
    stamp = clock.stamp()
    kept, number = path.with_name(f"{path.name}.kept-{stamp}"), 1
    while files.is_named(kept):
        number += 1
        kept = path.with_name(f"{path.name}.kept-{stamp}-{number}")
    return kept


def write_durably(path: Path, data: bytes) -> None:
    """Puts `data` at `path` (mode 0600) in one step; on return it is on the disk. Raises OSError."""
    temporary = path.with_name(f"{TEMPORARY}{randomness.unique_id()}")
    descriptor = files.create(temporary)
    try:
        try:
            files.write(descriptor, data)
            files.sync(descriptor)
        finally:
            files.close(descriptor)
        files.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            files.remove(temporary)
        raise
    files.sync_directory(path.parent)  # the new name has to reach the disk too
