"""`flashdeck virtual`: the hands on an emulated bench, for a daemon that was started with `--virtual`."""

import click

from flashdeck_tui.cli.group import CommandGroup


@click.group(
    cls=CommandGroup, package=__name__, names=("list", "plug", "unplug", "swap", "press", "say", "fault", "dump")
)
def command() -> None:
    """Handle the boards of an emulated bench (flashdeckd --virtual)."""
