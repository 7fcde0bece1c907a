"""`flashdeck lot`: so many good units with one image."""

import click

from flashdeck_tui.cli.group import CommandGroup


@click.group(cls=CommandGroup, package=__name__, names=("begin", "status", "end"))
def command() -> None:
    """Flash the units in slots with one image, and count them."""
