"""The places of things: configuration, state, socket, packaged data. The XDG base directory rules live only here.

Every default takes `virtual`: a daemon of emulated boards uses a directory name of its own everywhere, and not even the
environment can make it share socket, state or configuration with one that has real boards (safety rule 10).
"""

import contextlib
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path

from flashdeck.errors import ConfigError, ErrorKind, FlashdeckError
from flashdeck.text import clean

BOARD_FILE_NAME = "boards.toml"
SOCKET_NAME = "flashdeckd.sock"
SOCKET_VARIABLE = "FLASHDECK_SOCKET"
SOCKET_PATH_MAX = 107
"""Bytes of a Unix socket's path: sun_path holds 108 with its closing NUL (unix(7))."""
PRIVATE_MODE = 0o700
RUNTIME_DIRS = Path("/run/user")
"""The directory in which systemd-logind keeps a user's run-time directory, by uid."""
SERVICE_DIRS = Path("/run")
"""The directory in which a system unit for one account has its run-time directory, by the account's name
(RuntimeDirectory=flashdeckd-%i): such a unit does not know the uid, and without a session there is none in
RUNTIME_DIRS."""


def default_config_path(*, virtual: bool = False, environ: Mapping[str, str] = os.environ) -> Path:
    """The configuration file that is read where none is named; it may not exist."""
    return _xdg("XDG_CONFIG_HOME", ".config", environ) / _name(virtual=virtual) / "flashdeck.toml"


def board_file_path(config_path: Path) -> Path:
    """Return the path of boards.toml, which the daemon writes beside the configuration. It may not exist."""
    return absolute(config_path).with_name(BOARD_FILE_NAME)


def absolute(path: str | Path) -> Path:
    """`path` with its `~` expanded, from the root on. Raises ConfigError where that cannot be."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError(
            f'"{clean(str(path))}": there is no such home directory', hint="write the path in full"
        ) from error
    except OSError as error:
        raise ConfigError(
            f'"{clean(str(path))}" is relative to a directory that is gone: {error.strerror}',
            hint="write the path in full, or go to another directory",
        ) from error


def state_dir(*, virtual: bool = False, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of the daemon's journal and spool; it may not exist yet."""
    return _xdg("XDG_STATE_HOME", ".local/state", environ) / _name(virtual=virtual)


