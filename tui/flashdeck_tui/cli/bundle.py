"""A .tar.gz of a few named parts, written to one new file."""

import io
import os
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.text import clean


def write_bundle(path: Path, parts: Mapping[str, bytes]) -> int:
    """Writes `parts` by name into a new file (0600); its size.

    Owner and mode of whoever writes it are not in it. Raises RequestError where there is a file already: it stays as
    it is; FlashdeckError where it cannot be written: then none is left.
    """
    shown = clean(str(path))
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise RequestError(f"{shown} is there already", hint="name another file with --output") from error
    except OSError as error:
        raise _unwritable(shown, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            _write(file, parts)
            return file.tell()
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(shown, error) from error
        raise


def _write(file: io.BufferedWriter, parts: Mapping[str, bytes]) -> None:
    now = int(time.time())
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in parts.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), now, 0o644
            archive.addfile(member, io.BytesIO(data))


def _unwritable(shown: str, error: OSError) -> FlashdeckError:
    return FlashdeckError(
        f"{shown} cannot be written: {error.strerror}",
        hint="name a file with --output, in a directory that you may write to",
        kind=ErrorKind.NO_PERMISSION if isinstance(error, PermissionError) else ErrorKind.OTHER,
    )
