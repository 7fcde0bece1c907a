"""A socket for the members of a group: which group that is, and a directory through which they get, and nobody else."""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from flashdeck.config import LONGEST_ACCOUNT
from flashdeck.errors import ConfigError, ErrorKind, FlashdeckError
from flashdeck.paths import ensure_private_dir, shared_socket
from flashdeck.text import clean
from flashdeck.toml.reader import read_values
from flashdeckd.host import accounts, files, processes

SOCKET_MODE: Final = 0o660
DIRECTORY_MODE: Final = 0o750
_ROOT: Final = 0


@dataclass(frozen=True, slots=True)
class DoorGroup:
    """The group whose members may connect."""

    name: str
    number: int
    served_by: str
    """The name of the daemon's own user."""


def group_named(main_file: Path) -> str:
    """Return the group that the main file of a configuration names; "" where it names none.

    What is wrong with the file is said by whoever reads all of it. Blocks.
    """
    try:
        table = read_values(main_file)[0].get("daemon")
    except ConfigError:
        return ""
    name = cast("Mapping[str, object]", table).get("group", "") if isinstance(table, Mapping) else ""
    return name if isinstance(name, str) and len(name) <= LONGEST_ACCOUNT else ""


def door_group(name: str, *, is_handed: bool = False) -> DoorGroup:
    """Return the group of that name; raises ConfigError where its members cannot be let in by this process. Blocks.

    `is_handed` where a service manager has made the socket: nobody but it can let others in there.
    """
    shown, owner = clean(name), processes.account()
    if is_handed:
        raise ConfigError(
            f'[daemon] group = "{shown}": the socket was made by the service manager, for {owner} alone',
            hint="let flashdeckd make it: `systemctl --user disable --now flashdeckd.socket`, and start the service",
        )
    number = accounts.group_number(name)
    if number is None:
        raise ConfigError(
            f'[daemon] group = "{shown}": there is no such group on this machine',
            hint=f"make it, and put everybody into it: `sudo groupadd {shown}`, `sudo usermod -aG {shown} {owner}`",
        )
    if processes.own_uid() != _ROOT and number not in accounts.own_groups():
        account = accounts.account_of(processes.own_uid())
        if account is not None and number in account.groups:
            raise ConfigError(
                f'[daemon] group = "{shown}": {owner} is a member since this session began, which is without it',
                hint="log out and in again; for a user unit: `sudo systemctl restart user@$(id -u)`",
            )
        raise ConfigError(
            f'[daemon] group = "{shown}": {owner}, for whom flashdeckd runs, is no member of it',
            hint=f"`sudo usermod -aG {shown} {owner}`, then log in again and restart flashdeckd",
        )
    return DoorGroup(name, number, owner)


def place_for_group(group: DoorGroup, default: Path, *, is_named: bool, virtual: bool) -> Path:
    """Return where the socket is to be: at `default` where somebody named that, else where all clients look, too.

    Raises ConfigError where the members of the group cannot get there. Blocks.
    """
    if is_named:
        return default
    place = shared_socket(virtual=virtual)
    if files.is_directory(place.parent):
        return place
    raise ConfigError(
        f"members of the group {clean(group.name)} cannot reach the socket: {clean(str(default.parent))} is for "
        f"{group.served_by} alone, and there is no {place.parent}",
        hint=how_to_make(group, place.parent),
    )


def how_to_make(group: DoorGroup, directory: Path) -> str:
    """Return what a person does so that there is a directory for the socket."""
    name = clean(group.name)
    is_from = f"{group.served_by} {name}"
    return (
        f"make it: `sudo install -d -o {group.served_by} -g {name} -m 0750 {directory}`, and for the next start of the "
        f'machine a line "d {directory} 0750 {is_from}" in /etc/tmpfiles.d/flashdeck.conf; for the system unit '
        f"`RuntimeDirectory={directory.name}`; or name another place with --socket"
    )


def ensure_group_dir(place: Path, group: DoorGroup) -> None:
    """Make the directory of a socket one that we own, and that members of the group, and nobody else, can enter.

    One that has nothing but our socket is given to the group; one that has more is left as it is, and refused. Raises
    FlashdeckError of kind `no-permission` there, and where the group does not get as far as that. Blocks.
    """
    path = place.parent
    shown = clean(str(path))
    if not files.exists(path):
        ensure_private_dir(path)
    found = files.status(path)
    if found.st_uid != processes.own_uid():
        raise _refused(
            f"the directory {shown} belongs to uid {found.st_uid}, not to {group.served_by}", how_to_make(group, path)
        )
    if (found.st_gid, stat.S_IMODE(found.st_mode)) != (group.number, DIRECTORY_MODE):
        others = [name for name in files.names(path) if name not in (place.name, f"{place.name}.lock")]
        if others:
            raise _refused(
                f"the directory {shown} has more in it than the socket ({clean(others[0])}): it is not opened for the "
                f"group {clean(group.name)}",
                f'name a directory of its own with --socket, or open this one: chgrp {group.name} "{shown}" && '
                f'chmod 750 "{shown}"',
            )
        _give(path, group, DIRECTORY_MODE)
    for above in _closed_above(path, group):
        mode = stat.S_IMODE(files.status(above).st_mode)
        raise _refused(
            f"members of the group {clean(group.name)} cannot reach {shown}: {clean(str(above))} is closed to them "
            f"(mode {mode:04o})",
            f"name a place below open directories with --socket, as {shared_socket().parent}",
        )


def open_to_group(path: Path, group: DoorGroup) -> None:
    """Let the members of the group, and nobody else, connect to the socket at `path`. Raises OSError. Blocks."""
    _give(path, group, SOCKET_MODE)


def _give(path: Path, group: DoorGroup, mode: int) -> None:
    # The group first: with the mode first, those of another one would get in for a moment.
    try:
        files.give_to_group(path, group.number)
        files.change_mode(path, mode)
    except OSError as error:
        raise _refused(
            f"{clean(str(path))} cannot be given to the group {clean(group.name)}: {error.strerror}",
            "see that the place is on a file system of this machine",
        ) from error


def _closed_above(path: Path, group: DoorGroup) -> Iterator[Path]:
    """Yield each directory above `path` through which the group does not get."""
    for above in path.parents:
        found = files.status(above)
        needed = stat.S_IXGRP if found.st_gid == group.number else stat.S_IXOTH
        if not found.st_mode & needed:
            yield above


def _refused(message: str, hint: str) -> FlashdeckError:
    return FlashdeckError(message, hint=hint, kind=ErrorKind.NO_PERMISSION)
