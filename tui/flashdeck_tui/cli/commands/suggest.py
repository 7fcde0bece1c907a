"""`flashdeck suggest`: what is plugged in, as configuration."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.config import Config
from flashdeck.config_file import default_config, load
from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import SuggestedBoard, Suggestions
from flashdeck_tui.cli.commands.config.config_path import config_option
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.remote import only_host
from flashdeck_tui.cli.suggestion import suggestions, to_toml


@click.command()
@config_option
@options.as_json
def command(*, path: Path | None, as_json: bool) -> None:
    """Print the DFU devices that are not configured as configuration, ready to be pasted.

    It is what the daemon lists; no device is opened. Profiles are looked for in the configuration file.
    """
    if path is not None:
        config = load(path)
    else:  # another machine's configuration is not to be seen from here
        config = Config() if only_host(click.get_current_context()) else default_config()
    reply = ask(api.GetBoards())
    found = suggestions(reply.devices, reply.boards, config.profiles, config.boards)
    text = to_toml(found)
    if as_json:
        devices = (
            SuggestedBoard(
                device=each.device,
                name=each.name,
                profile=each.profile,
                profiles=each.profiles,
                serial=each.serial,
                port=each.port,
                adopt=each.adopt,
            )
            for each in found
        )
        put_json(Suggestions(devices=tuple(devices), toml=text))
    else:
        put(text.rstrip("\n"))