def socket_path(explicit: str | None = None, *, virtual: bool = False, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the socket's path, the first of `socket_places`; raises ConfigError, as that does."""
    return socket_places(explicit, virtual=virtual, environ=environ)[0]


def socket_places(
    explicit: str | None = None, *, virtual: bool = False, environ: Mapping[str, str] = os.environ
) -> tuple[Path, ...]:
    """Return the paths at which a daemon may listen, the one that is to be first.

    Only `explicit`, or what $FLASHDECK_SOCKET says (not with `virtual`), where there is that. Otherwise those of these
    that there are: in $XDG_RUNTIME_DIR, in /run/user/UID and in /run/flashdeckd-NAME if it is ours and 0700, in the
    state directory. Raises ConfigError where the first one is not possible, or too long for a socket.
    """
    first, *others = _all_places(explicit, virtual=virtual, environ=environ)
    _check_length(*first, virtual=virtual)
    fitting = (path for path, _ in others if len(os.fsencode(path)) <= SOCKET_PATH_MAX)
    return tuple(dict.fromkeys((first[0], *fitting)))


def shared_socket(*, virtual: bool = False) -> Path:
    """Return where the socket of a daemon for several people is, unless somebody named another place."""
    return SERVICE_DIRS / _name(virtual=virtual) / SOCKET_NAME


def _check_length(path: Path, origin: str, *, virtual: bool) -> None:
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_MAX:
        raise ConfigError(
            f"the socket path {clean(str(path))} ({origin}) has {length} bytes; "
            f"a Unix socket's may have {SOCKET_PATH_MAX}",
            hint=f"name a shorter one with --socket{'' if virtual else f' or ${SOCKET_VARIABLE}'}",
        )


def ensure_private_dir(path: Path) -> None:
    """Makes `path` a directory that only we can enter, creating it, and what is missing above it, with mode 0700.

    Raises FlashdeckError (kind `no-permission`) where it is somebody else's, open to others or not to be had; an
    existing directory's mode is never changed.
    """
    shown = clean(str(path))
    try:
        _make(path)
        found = path.stat()
    except OSError as error:
        raise FlashdeckError(
            f"cannot create the directory {shown}: {error.strerror}",
            hint="use a place that you may write to",
            kind=ErrorKind.NO_PERMISSION,
        ) from error
    if found.st_uid != os.geteuid():
        raise FlashdeckError(
            f"the directory {shown} belongs to uid {found.st_uid}, not to us (uid {os.geteuid()})",
            hint="use a directory of your own",
            kind=ErrorKind.NO_PERMISSION,
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise FlashdeckError(
            f"the directory {shown} is open to others (mode {mode:04o})",
            hint=f'use a directory of its own, or close this one: chmod 700 "{shown}"',
            kind=ErrorKind.NO_PERMISSION,
        )


def _make(path: Path) -> None:
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=PRIVATE_MODE, exist_ok=True)
    path.mkdir(mode=PRIVATE_MODE, exist_ok=True)
    for each in missing:  # what is synced in a directory is not kept before its own name is
        _sync_names(each.parent)


def _sync_names(directory: Path) -> None:
    with contextlib.suppress(PermissionError):  # one that we may write to, but not read, cannot be synced
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def data_file(*parts: str) -> Path:
    """A file or directory of the packaged `config/` tree, by the parts of its path, as "demo", "bench.toml".

    Raises FlashdeckError where it is missing.
    """
    from importlib import resources  # noqa: PLC0415 - slow to import, and who presses Tab needs no data

    installed = Path(str(resources.files("flashdeck") / "_config"))
    # In an editable install the package is the source tree's own, and the data stays where it is written.
    root = installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "config"
    path = root.joinpath(*parts)
    if not path.exists():
        raise FlashdeckError(f"the installation lacks {path}", hint="install flashdeck again")
    return path


def _all_places(explicit: str | None, *, virtual: bool, environ: Mapping[str, str]) -> list[tuple[Path, str]]:
    """Return each place, and how it is known."""
    if explicit:
        return [(absolute(explicit), "--socket")]
    if not virtual and environ.get(SOCKET_VARIABLE):
        return [(absolute(environ[SOCKET_VARIABLE]), f"${SOCKET_VARIABLE}")]
    tail = Path(_name(virtual=virtual), SOCKET_NAME)
    runtime = _absolute(environ.get("XDG_RUNTIME_DIR"))
    places = [] if runtime is None else [(runtime / tail, "in $XDG_RUNTIME_DIR")]
    account = _account()
    private = (RUNTIME_DIRS / str(os.getuid()), *([SERVICE_DIRS / f"flashdeckd-{account}"] if account else []))
    places += [(each / tail, f"in {each}") for each in private if _is_private(each)]
    try:
        places.append((state_dir(virtual=virtual, environ=environ) / SOCKET_NAME, "in the state directory"))
    except ConfigError:
        if not places:
            raise
    return places


def _account() -> str:
    """Return the name of our account; "" where there is none, as in a container."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def _name(*, virtual: bool) -> str:
    return "flashdeck-virtual" if virtual else "flashdeck"


def _xdg(variable: str, default: str, environ: Mapping[str, str]) -> Path:
    return _absolute(environ.get(variable)) or _home(environ) / default


def _home(environ: Mapping[str, str]) -> Path:
    home = _absolute(environ.get("HOME"))
    try:
        return home or Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError as error:  # as in a container
        raise ConfigError(
            f"there is no home directory: $HOME does not name one, and uid {os.getuid()} has no account",
            hint="set HOME, or the XDG variables",
        ) from error


def _absolute(value: str | None) -> Path | None:
    """The directory that a variable names; None where it is unset or relative, which the XDG rules say to ignore."""
    return Path(value) if value and Path(value).is_absolute() else None


def _is_private(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == PRIVATE_MODE
