"""The configuration file that `config` looks at."""

from pathlib import Path

import click

from flashdeck.config import Config
from flashdeck.config_file import load
from flashdeck.paths import default_config_path
from flashdeck_tui.cli.global_options import is_virtual_wanted

config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to look at. Default: the one that the daemon reads where it is not told another.",
)


def read(path: Path | None) -> Config:
    """Return the checked configuration; that of emulated boards where the command line is for those.

    Raises:
        ConfigError: it is invalid, or not there.
    """
    virtual = is_virtual_wanted(click.get_current_context())
    return load(path if path is not None else default_config_path(virtual=virtual))
