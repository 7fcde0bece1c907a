"""The place of one run of `make packages`, and the environment in which programs run there."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "FLASHDECK_PACKAGES"
"""Tells the suite the directory that all was prepared in."""
_DROPPED = ("PYTHON", "FLASHDECK_", "XDG_", "VIRTUAL_ENV", "PIPX_", "UV_TOOL_", "PYTEST_", "COV_", "MAKE", "MFLAGS")
"""The beginnings of variables that would let something of this process, or of its user, shine through."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """The directory, and what lies in it."""

    root: Path

    @property
    def wheel(self) -> Path:
        (found,) = (self.root / "dist").glob("*.whl")
        return found

    @property
    def sdist(self) -> Path:
        (found,) = (self.root / "dist").glob("*.tar.gz")
        return found

    @property
    def older_wheel(self) -> Path:
        (found,) = (self.root / "older").glob("*.whl")
        return found

    @property
    def clone(self) -> Path:
        return self.root / "clone" / "flashdeck"

    @property
    def wheels(self) -> Path:
        """Everything that pip may install, so that it need not ask an index each time."""
        return self.root / "wheels"

    @property
    def programs(self) -> Path:
        """The programs that users install with, and no flashdeck."""
        return self.root / "programs"

    def variables(self, home: Path) -> dict[str, str]:
        """Return the environment of a user whose home is `home`."""
        home.mkdir(parents=True, exist_ok=True)
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)},
            "HOME": str(home),
            "PATH": os.pathsep.join((str(home / ".local" / "bin"), str(self.programs), *_SYSTEM)),
            "PIPX_HOME": str(home / "pipx"),
            "PIPX_BIN_DIR": str(home / ".local" / "bin"),
            "PIPX_MAN_DIR": str(home / ".local" / "share" / "man"),
            "UV_TOOL_DIR": str(home / "uv tools"),
            "UV_TOOL_BIN_DIR": str(home / ".local" / "bin"),
            "UV_CACHE_DIR": str(self.root / "uv-cache"),
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_CACHE_DIR": str(self.root / "pip-cache"),
        }


_SYSTEM = tuple(
    dict.fromkeys(str(Path(found).parent) for name in ("sh", "git", "make") if (found := shutil.which(name)))
)
