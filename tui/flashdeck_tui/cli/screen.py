"""From the command line into the terminal interface, which is an extra."""

from functools import partial
from importlib import import_module

import click

from flashdeck.errors import ExitCode
from flashdeck.extras import Extra, explained
from flashdeck_tui import terminal
from flashdeck_tui.cli.connect import address, whereabouts
from flashdeck_tui.cli.output import complain
from flashdeck_tui.cli.remote import named_hosts


def open_screen(context: click.Context) -> int:
    """Open the terminal interface on the daemon that is meant, or on those of several machines; return its exit code.

    The way to another machine never asks a person for anything: ssh would write into the screen. Raises FlashdeckError
    where what the interface is made of is not installed, and where the machine cannot be one.
    """
    hosts = {host: partial(address, context, host, asks=False) for host in named_hosts(context)}
    for where in hosts.values():
        where()  # a name that can be none is told before the screen opens
    if refused := terminal.refusal(instead="flashdeck status"):
        complain(refused)
        return ExitCode.USAGE
    terminal.end_with_it()  # before anything that takes its time: it may close while the screen starts
    with explained(Extra.TUI, "the screen", otherwise="the commands work without it, see 'flashdeck --help'"):
        app = import_module("flashdeck_tui.app")
    if trouble := terminal.driver_trouble():
        complain(trouble)
        return ExitCode.USAGE
    code: int = app.run_far(hosts) if hosts else app.run(partial(whereabouts, context))
    return code
