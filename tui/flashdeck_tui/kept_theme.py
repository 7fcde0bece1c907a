"""The colours that a person chose on the screen, kept in the state directory for the next time."""

import os
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from flashdeck.config_screen import ThemeName
from flashdeck.errors import FlashdeckError
from flashdeck.paths import ensure_private_dir, state_dir
from flashdeck.text import clean

FILE_NAME: Final = "screen.json"
MOST_BYTES: Final = 4096
"""Bytes of the file that are looked at."""


class _Kept(msgspec.Struct, frozen=True):
    theme: ThemeName


def kept_file() -> Path:
    """Return the path of the file; it may not exist."""
    return state_dir() / FILE_NAME


def kept_theme(file: Path) -> ThemeName | None:
    """Return the theme that was chosen last; None where none was, or the file says nothing of use."""
    try:
        with file.open("rb") as opened:
            return msgspec.json.decode(opened.read(MOST_BYTES), type=_Kept).theme
    except (OSError, msgspec.MsgspecError):
        return None


def keep_theme(file: Path, theme: ThemeName) -> None:
    """Write it down, whole or not at all; raises FlashdeckError."""
    ensure_private_dir(file.parent)
    text = msgspec.json.encode(_Kept(theme)) + b"\n"
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{FILE_NAME}-")
        try:
            with os.fdopen(descriptor, "wb") as written:
                written.write(text)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FlashdeckError(
            f"the theme is not kept: {clean(str(file.parent))}: {error.strerror}",
            hint='write it into the configuration, as [tui] theme = "light"',
        ) from error
