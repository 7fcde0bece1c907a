"""A group of commands that imports a command's module only when it is needed."""

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from flashdeck.errors import RequestError
from flashdeck.names import did_you_mean
from flashdeck.text import clean
from flashdeck_tui.cli.global_options import taken_behind
from flashdeck_tui.cli.remote import refuse_hosts, refuse_read_only, with_host_option

_NOTHING: Mapping[str, str] = MappingProxyType({})
_COMMANDS = "flashdeck_tui.cli.commands"
"""The package of the commands of `flashdeck` itself; a group's own is below it."""


class CommandGroup(click.Group):
    """Finds the command `NAME` as `command` in the module `NAME` of the package `package`.

    `flashdeck flash` then imports nothing of `flashdeck config`. Commands are listed in the order of `names`. `instead`
    says what to use in place of commands that people look for and that are none.
    """

    def __init__(
        self, *, package: str, names: tuple[str, ...], instead: Mapping[str, str] = _NOTHING, **attributes: Any
    ) -> None:
        super().__init__(no_args_is_help=False, **attributes)
        self._package = package
        self._names = names
        self._instead = instead
        self._found: dict[str, click.Command] = {}

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
        if cmd_name not in self._found:
            command = taken_behind(import_module(f"{self._package}.{cmd_name}").command)
            is_group = isinstance(command, click.Group)
            self._found[cmd_name] = command if is_group else with_host_option(command, self._path(cmd_name))
        return self._found[cmd_name]

    def _path(self, name: str) -> str:
        """Return a command with the groups that it is in, whoever asks: a command is given its options once."""
        groups = self._package.removeprefix(_COMMANDS).split(".")
        return " ".join((*filter(None, groups), name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; raises RequestError, with what there is instead, where it is none."""
        word = args[0]
        if word in self._names or word.startswith("-") or ctx.resilient_parsing:
            path = self._path(word)
            refuse_hosts(ctx, path)
            if ctx.find_root().params.get("read_only"):
                refuse_read_only(path)
            return super().resolve_command(ctx, args)
        raise RequestError(
            f"'{ctx.command_path}' has no command '{clean(word)}'",
            hint=self._instead.get(word) or did_you_mean(word, self._names) or f"see '{ctx.command_path} --help'",
        )
