"""`flashdeck config`: the configuration file: read here, or by the daemon once more."""

import click

from flashdeck_tui.cli.group import CommandGroup


@click.group(cls=CommandGroup, package=__name__, names=("check", "show", "reload", "trust"))
def command() -> None:
    """Look at the configuration, and let the daemon follow it."""
