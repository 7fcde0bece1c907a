"""`flashdeck suggest`: what is plugged in and what was built, as configuration."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.config import Config
from flashdeck.config_file import default_config, load
from flashdeck.errors import ConnectionFailedError
from flashdeck.model import DeviceMode
from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import SuggestedBoard, SuggestedChip, SuggestedPartition, Suggestions
from flashdeck_tui.cli.commands.config.config_path import config_option
from flashdeck_tui.cli.connect import ask
from flashdeck_tui.cli.daemon_program import builds_below, plugged_devices, without_daemon
from flashdeck_tui.cli.output import put, put_json, say
from flashdeck_tui.cli.remote import only_host
from flashdeck_tui.cli.suggestion import Suggestion, suggestions, to_toml


@click.command()
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path), metavar="[DIRECTORY]")
@config_option
@options.as_json
def command(*, directory: Path | None, path: Path | None, as_json: bool) -> None:
    """Print the DFU devices that are not configured as configuration, ready to be pasted.

    No device is opened: the chip is told from what the kernel knows of it. With DIRECTORY, the builds below it become
    partitions, by the addresses that they are linked for; what lies below the lowest is the bootloader, protected.

    The devices are those that the daemon lists; without one, 'flashdeckd scan' looks. Profiles are looked for in the
    configuration file.
    """
    is_elsewhere = bool(only_host(click.get_current_context()))
    if directory is not None and is_elsewhere:
        raise click.UsageError("DIRECTORY is on this machine, and a board on another watches files of its own")
    if directory is not None and not directory.is_dir():
        raise click.UsageError(f"there is no directory {directory}")
    if path is not None:
        config = load(path)
    elif is_elsewhere:  # its configuration is not to be seen from here
        config = Config()
    else:
        config = default_config()
    reply = _plugged()
    builds = None
    if directory is not None:
        scanned = builds_below(directory)
        builds = scanned.builds or ()
        for note in scanned.notes:
            say(note)
        if not builds:
            say(f"no build that could be flashed was found below {directory}")
    found = suggestions(reply.devices, reply.boards, config.profiles, config.boards, builds)
    text = to_toml(found, reply.running, path)
    if as_json:
        put_json(Suggestions(devices=tuple(map(_told, found)), running=reply.running, toml=text))
    else:
        put(text.rstrip("\n"))


def _plugged() -> api.BoardList:
    """Return the daemon's boards and devices; where no daemon runs, the devices that are plugged in."""
    try:
        return ask(api.GetBoards())
    except ConnectionFailedError as error:
        without_daemon(error)
    scanned = plugged_devices()
    for trouble in filter(None, (scanned.trouble, *scanned.unread)):
        say(trouble)
    devices = scanned.devices or ()
    return api.BoardList(
        boards=(),
        devices=tuple(each for each in devices if each.mode is DeviceMode.DFU),
        running=tuple(each for each in devices if each.mode is not DeviceMode.DFU),
    )


def _told(suggestion: Suggestion) -> SuggestedBoard:
    planned = suggestion.layout.partitions if suggestion.layout is not None else ()
    return SuggestedBoard(
        device=suggestion.device,
        name=suggestion.name,
        profile=suggestion.profile,
        profiles=suggestion.profiles,
        serial=suggestion.serial,
        port=suggestion.port,
        adopt=suggestion.adopt,
        chips=tuple(
            SuggestedChip(name=each.name, alike=each.alike, reason=each.reason) for each in suggestion.chips.guesses
        ),
        chip_note=suggestion.chips.note,
        partitions=tuple(
            SuggestedPartition(
                name=each.name,
                address=each.span.start,
                size=each.span.size,
                protected=each.protected,
                image=each.image,
            )
            for each in planned
        ),
    )
