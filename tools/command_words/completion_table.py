"""The table by which shells complete command lines, made of click's commands."""

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

import click

from flashdeck_tui.cli.before_command import BeforeCommand
from flashdeck_tui.cli.root import root

_Told = dict[str, Any]
_HELP = ["-h", "--help"]


def rendered() -> str:
    """Return the text of the table."""
    return (
        json.dumps(
            _command(root, click.Context(root, info_name="flashdeck", help_option_names=_HELP)),
            separators=(",", ":"),
            ensure_ascii=True,
        )
        + "\n"
    )


def _command(command: click.Command, context: click.Context) -> _Told:
    parameters = command.get_params(context)
    told: _Told = {"help": command.get_short_help_str(sys.maxsize).rstrip(".")}
    told["options"] = [_option(each, context) for each in parameters if isinstance(each, click.Option)]
    arguments = [
        {"values": _values(each, context), **({"repeat": True} if each.nargs == -1 else {})}
        for each in parameters
        if isinstance(each, click.Argument)
    ]
    if arguments:
        told["arguments"] = arguments
    if isinstance(command, BeforeCommand):
        told["before another"] = True
    if isinstance(command, click.Group):
        found = {name: command.get_command(context, name) for name in command.list_commands(context)}
        told["commands"] = {
            name: _command(each, click.Context(each, parent=context, info_name=name))
            for name, each in found.items()
            if each is not None
        }
    return told


def _option(option: click.Option, context: click.Context) -> _Told:
    told: _Told = {"names": [*option.opts, *option.secondary_opts]}
    if option.help:
        told["help"] = _sentence(option.help)
    if not option.is_flag and not option.count:
        told["values"] = _values(option, context)
    if option.hidden:
        told["hidden"] = True
    if option.multiple:
        told["repeat"] = True
    return told


def _values(parameter: click.Parameter, context: click.Context) -> Mapping[str, list[str]]:
    """Return what a shell may propose for a value: click's own protocol, in which the type of an item is its kind."""
    items = parameter.shell_complete(context, "")
    choices = [item.value for item in items if item.type == "plain"]
    kinds = [item.type for item in items if item.type != "plain"]
    return {**({"choices": choices} if choices else {}), **({"kinds": kinds} if kinds else {})}


def _sentence(help_text: str) -> str:
    """Return the first sentence of a help: a shell shows one line for each word."""
    return re.split(r"[.;] ", help_text, maxsplit=1)[0].rstrip(".")
