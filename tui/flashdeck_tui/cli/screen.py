"""From the command line into the terminal interface, which is an extra."""

from importlib import import_module

import click

from flashdeck.errors import ExitCode
from flashdeck.extras import Extra, explained
from flashdeck_tui import terminal
from flashdeck_tui.cli.connect import whereabouts
from flashdeck_tui.cli.output import say


def open_screen(context: click.Context) -> int:
    """Open the terminal interface on the daemon that is meant, and return its exit code once it is closed.

    Raises FlashdeckError where what it is made of is not installed.
    """
    if refused := terminal.refusal(instead="flashdeck status"):
        say(refused)
        return ExitCode.USAGE
    terminal.end_with_it()  # before anything that takes its time: it may close while the screen starts
    with explained(Extra.TUI, "the screen", otherwise="the commands work without it, see 'flashdeck --help'"):
        app = import_module("flashdeck_tui.app")
    code: int = app.run(lambda: whereabouts(context))
    return code
