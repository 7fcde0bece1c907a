"""`flashdeck config`: the configuration file, read here and not by the daemon."""

import click

from flashdeck_tui.cli.group import CommandGroup
from flashdeck_tui.cli.instead import CONFIG_COMMANDS


@click.group(cls=CommandGroup, package=__name__, names=("check", "show"), instead=CONFIG_COMMANDS)
def command() -> None:
    """Look at the configuration file."""
