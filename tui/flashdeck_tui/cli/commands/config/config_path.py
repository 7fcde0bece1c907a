"""The configuration file that `config` looks at."""

from pathlib import Path

import click

from flashdeck.config import Config
from flashdeck.config_file import load
from flashdeck.paths import default_config_path

config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The file to look at. Default: the one that the daemon reads.",
)


def read(path: Path | None) -> Config:
    """The checked configuration.

    Raises:
        ConfigError: it is invalid, or not there.
    """
    return load(path if path is not None else default_config_path())
