"""From the command line into the terminal interface, which is an extra."""

from importlib import import_module

import click

from flashdeck.errors import ExitCode, FlashdeckError
from flashdeck_tui import terminal
from flashdeck_tui.cli.connect import whereabouts
from flashdeck_tui.cli.output import complain

_EXTRA = "flashdeck[tui]"


def open_screen(context: click.Context) -> int:
    """Open the terminal interface on the daemon that is meant, and return its exit code once it is closed.

    Raises FlashdeckError where what it is made of is not installed.
    """
    if refused := terminal.refusal(instead="flashdeck status"):
        complain(refused)
        return ExitCode.USAGE
    terminal.end_with_it()  # before anything that takes its time: it may close while the screen starts
    try:
        app = import_module("flashdeck_tui.app")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("flashdeck"):
            raise  # one of our own: the installation is broken, no extra would mend it
        raise FlashdeckError(
            f"the terminal interface needs {error.name}, which is not installed",
            hint=f"pip install '{_EXTRA}'; the commands work without it, see 'flashdeck --help'",
        ) from error
    code: int = app.run(lambda: whereabouts(context))
    return code
