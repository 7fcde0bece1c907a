"""A flash that outlives its process: what it holds is in a file, and stays there however the process ends.

The file is mapped, shared with the system: a process that is killed in the middle of anything leaves in it exactly what
the emulated flash held.
"""

from mmap import mmap
from pathlib import Path

from flashdeck.errors import ConfigError
from flashdeckd.state.durable import write_durably


def kept(path: Path, initial: bytes) -> mmap:
    """The contents of the flash file at `path`; made with `initial` where it does not exist.

    Raises ConfigError where it can not be opened, or is not as large as the flash.
    """
    try:
        if not path.exists():
            write_durably(path, initial)
        with path.open("r+b") as file:
            if (size := file.seek(0, 2)) != len(initial):
                raise ConfigError(
                    f"the flash file {path} has {size} bytes, and the flash {len(initial)}",
                    hint="it belongs to another board: name another file, or delete it to begin anew",
                )
            return mmap(file.fileno(), len(initial))
    except OSError as error:
        raise ConfigError(f"the flash file {path} can not be used: {error.strerror}") from error
