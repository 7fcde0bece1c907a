"""A group of commands that imports a command's module only when it is needed."""

import sys
from importlib import import_module
from typing import Any

import click


class CommandGroup(click.Group):
    """Finds the command `NAME` as `command` in the module `NAME` of the package `package`.

    `flashdeck flash` then imports nothing of `flashdeck config`. Commands are listed in the order of `names`.
    """

    def __init__(self, *, package: str, names: tuple[str, ...], **attributes: Any) -> None:
        super().__init__(no_args_is_help=False, **attributes)
        self._package = package
        self._names = names

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in their order."""
        del ctx
        return list(self._names)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, each with its whole first sentence: click would end it in the middle."""
        found = ((name, self.get_command(ctx, name)) for name in self._names)
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(sys.maxsize)) for name, command in found if command])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command `cmd_name`, or None where there is none."""
        del ctx
        if cmd_name not in self._names:
            return None
        command: click.Command = import_module(f"{self._package}.{cmd_name}").command
        return command
