"""`flashdeck config check`: whether the daemon would take the configuration."""

from pathlib import Path

import click

from flashdeck.text import clean, counted
from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import ConfigChecked
from flashdeck_tui.cli.commands.config.config_path import config_option, read
from flashdeck_tui.cli.output import put, put_json


@click.command()
@config_option
@options.as_json
def command(*, path: Path | None, as_json: bool) -> None:
    """Check the configuration; exits with 11 and all mistakes where it is invalid."""
    config = read(path)
    files = [clean(str(file)) for file in config.files]
    adopted = sorted(board.name for board in config.boards.values() if board.pins is not None)
    if as_json:
        put_json(
            ConfigChecked(
                ok=True,
                files=tuple(files),
                profiles=tuple(sorted(config.profiles)),
                boards=tuple(sorted(config.boards)),
                adopted=tuple(adopted),
            )
        )
    else:
        of_these = f" ({len(adopted)} adopted)" if adopted else ""
        boards, profiles = counted(len(config.boards), "board"), counted(len(config.profiles), "profile")
        put(f"ok: {boards}{of_these}, {profiles} in {', '.join(files)}")
