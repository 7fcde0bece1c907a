"""`flashdeck config`: the configuration file, read here and not by the daemon."""

import click

from flashdeck_tui.cli.group import CommandGroup


@click.group(cls=CommandGroup, package=__name__, names=("check", "show"))
def command() -> None:
    """Look at the configuration file."""
