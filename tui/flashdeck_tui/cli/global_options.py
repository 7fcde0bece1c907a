"""Options of `flashdeck` itself. Each may stand before a command or behind it: both are written to the same place.

The place is `params` of the outermost context, where `connect` and `screen` read them.
"""

from typing import Any

import click

from flashdeck_tui.cli.output import be_quiet


def _quiet(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if value:
        be_quiet()
    return _kept(context, parameter, value)


def _kept(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Write what stood on the command line to the outermost context."""
    root, name = context.find_root(), parameter.name or ""
    if value and context is not root:
        root.params[name] = value
    return value


def own_options(**more: Any) -> list[click.Parameter]:
    """Return the options anew, with `more` attributes: a command owns its parameters."""
    return [
        click.Option(
            ["--socket"],
            type=click.Path(),
            metavar="PATH",
            callback=_kept,
            help="The daemon's socket; else $FLASHDECK_SOCKET, else flashdeck/flashdeckd.sock in $XDG_RUNTIME_DIR.",
            **more,
        ),
        click.Option(
            ["--virtual"],
            is_flag=True,
            callback=_kept,
            help="Talk to the daemon of an emulated bench (flashdeckd --virtual), never to one with real boards.",
            **more,
        ),
        click.Option(
            ["-q", "--quiet"], is_flag=True, callback=_quiet, help="Print no messages on stderr but errors.", **more
        ),
    ]


def taken_behind(command: click.Command) -> click.Command:
    """Let a command take them, too; where it has an option of such a name, that stays its own."""
    own = {spelling for parameter in command.params for spelling in parameter.opts}
    command.params += [option for option in own_options(expose_value=False, hidden=True) if own.isdisjoint(option.opts)]
    return command
