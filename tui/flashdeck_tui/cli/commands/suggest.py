"""`flashdeck suggest`: what is plugged in and what was built, as configuration."""

from pathlib import Path

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.config import Config
from flashdeck.config_file import load
from flashdeck.errors import ConnectionFailedError
from flashdeck.model import DaemonState, DeviceMode
from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import SuggestedBoard, SuggestedChip, SuggestedPartition, Suggestions
from flashdeck_tui.cli.commands.config.config_path import config_option
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.daemon_program import builds_below, plugged_devices, without_daemon
from flashdeck_tui.cli.global_options import own_words
from flashdeck_tui.cli.output import put, put_json, say
from flashdeck_tui.cli.remote import only_host
from flashdeck_tui.cli.suggestion import Suggestion, suggestions, to_toml
from flashdeck_tui.first_steps.config_place import ConfigPlace


@click.command()
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path), metavar="[DIR]")
@config_option
@options.as_json
def command(*, directory: Path | None, path: Path | None, as_json: bool) -> None:
    """Print the DFU devices that are not configured as configuration, ready to be pasted.

    No device is opened: the chip is told from what the kernel knows of it. With DIR, the builds below it become
    partitions, by the addresses that they are linked for; what lies below the lowest is the bootloader, protected.

    The devices are those that the daemon lists; without one, 'flashdeckd scan' looks. Profiles are looked for in the
    configuration file.
    """
    is_elsewhere = bool(only_host(click.get_current_context()))
    if directory is not None and is_elsewhere:
        raise click.UsageError("DIR is on this machine, and a board on another watches files of its own")
    if directory is not None and not directory.is_dir():
        raise click.UsageError(f"there is no directory {directory}")
    reply, daemon = _plugged()
    if path is not None:
        config, file = load(path), path
    elif is_elsewhere:  # its configuration is not to be seen from here
        config, file = Config(), None
    else:
        place = ConfigPlace.of(daemon)
        config, file = place.config, place.main
    builds = None
    if directory is not None:
        scanned = builds_below(directory)
        builds = scanned.builds or ()
        for note in scanned.notes:
            say(note)
        if not builds:
            say(f"no build that could be flashed was found below {directory}")
    program = own_words(click.get_current_context())
    found = suggestions(reply.devices, reply.boards, config.profiles, config.boards, builds, program=program)
    text = to_toml(found, reply.running, file, program)
    if as_json:
        put_json(Suggestions(devices=tuple(map(_told, found)), running=reply.running, toml=text))
    else:
        put(text.rstrip("\n"))


async def _known(client: Client) -> tuple[api.BoardList, DaemonState]:
    return await client.call(api.GetBoards()), (await client.call(api.GetStatus())).daemon


def _plugged() -> tuple[api.BoardList, DaemonState | None]:
    """Return boards and devices, and the daemon; where none runs, the devices that are plugged in."""
    try:
        return converse(_known)
    except ConnectionFailedError as error:
        without_daemon(error)
    scanned = plugged_devices()
    for trouble in filter(None, (scanned.trouble, *scanned.unread)):
        say(trouble)
    devices = scanned.devices or ()
    plugged = api.BoardList(
        boards=(),
        devices=tuple(each for each in devices if each.mode is DeviceMode.DFU),
        running=tuple(each for each in devices if each.mode is not DeviceMode.DFU),
    )
    return plugged, None


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
