"""Other machines by the names that people give them: those of [hosts], and those that ssh knows by itself."""

import os
from collections.abc import Mapping
from typing import Final

from flashdeck.config_file import default_config, record_in
from flashdeck.config_record import ConfigRecord
from flashdeck.config_trust import restricted
from flashdeck.errors import RequestError
from flashdeck.paths import default_config_path, state_dir
from flashdeck.ssh import SshHost
from flashdeck.ssh_destination import checked_destination
from flashdeck.text import clean

_OF_SSH: Final = "@"
"""No name in [hosts] has it: with it no configuration is read."""


def find_host(
    name: str,
    *,
    virtual: bool = False,
    asks: bool = False,
    read_only: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> SshHost:
    """Return the machine that a person calls `name`: a table of [hosts], else what ssh makes of it.

    `virtual`, `asks` and `read_only` are those of `SshHost`. Raises RequestError for a name that can be neither, and
    for a host of an included file that nobody has confirmed; ConfigError where the configuration is wrong.
    """
    try:
        destination = checked_destination(name)
    except ValueError as error:
        raise RequestError(str(error), hint="--host takes user@box, box, or a name from [hosts]") from error
    if _OF_SSH in name or not default_config_path(environ=environ).exists():
        return SshHost(name, destination, virtual=virtual, asks=asks, read_only=read_only)
    config = default_config(environ=environ)
    counting, unconfirmed = restricted(config, record_in(state_dir(environ=environ)) or ConfigRecord())
    if name in config.hosts and name not in counting.hosts:
        file = next(each for each in unconfirmed if each.file == config.hosts[name].place.file)
        raise RequestError(f"[hosts.{name}] in {clean(str(file.file))} is not confirmed", hint=file.hint)
    host = counting.hosts.get(name)
    if host is None:
        return SshHost(name, destination, virtual=virtual, asks=asks, read_only=read_only)
    return SshHost(name, host.ssh or destination, host.command, virtual=virtual, asks=asks, read_only=read_only)
