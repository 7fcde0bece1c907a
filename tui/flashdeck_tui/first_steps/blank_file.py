"""Writes a file where there is none, or one that says nothing; never over anything."""

import os
from pathlib import Path
from typing import Final

from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.text import MAX_PATH, clean

FILE_MODE: Final = 0o644
"""Mode of a file that is written: whoever may look into the directory may read it."""
_FOLDER_MODE: Final = 0o700


def is_blank(path: Path) -> bool:
    """Tell whether a file is there and has nothing but white space."""
    try:
        return path.is_file() and not path.read_bytes().strip()
    except OSError:
        return False


def write_new(path: Path, text: str) -> None:
    """Write a file to its end. Raises FlashdeckError, and RequestError where something is there."""
    shown = clean(str(path), MAX_PATH)
    was_blank = is_blank(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
    except OSError as error:
        raise _refused(shown, error) from error
    try:
        flags = os.O_RDWR if was_blank else os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = os.open(path, flags | os.O_CLOEXEC, FILE_MODE)
    except FileExistsError as error:
        raise RequestError(f"{shown} is there already, and is not overwritten", hint="move it away") from error
    except OSError as error:
        raise _refused(shown, error) from error
    try:
        with os.fdopen(descriptor, "r+b" if was_blank else "wb") as file:
            if was_blank and file.read().strip():
                raise RequestError(f"{shown} was just written by somebody else", hint="look at it, and run this again")
            file.seek(0)
            file.write(text.encode())
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if not was_blank:
            path.unlink(missing_ok=True)
        raise _refused(shown, error) from error


def _refused(shown: str, error: OSError) -> FlashdeckError:
    kind = ErrorKind.NO_PERMISSION if isinstance(error, PermissionError) else ErrorKind.OTHER
    return FlashdeckError(f"{shown} cannot be written: {error.strerror}", hint="look at its directory", kind=kind)
