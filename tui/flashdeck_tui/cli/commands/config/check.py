"""`flashdeck config check`: whether the daemon would take the configuration."""

from collections.abc import Iterator
from pathlib import Path

import click

from flashdeck.api import UnconfirmedFile
from flashdeck.config import Config
from flashdeck.config_file import record_in
from flashdeck.config_trust import restricted
from flashdeck.errors import FlashdeckError
from flashdeck.extras import Extra, require
from flashdeck.paths import state_dir
from flashdeck.text import clean, counted
from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import ConfigChecked
from flashdeck_tui.cli.commands.config.config_path import config_option, read
from flashdeck_tui.cli.global_options import is_virtual_wanted
from flashdeck_tui.cli.output import put, put_json, say


@click.command()
@config_option
@click.option(
    "--state-dir",
    "place",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The daemon's state directory, which has what was confirmed. Default: the usual one.",
)
@options.as_json
def command(*, path: Path | None, place: Path | None, as_json: bool) -> None:
    """Check the configuration; exits with 11 and all mistakes where it is invalid.

    Also names what does not count in included files before 'flashdeck config trust FILE' confirms it.
    """
    config = read(path)
    virtual = is_virtual_wanted(click.get_current_context())
    record = record_in(place if place is not None else state_dir(virtual=virtual))
    unconfirmed = () if record is None else restricted(config, record)[1]
    notes = tuple(_notes(config))
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
                unconfirmed=tuple(
                    UnconfirmedFile(file=clean(str(each.file)), lines=each.lines, boards=each.boards)
                    for each in unconfirmed
                ),
                notes=notes,
            )
        )
    else:
        of_these = f" ({len(adopted)} adopted)" if adopted else ""
        boards, profiles = counted(len(config.boards), "board"), counted(len(config.profiles), "profile")
        put(f"ok: {boards}{of_these}, {profiles} in {', '.join(files)}")
        for each in unconfirmed:
            say(f"does not count before 'flashdeck config trust {clean(str(each.file))}':")
            for line in each.lines:
                say(f"  {line}")
        for note in notes:
            say(note)


def _notes(config: Config) -> Iterator[str]:
    """Yield what the configuration asks for, and this installation cannot do."""
    consoles = sorted(name for name, profile in config.profiles.items() if profile.console is not None)
    if consoles:
        try:
            require(Extra.CONSOLE, f"[profiles.{consoles[0]}.console]", otherwise="its boards are flashed all the same")
        except FlashdeckError as error:
            yield f"{error.message}; {error.hint}"
