"""A machine as an installation finds it: account, service manager, shells, and what lies where files are to go."""

import grp
import os
import pwd
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flashdeck import own_python
from flashdeck.errors import FlashdeckError, RequestError
from flashdeck.paths import RUNTIME_DIRS
from flashdeck.text import clean

BOOTED: Final = Path("/run/systemd/system")
"""There where systemd is the init (sd_booted(3))."""
LINGER: Final = Path("/var/lib/systemd/linger")
"""A file for each account whose services run without a login (loginctl(1))."""
MAX_FILE = 1 << 20
"""Bytes that are read of a file that may be ours."""
WANTED: Final = Path("/etc/systemd/system/multi-user.target.wants")
"""The units that start with the machine (systemctl(1), "enable")."""
_SHELLS: Final = ("bash", "zsh", "fish")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThisMachine:
    """The facts that decide what there is to do."""

    account: str
    """The user whose daemon it is."""
    home: Path
    uid: int
    is_root: bool
    """True: this process may do all of it itself."""
    groups: frozenset[str]
    """The groups of the account."""
    known_groups: frozenset[str]
    program: tuple[str, ...]
    """The daemon's command line."""
    booted: bool
    """True if systemd is the init here."""
    has_user_manager: bool
    """True if the account's own service manager can be reached from here."""
    lingers: bool
    shells: frozenset[str]
    config_home: Path
    data_home: Path
    others: frozenset[str] = frozenset()
    """Accounts whose system service needs the files of this machine, too, besides the one that is asked about."""


def look(account: str, *, system: bool) -> ThisMachine:
    """Return what this machine is for an account; "" is the one that we are, or that called `sudo` with `system`.

    Raises RequestError where there is no such account, or it is root's.
    """
    entry = _account(account, system=system)
    is_us = entry.pw_uid == os.geteuid()
    home = Path(entry.pw_dir)
    groups = {grp.getgrgid(entry.pw_gid).gr_name} | {
        each.gr_name for each in grp.getgrall() if entry.pw_name in each.gr_mem
    }
    reachable = is_us and (RUNTIME_DIRS / str(entry.pw_uid) / "systemd" / "private").exists()
    return ThisMachine(
        account=entry.pw_name,
        home=home,
        uid=entry.pw_uid,
        is_root=os.geteuid() == 0,
        groups=frozenset(groups),
        known_groups=frozenset(each.gr_name for each in grp.getgrall()),
        program=_program(),
        booted=BOOTED.is_dir(),
        has_user_manager=reachable,
        lingers=(LINGER / entry.pw_name).exists(),
        shells=frozenset(shell for shell in _SHELLS if shutil.which(shell)),
        config_home=_own("XDG_CONFIG_HOME", is_us=is_us) or home / ".config",
        data_home=_own("XDG_DATA_HOME", is_us=is_us) or home / ".local" / "share",
        others=_with_system_service() - ({entry.pw_name} if system else set()),
    )


def text_of(path: Path) -> str | None:
    """Return the text of a file; None where there is none. Raises FlashdeckError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FlashdeckError(
            f"{clean(str(path))} cannot be read: {error.strerror}", hint="move it away, or make it readable"
        ) from error


def user_environment(uid: int) -> dict[str, str]:
    """Return our environment with what `systemctl --user` needs; an SSH without PAM sets no XDG_RUNTIME_DIR."""
    return {**os.environ, "XDG_RUNTIME_DIR": str(RUNTIME_DIRS / str(uid))}


def _account(name: str, *, system: bool) -> pwd.struct_passwd:
    wanted = name or (os.environ.get("SUDO_USER", "") if system else "")
    try:
        entry = pwd.getpwnam(wanted) if wanted else pwd.getpwuid(os.geteuid())
    except KeyError:
        raise RequestError(
            f"there is no account {clean(wanted or str(os.geteuid()), 60)!r}", hint="name one with --user"
        ) from None
    if entry.pw_uid == 0:
        raise RequestError(
            "flashdeckd never runs as root",
            hint="install it for the account that builds the firmware: sudo flashdeck install --system --user NAME"
            if system
            else "run it without sudo, as the user who builds the firmware; it asks for root's rights itself",
        )
    return entry


def _with_system_service() -> frozenset[str]:
    """Return the accounts whose daemon is a system service that is enabled."""
    beginning, end = "flashdeckd@", ".service"
    found = (path.name for path in WANTED.glob(f"{beginning}*{end}"))
    return frozenset(name.removeprefix(beginning).removesuffix(end) for name in found)


def _program() -> tuple[str, ...]:
    beside = Path(sysconfig.get_path("scripts")) / "flashdeckd"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("flashdeckd")
    return (found,) if found else own_python.module("flashdeckd")


def _own(variable: str, *, is_us: bool) -> Path | None:
    value = os.environ.get(variable, "") if is_us else ""
    return Path(value) if value.startswith("/") else None
