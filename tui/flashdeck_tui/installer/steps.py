"""Steps of an installation as values: what each does, and whether it needs root."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from flashdeck.value import Value

FILE_MODE: Final = "644"
"""Mode of the files that are written: services and other users' shells have to read them."""


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Writes a whole file, and the directories to it."""

    path: Path
    text: str
    as_root: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """Return a command that does it; the text is its input."""
        return ("install", "-D", "-m", FILE_MODE, "/dev/stdin", str(self.path))

    def __str__(self) -> str:
        return f"write {self.path}"


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Removes a file."""

    path: Path
    as_root: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """Return a command that does it."""
        return ("rm", "-f", "--", str(self.path))

    def __str__(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True, slots=True)
class Run:
    """Runs a command."""

    words: tuple[str, ...]
    as_root: bool = False
    may_fail: bool = False
    """True if the rest goes on without it."""

    def __str__(self) -> str:
        return f"run {shlex.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is left as it is, and what a person can do about it."""

    text: str

    def __str__(self) -> str:
        return self.text


class StepState(StrEnum):
    """The outcome of a step."""

    PLANNED = "planned"  # with --dry-run
    DONE = "done"
    FAILED = "failed"
    NEEDS_ROOT = "needs root"
    NOT_TRIED = "not tried"  # an earlier one had failed


class StepResult(Value, frozen=True, kw_only=True):
    """One step, and what became of it."""

    step: str
    state: StepState
    reason: str = ""
    """The words of what failed; "" where nothing did."""
    optional: bool = False
    """True if the rest goes on without it."""


Step = WriteFile | RemoveFile | Run
Line = Step | Remark


def steps_of(plan: Sequence[Line]) -> list[Step]:
    """Return what is done, without the remarks."""
    return [line for line in plan if not isinstance(line, Remark)]
