"""Options of `flashdeck` itself. Each may stand before a command or behind it: both are written to the same place.

The place is `params` of the outermost context, where `connect` and `screen` read them.
"""

from typing import Any

import click

from flashdeck_tui.cli.output import be_quiet
from flashdeck_tui.cli.remote import named_hosts, path_of, refuse_read_only


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


def _narrowed(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if value and not context.resilient_parsing:
        refuse_read_only(path_of(context))
    return _kept(context, parameter, value)


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
            ["--read-only"],
            is_flag=True,
            callback=_narrowed,
            help="Only look: the daemon refuses what changes something or touches a board.",
            **more,
        ),
        click.Option(
            ["-q", "--quiet"], is_flag=True, callback=_quiet, help="Print no messages on stderr but errors.", **more
        ),
    ]


def is_virtual_wanted(context: click.Context) -> bool:
    """Return whether the command line says that it is for emulated boards only."""
    return bool(context.find_root().params.get("virtual"))


def own_words(context: click.Context) -> tuple[str, ...]:
    """Return how a command line begins that reaches the same daemon, to be pasted."""
    given = context.find_root().params
    socket = ("--socket", str(given["socket"])) if given.get("socket") else ()
    hosts = (word for host in named_hosts(context) for word in ("--host", host))
    return ("flashdeck", *hosts, *socket, *(("--virtual",) if given.get("virtual") else ()))


def taken_behind(command: click.Command) -> click.Command:
    """Let a command take them, too; where it has an option of such a name, that stays its own."""
    own = {spelling for parameter in command.params for spelling in parameter.opts}
    command.params += [option for option in own_options(expose_value=False, hidden=True) if own.isdisjoint(option.opts)]
    return command
