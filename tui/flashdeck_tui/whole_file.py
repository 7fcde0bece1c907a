"""A file that is written as a whole, or not at all: it has its name only once all of it is on the disk."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.text import clean


def require_place(file: Path, *, overwrite: bool, hint: str) -> None:
    """Raise RequestError where it is plain that a file cannot be written: nobody is asked for its bytes then.

    With `hint` where it exists and is not to be replaced.
    """
    shown = clean(str(file))
    if str(file) == "-":
        raise RequestError("- is no name of a file", hint="the bytes go into a file: name one, as out.bin")
    if file.exists() and not overwrite:
        raise RequestError(f"{shown} exists", hint=hint)
    if file.is_dir():
        raise RequestError(f"{shown} is a directory", hint="name a file in it")
    if not file.parent.is_dir():
        raise RequestError(f"there is no directory {clean(str(file.parent))}", hint="make it, or name another file")


def write_whole(file: Path, data: bytes, *, overwrite: bool, hint: str) -> None:
    """Write a file.

    Raises RequestError, with the hint, where it exists and is not to be replaced; FlashdeckError where it cannot be
    written.
    """
    shown = clean(str(file))
    whole = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with whole.open("xb") as written:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())
        if overwrite:
            whole.replace(file)
        else:
            _give_new_name(whole, file)
    except FileExistsError as error:
        raise RequestError(f"{shown} exists", hint=hint) from error
    except PermissionError as error:
        raise FlashdeckError(f"{shown} cannot be written: {error.strerror}", kind=ErrorKind.NO_PERMISSION) from error
    except OSError as error:
        raise FlashdeckError(f"{shown} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            whole.unlink()


def _give_new_name(whole: Path, file: Path) -> None:
    """Give a file the name that it is to have; raises FileExistsError where another one has it."""
    try:
        os.link(whole, file)  # unlike a rename, it replaces nothing
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if file.exists():
            raise FileExistsError from None
        whole.replace(file)
