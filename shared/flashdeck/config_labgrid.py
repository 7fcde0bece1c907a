"""The keys of [labgrid]: the pool of a lab that the boards of this daemon are part of. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Final

from flashdeck.lab_user import LAB_USER_PATTERN, LONGEST_LAB_NAME
from flashdeck.ssh_destination import LONGEST_DESTINATION, PATTERN, checked_destination
from flashdeck.text import clean
from flashdeck.toml.spellings import read_text
from flashdeck.toml.tables import Spelling, Table, WrongValueError, key, spelled

DEFAULT_PORT: Final = 20408
"""The TCP port of a labgrid coordinator that names none."""
_NAME: Final = rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{LONGEST_LAB_NAME - 1}}}"
"""Not a slash, which parts the path of a resource, nor what a pattern of labgrid gives a meaning to."""
_COORDINATOR: Final = rf"(?:{_NAME}|\[[0-9A-Fa-f:.]{{2,60}}\])(?::[0-9]{{1,5}})?"


def _matched(pattern: str, what: str, example: str) -> Callable[[object, Path], str]:
    compiled = re.compile(pattern, re.ASCII)

    def read(value: object, _folder: Path) -> str:
        text = read_text(value)
        if compiled.fullmatch(text) is None:
            raise WrongValueError(f'"{clean(text, 60)}" is no {what}', f"write it as {example}")
        return text

    return read


def _spelling(pattern: str, what: str, example: str) -> Spelling:
    return Spelling(_matched(pattern, what, example), {"type": "string", "pattern": f"^({pattern})$"})


def _destination(value: object, _folder: Path) -> str:
    return checked_destination(read_text(value, LONGEST_DESTINATION))


Coordinator = Annotated[str, spelled(_spelling(_COORDINATOR, "address of a coordinator", '"lab.example:20408"'))]
LabName = Annotated[str, spelled(_spelling(_NAME, "name that labgrid can have in a path", '"rack-1"'))]
LabUser = Annotated[
    str, spelled(_spelling(LAB_USER_PATTERN, "user of a lab", '"host/user", as `labgrid-client who` lists it'))
]
_SSH: Final = Spelling(_destination, {"type": "string", "maxLength": LONGEST_DESTINATION, "pattern": f"^({PATTERN})$"})


@dataclass(frozen=True, kw_only=True)
class LabgridTable(Table):
    """A labgrid coordinator whose pool has the boards of this daemon; only in the main file.

    It needs the extra labgrid. Whoever acquires a place with a board has it: builds and jobs of everybody else wait.
    """

    hints: ClassVar[Mapping[str, str]] = {"coordinator": 'say where it listens, as coordinator = "lab.example:20408"'}

    coordinator: Annotated[Coordinator, key(f"Host and port of the coordinator; without a port it is {DEFAULT_PORT}.")]
    name: Annotated[
        LabName | None,
        key("Name of this exporter, the first part of a resource's path. Default: that of this machine."),
    ] = None
    group: Annotated[
        LabName | None, key("Group of all boards, the second part of the path. Default: a group a board, by its name.")
    ] = None
    only_for: Annotated[
        LabUser | None,
        key(
            "Builds flash by themselves only while exactly this user (host/user) has acquired the board's place; until "
            "then they wait. Default: also while nobody has."
        ),
    ] = None
    host: Annotated[
        LabName | None, key("Name under which clients reach this machine. Default: that of this machine.")
    ] = None
    ssh: Annotated[
        Annotated[str, spelled(_SSH)] | None,
        key("The goal of ssh for clients on other machines: user@box. Default: they take `host`."),
    ] = None

    @property
    def address(self) -> str:
        """Return host and port of the coordinator."""
        has_port = re.search(r":[0-9]{1,5}$", self.coordinator) is not None
        return self.coordinator if has_port else f"{self.coordinator}:{DEFAULT_PORT}"
