"""A flash that outlives its process: its bytes are in a file, and stay there however the process ends.

The file is mapped, shared with the system: a process that is killed in the middle of anything leaves in it exactly the
bytes of the emulated flash.
"""

from mmap import mmap
from pathlib import Path

from flashdeck.errors import ConfigError
from flashdeckd.host import files
from flashdeckd.host.durable import write_durably


def kept(path: Path, initial: bytes) -> mmap:
    """The contents of the flash file at `path`; made with `initial` where it does not exist.

    Raises ConfigError where it cannot be opened, or is not as large as the flash.
    """
    try:
        if not files.exists(path):
            write_durably(path, initial)
        descriptor = files.open_to_change(path)
        try:
            if (size := files.open_status(descriptor).st_size) != len(initial):
                raise ConfigError(
                    f"the flash file {path} has {size} bytes, and the flash {len(initial)}",
                    hint="it belongs to another board: name another file, or delete it to begin anew",
                )
            return mmap(descriptor, len(initial))
        finally:
            files.close(descriptor)
    except OSError as error:
        raise ConfigError(f"the flash file {path} cannot be used: {error.strerror}") from error
