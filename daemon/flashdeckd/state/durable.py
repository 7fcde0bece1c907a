"""Writing a file so that it is whole or not there, also after a power cut."""

import contextlib
import os
import tempfile
from pathlib import Path

TEMPORARY = ".writing-"
"""How the name of a file begins that is being written; one that stays behind belongs to a process that was killed."""


def write_durably(path: Path, data: bytes) -> None:
    """Puts `data` at `path` (mode 0600) in one step; on return it is on the disk. Raises OSError."""
    handle, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # the new name has to reach the disk too
    finally:
        os.close(directory)
