"""The configuration that the daemon reads, and where a new file beside it goes."""

import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from flashdeck.config import Config
from flashdeck.config_file import default_reading, reading_of
from flashdeck.model import DaemonState
from flashdeck.paths import default_config_path
from flashdeck_tui.first_steps.blank_file import is_blank


@dataclass(frozen=True, slots=True)
class ConfigPlace:
    """The configuration that there is, and where the new one goes."""

    main: Path
    """The file that the daemon reads."""
    config: Config
    """The configuration as it is."""
    has_main: bool
    """True if the main file is there and says something: it is not changed then."""

    @classmethod
    def of(cls, daemon: DaemonState | None) -> "ConfigPlace":
        """Return the place of the daemon's configuration. Raises ConfigError where there is one that is invalid."""
        state = daemon.configuration if daemon is not None else None
        is_virtual = daemon is not None and daemon.virtual
        main = default_config_path(virtual=is_virtual)
        if state is not None and state.files and (Path(state.files[0]) != main or os.path.lexists(main)):
            main = Path(state.files[0])
            return cls(main, reading_of(main).checked(), has_main=not is_blank(main))
        has_main = os.path.lexists(main) and not is_blank(main)
        return cls(main, default_reading(virtual=is_virtual).checked(), has_main=has_main)

    def file(self, profile: str, text: str = "") -> Path:
        """Return the file for a new profile: one that is not there, or one that has this very text."""
        if not self.has_main:
            return self.main
        names = (f"{profile}{'' if number == 1 else f'-{number}'}.toml" for number in count(1))
        return next(path for name in names if _is_free(path := self.main.with_name(name), text))


def _is_free(path: Path, text: str) -> bool:
    """Tell whether a file can be written there, or has that text already."""
    return not os.path.lexists(path) or has_text(path, text)


def has_text(path: Path, text: str) -> bool:
    """Tell whether a file has just that text: an earlier run has written it."""
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False
