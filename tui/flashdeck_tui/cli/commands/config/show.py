"""`flashdeck config show`: the configuration as the daemon understands it."""

from pathlib import Path

import click

from flashdeck.config_show import to_builtins, to_toml
from flashdeck.full_json import full_json
from flashdeck_tui.cli import options
from flashdeck_tui.cli.commands.config.config_path import config_option, read
from flashdeck_tui.cli.output import put


@click.command()
@config_option
@options.as_json
def command(*, path: Path | None, as_json: bool) -> None:
    """Show the configuration with every default filled in and every path resolved, as TOML."""
    config = read(path)
    if as_json:
        put(full_json(to_builtins(config)))
    else:
        put(to_toml(config).rstrip("\n"))
