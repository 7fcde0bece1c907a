"""`flashdeck demo`: the whole loop on emulated boards."""

from importlib import import_module

import click

from flashdeck_tui.cli import options


@click.command()
@click.option("--once", is_flag=True, help="Needs nobody: build and flash twice, print one table, and end.")
@options.as_json
def command(*, once: bool, as_json: bool) -> int:
    """Try flashdeck on emulated boards; touches no real one.

    On a terminal it opens the screen on three boards, with keys that build, unplug, plug and press. Without one, or
    with --json, it does what --once says. It starts a daemon of its own beside any that runs, and leaves nothing
    behind.
    """
    code: int = import_module("flashdeck_tui.demo").run(once=once, json=as_json)
    return code
