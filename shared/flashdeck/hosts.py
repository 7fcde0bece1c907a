"""Other machines by the names that people give them: those of [hosts], and those that ssh knows by itself.

A table of [hosts] that has `hosts` is a group: one name for several machines.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Final

from flashdeck.config import Config
from flashdeck.config_file import default_config, record_in
from flashdeck.config_record import ConfigRecord
from flashdeck.config_trust import Unconfirmed, restricted
from flashdeck.errors import RequestError
from flashdeck.names import few, is_meant
from flashdeck.paths import default_config_path, state_dir
from flashdeck.ssh import SshHost
from flashdeck.ssh_destination import checked_destination
from flashdeck.text import clean

_OF_SSH: Final = "@"
"""No name in [hosts] has it: with it no configuration is read."""
_WILD: Final = frozenset("*?[")
"""Signs of a glob."""


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
    config, counting, unconfirmed = _known(environ)
    if name in config.hosts and name not in counting.hosts:
        file = next(each for each in unconfirmed if each.file == config.hosts[name].place.file)
        raise RequestError(f"[hosts.{name}] in {clean(str(file.file))} is not confirmed", hint=file.hint)
    host = counting.hosts.get(name)
    if host is None:
        return SshHost(name, destination, virtual=virtual, asks=asks, read_only=read_only)
    if host.hosts:
        raise RequestError(
            f"[hosts.{name}] is a group of machines, and one machine is wanted", hint=f"it has {few(host.hosts)}"
        )
    return SshHost(name, host.ssh or destination, host.command, virtual=virtual, asks=asks, read_only=read_only)


def members(names: Iterable[str], *, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the machines that are meant, each once: for a group those that it has, in the order of [hosts].

    A group has no groups. Raises RequestError for one that has no machine; ConfigError where the configuration is
    wrong.
    """
    typed = tuple(dict.fromkeys(names))
    if all(_OF_SSH in name for name in typed) or not default_config_path(environ=environ).exists():
        return typed
    _, counting, _ = _known(environ)
    single = [name for name, host in counting.hosts.items() if not host.hosts]
    found: list[str] = []
    for name in typed:
        group = counting.hosts[name].hosts if name in counting.hosts else ()
        meant = [each for each in single if is_meant(each, group)]
        meant += [each for each in group if each not in meant and not _WILD.intersection(each)]
        if group and not meant:
            raise RequestError(f"[hosts.{name}] means no machine", hint=f"no table of [hosts] is {few(group)}")
        found += meant or [name]
    return tuple(dict.fromkeys(found))


def _known(environ: Mapping[str, str]) -> tuple[Config, Config, tuple[Unconfirmed, ...]]:
    """Return the configuration, that of it which counts, and the files of which something does not."""
    config = default_config(environ=environ)
    return config, *restricted(config, record_in(state_dir(environ=environ)) or ConfigRecord())
