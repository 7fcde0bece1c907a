"""The command line as a table: each command's options and arguments, and what their values are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("words.generated.json")
"""Made by `make schema` of the commands."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values of an option or an argument."""

    choices: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """Kinds that are asked for: "file", "dir", or what only the daemon knows (`live_words.KINDS`)."""


@dataclass(frozen=True, slots=True)
class KnownOption:
    """An option of a command."""

    names: tuple[str, ...]
    help: str = ""
    values: Values | None = None
    """None: it takes no value."""
    is_hidden: bool = False
    """True if it works, and is not proposed."""
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class KnownArgument:
    """A word of a command that is no option."""

    values: Values
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class CommandWords:
    """A command, or a group of them."""

    help: str = ""
    options: tuple[KnownOption, ...] = ()
    arguments: tuple[KnownArgument, ...] = ()
    commands: Mapping[str, "CommandWords"] = field(default_factory=dict[str, "CommandWords"])
    is_before_another: bool = False
    """True if another command line, of any program, stands behind `--`."""

    def option(self, name: str) -> KnownOption | None:
        """Return the option of this name."""
        return next((option for option in self.options if name in option.names), None)

    def argument(self, position: int) -> KnownArgument | None:
        """Return the argument at a position, counted from 0; None where there is none."""
        if position < len(self.arguments):
            return self.arguments[position]
        return self.arguments[-1] if self.arguments and self.arguments[-1].may_repeat else None


def load(file: Path = FILE) -> CommandWords:
    """Return the table of the command `flashdeck`."""
    return _command(json.loads(file.read_bytes()))


def _command(told: Mapping[str, Any]) -> CommandWords:
    return CommandWords(
        help=told.get("help", ""),
        options=tuple(
            KnownOption(
                names=tuple(each["names"]),
                help=each.get("help", ""),
                values=_values(each["values"]) if "values" in each else None,
                is_hidden=each.get("hidden", False),
                may_repeat=each.get("repeat", False),
            )
            for each in told.get("options", ())
        ),
        arguments=tuple(
            KnownArgument(_values(each["values"]), may_repeat=each.get("repeat", False))
            for each in told.get("arguments", ())
        ),
        commands={name: _command(each) for name, each in told.get("commands", {}).items()},
        is_before_another=told.get("before another", False),
    )


def _values(told: Mapping[str, Any]) -> Values:
    return Values(choices=tuple(told.get("choices", ())), kinds=tuple(told.get("kinds", ())))
