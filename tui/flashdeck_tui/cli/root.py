"""The command `flashdeck` itself: its global options and the list of its commands."""

from importlib import import_module

import click

from flashdeck import __version__
from flashdeck_tui.cli import instead
from flashdeck_tui.cli.global_options import own_options
from flashdeck_tui.cli.group import CommandGroup
from flashdeck_tui.cli.remote import host_option

COMMANDS = (
    "init",
    "status",
    "boards",
    "jobs",
    "history",
    "flash",
    "run",
    "plan",
    "rollback",
    "verify",
    "read",
    "erase",
    "reset",
    "wait",
    "follow",
    "cancel",
    "retry",
    "move",
    "logs",
    "console",
    "hold",
    "release",
    "take",
    "arm",
    "disarm",
    "units",
    "lot",
    "suggest",
    "adopt",
    "doctor",
    "report",
    "config",
    "install",
    "uninstall",
    "completion",
    "demo",
    "virtual",
    "connect",
    "serve",
)


@click.group(
    cls=CommandGroup,
    package="flashdeck_tui.cli.commands",
    names=COMMANDS,
    instead=instead.COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=own_options(),
)
@click.version_option(__version__, prog_name="flashdeck", message="%(prog)s %(version)s")
@click.pass_context
def root(context: click.Context, **_options: object) -> int:
    """Flashes freshly built firmware onto boards over USB DFU, through the daemon flashdeckd.

    Without a command it opens its screen, which needs the extra 'tui'. Data: stdout. Messages: stderr. The options may
    also stand behind a command.

    \b
    Exit codes: 0 ok, 1 other, 2 usage, 3 daemon unreachable, 4 no such board,
    partition or job, 5 flash or verify failed, 6 timeout, 7 ambiguous board,
    8 protocol mismatch, 9 refused by a guard or rule, 10 some boards failed,
    11 configuration invalid, 12 no permission, 13 on hold, blocked, disarmed,
    offered, superseded, unreadable or needs a person, 14 flashed, but does not run,
    130 interrupted.
    """  # noqa: D301 - \b is click's mark for a paragraph that is not to be wrapped
    if context.invoked_subcommand is not None:
        return 0
    code: int = import_module("flashdeck_tui.cli.screen").open_screen(context)
    return code


root.params.append(host_option())
