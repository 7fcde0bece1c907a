"""Planted bugs: mistakes that a careful person makes, each a patch beside this file, for the simulation to find.

A patch begins with a few lines: the rules of DESIGN that it breaks, the seam that it is at, what somebody thought who
wrote it so, the order of events in which it shows, and the seed that has found it last. An ordinary first flash goes
well with each of them.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from limits.tree import ROOT

RULES: Final = tuple(str(number) for number in (*range(1, 11), 12, 13))
"""The rules of which each has a planted bug at least."""
SEAMS: Final = (
    "pyusb backend",
    "hotplug",
    "build source",
    "clock",
    "randomness",
    "threads",
    "processes",
    "files",
    "serial lines",
    "journal",
    "spool",
    "socket",
)
"""The places at which the simulation takes over from reality, of which each has one, too."""
_HERE: Final = Path(__file__).parent
_FIELD: Final = re.compile(r"(?m)^(Rule|Seam|Thought|Shows|Seed): (.+(?:\n(?![A-Z][a-z]+: |\n).+)*)")
_FILE: Final = re.compile(r"(?m)^\+\+\+ b/(.+)$")


class StalePlantError(Exception):
    """A patch does not fit the product any more."""


@dataclass(frozen=True, slots=True)
class Plant:
    """A planted bug."""

    name: str
    rule: str
    """The number of the rule that it breaks; "" where it is none of those."""
    seam: str
    """The seam that it is at; "" where it is at none."""
    thought: str
    """The thought of whoever wrote it so."""
    shows: str
    """The order of events in which it shows."""
    seed: int
    """The seed that has found it last; 0: none has yet."""
    patch: str

    @classmethod
    def of(cls, path: Path) -> "Plant":
        """Return the bug in a file."""
        text = path.read_text()
        head, _, _ = text.partition("\ndiff --git ")
        said = {name: " ".join(words.split()) for name, words in _FIELD.findall(head)}
        return cls(
            path.stem,
            said.get("Rule", ""),
            said.get("Seam", ""),
            said.get("Thought", ""),
            said.get("Shows", ""),
            int(said.get("Seed", "0")),
            text,
        )

    @property
    def of_what(self) -> str:
        """The rule and the seam in words."""
        return ", ".join(part for part in (f"rule {self.rule}" if self.rule else "", self.seam) if part)

    def files(self, root: Path = ROOT) -> dict[Path, str]:
        """Return the files of the product with the bug in them, by their paths from the root.

        Raises StalePlantError where the patch does not apply.
        """
        paths = [Path(name) for name in _FILE.findall(self.patch)]
        with tempfile.TemporaryDirectory(prefix="flashdeck-plant-") as place:
            for path in paths:
                (Path(place) / path).parent.mkdir(parents=True, exist_ok=True)
                if (root / path).is_file():
                    (Path(place) / path).write_text((root / path).read_text())
            done = subprocess.run(
                ("git", "apply", "--whitespace=nowarn", "-"),  # noqa: S607 -- as everywhere in the workshop
                cwd=place,
                input=self.patch,
                capture_output=True,
                text=True,
                check=False,
                env={"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(Path(place).parent)},
            )
            if done.returncode:
                raise StalePlantError(
                    f"tests/simulation/planted/{self.name}.patch does not apply any more: make it again for the code "
                    f"as it is now, or take it out where the mistake cannot be made there\n{done.stderr.strip()}"
                )
            return {path: (Path(place) / path).read_text() for path in paths}


def plants() -> Iterator[Plant]:
    """All planted bugs, by name."""
    return (Plant.of(path) for path in sorted(_HERE.glob("*.patch")))
