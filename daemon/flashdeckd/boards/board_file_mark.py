"""A mark in the state directory that there is a boards.toml: one that is gone later was lost, and never was absent."""

from pathlib import Path
from typing import Final

from flashdeck.errors import HostError
from flashdeckd.host import files
from flashdeckd.host.durable import write_durably

MARK_NAME: Final = "boards.toml.was-there"


class BoardFileMark:
    """The mark for the boards.toml of one configuration. All of it blocks."""

    def __init__(self, state_dir: Path, board_file: Path) -> None:
        self._mark = state_dir / MARK_NAME
        self._board_file = board_file
        self._text = str(board_file).encode(errors="surrogateescape")

    @property
    def is_lost(self) -> bool:
        """True if there was a boards.toml, and there is none any more."""
        return not files.is_named(self._board_file) and self._is_set

    @property
    def _is_set(self) -> bool:
        try:
            return files.contents(self._mark) == self._text
        except OSError:
            return False

    def set(self) -> None:
        """Remember that there is one, where there is; raises HostError."""
        if not files.is_named(self._board_file) or self._is_set:
            return
        try:
            write_durably(self._mark, self._text)
        except OSError as error:
            raise HostError(
                f"{self._mark} cannot be written: {error.strerror}", hint="see that the disk is not full"
            ) from error
