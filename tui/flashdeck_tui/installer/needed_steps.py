"""From a machine and what is wanted to the steps that are missing there. Pure: files are read through a function."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from flashdeck.config import Config
from flashdeck.names import few
from flashdeck_tui.installer import unit_files
from flashdeck_tui.installer.marked import ROFF, is_ours, marked
from flashdeck_tui.installer.steps import Line, Remark, RemoveFile, Run, WriteFile
from flashdeck_tui.installer.this_machine import ThisMachine

RULES: Final = Path("/etc/udev/rules.d/70-flashdeck.rules")
SYSTEM_UNITS: Final = Path("/etc/systemd/system")
SYSTEM_DATA: Final = Path("/usr/local/share")
GROUP: Final = "plugdev"
"""The group to which the rules open devices."""
PORTS_GROUP: Final = "dialout"
"""The group that may open serial ports on Debian and its like."""
_UNIT: Final = "flashdeckd.service"
_SOCKET: Final = "flashdeckd.socket"
_TEMPLATE: Final = "flashdeckd@.service"

Files = Callable[[Path], str | None]
"""The text of a file; None where there is none."""
Completions = Callable[[str], str]
"""The completion script of a shell."""


def install(
    machine: ThisMachine,
    config: Config,
    files: Files,
    completions: Completions,
    *,
    system: bool,
    with_socket: bool = False,
) -> list[Line]:
    """Return what is missing on a machine, in order; nothing where all is there."""
    lines: list[Line] = list(access(machine, config, files))
    lines += _completion(machine, files, completions, system=system)
    for path in _man_pages(machine, system=system):
        lines += _written(path, unit_files.man_page(path.name), files, as_root=system, comment=ROFF)
    units = list(_system_units(machine, files) if system else _user_units(machine, files, with_socket=with_socket))
    lines += units
    if not machine.booted:
        lines.append(Remark("systemd does not run here: start flashdeckd by other means"))
        return lines
    changed = any(isinstance(line, WriteFile | RemoveFile) for line in units)
    start = (
        _system_start(machine, files, changed=changed)
        if system
        else _user_start(machine, changed=changed, with_socket=with_socket)
    )
    return [*lines, *start]


def uninstall(machine: ThisMachine, files: Files, *, system: bool) -> list[Line]:
    """Return what takes away again what `install` wrote; what somebody has changed since, or others need, stays."""
    lines: list[Line] = []
    places = _system_places(machine) if system else _user_places(machine)
    units = [path for path in places if path.suffix in (".service", ".socket") and files(path) is not None]
    if machine.booted and units:
        lines += _system_stop(machine) if system else _user_stop(machine, units)
    if machine.others:
        needs = f"the system service of {few(sorted(machine.others))} needs them"
        lines.append(Remark(f"{'unit, completion, man pages and rules' if system else 'the rules'} stay: {needs}"))
    for path in places if not (system and machine.others) else ():
        lines += _removed(path, files, as_root=system)
    rules = [] if machine.others else list(_removed(RULES, files, as_root=True))
    lines += rules
    if any(isinstance(line, RemoveFile) for line in rules):
        lines.append(Run(("udevadm", "control", "--reload"), as_root=True, may_fail=True))
    if machine.booted and units:
        reload = ("systemctl", "daemon-reload") if system else ("systemctl", "--user", "daemon-reload")
        lines.append(Run(reload, as_root=system, may_fail=True))
    if machine.lingers and not system:
        lines.append(Remark(f"services of {machine.account} still run without a login: loginctl disable-linger"))
    return lines


def access(machine: ThisMachine, config: Config, files: Files) -> Iterator[Line]:
    """Yield what is missing so that a daemon may use the devices of a configuration."""
    written = list(_written(RULES, unit_files.rules(config, _ours(RULES, files)), files, as_root=True))
    yield from written
    if any(isinstance(line, WriteFile) for line in written):
        yield Run(("udevadm", "control", "--reload"), as_root=True, may_fail=True)
        for subsystem in ("usb", "tty"):
            yield Run(("udevadm", "trigger", f"--subsystem-match={subsystem}"), as_root=True, may_fail=True)
    if GROUP not in machine.known_groups:
        yield Run(("groupadd", "--system", GROUP), as_root=True)
    wanted = [GROUP]
    if PORTS_GROUP in machine.known_groups and any(profile.app is not None for profile in config.profiles.values()):
        wanted.append(PORTS_GROUP)
    for group in wanted:
        if group not in machine.groups:
            yield Run(("usermod", "--append", "--groups", group, machine.account), as_root=True)
            yield Remark(f"{machine.account} is in the group {group} from the next login on, as are its services")


def _completion(machine: ThisMachine, files: Files, completions: Completions, *, system: bool) -> Iterator[Line]:
    for shell, path in _completion_places(machine, system=system).items():
        if shell in machine.shells:
            yield from _written(path, completions(shell) + "\n", files, as_root=system)


def _user_units(machine: ThisMachine, files: Files, *, with_socket: bool) -> Iterator[Line]:
    folder = _user_folder(machine)
    yield from _written(folder / _UNIT, unit_files.user_service(machine.program), files)
    yield from _removed(_hardening(machine), files, as_root=False)
    if with_socket:
        yield from _written(folder / _SOCKET, unit_files.user_socket(), files)


def _user_start(machine: ThisMachine, *, changed: bool, with_socket: bool) -> Iterator[Line]:
    if not machine.has_user_manager:
        unit = _SOCKET if with_socket else _UNIT
        yield Remark(
            f"the service manager of {machine.account} cannot be reached from here: log in as this user, and run "
            f"systemctl --user enable --now {unit}"
        )
    elif changed:
        yield Run(("systemctl", "--user", "daemon-reload"))
        if with_socket:
            yield Run(("systemctl", "--user", "enable", "--now", _SOCKET))
        else:
            yield Run(("systemctl", "--user", "enable", _UNIT))
            yield Run(("systemctl", "--user", "restart", _UNIT))
    if not machine.lingers:
        yield Run(("loginctl", "enable-linger", machine.account), as_root=True, may_fail=True)


def _system_units(machine: ThisMachine, files: Files) -> Iterator[Line]:
    yield from _written(SYSTEM_UNITS / _TEMPLATE, unit_files.system_service(machine.program), files, as_root=True)


def _system_start(machine: ThisMachine, files: Files, *, changed: bool) -> Iterator[Line]:
    unit = f"flashdeckd@{machine.account}.service"
    if changed:
        yield Run(("systemctl", "daemon-reload"), as_root=True)
    if changed or files(SYSTEM_UNITS / "multi-user.target.wants" / unit) is None:
        yield Run(("systemctl", "enable", unit), as_root=True)
        yield Run(("systemctl", "restart", unit), as_root=True)


def _user_stop(machine: ThisMachine, units: Sequence[Path]) -> Iterator[Line]:
    if machine.has_user_manager:
        names = [path.name for path in sorted(units, reverse=True)]  # the socket first: it would start the service
        yield Run(("systemctl", "--user", "disable", "--now", *names), may_fail=True)


def _system_stop(machine: ThisMachine) -> Iterator[Line]:
    yield Run(("systemctl", "disable", "--now", f"flashdeckd@{machine.account}.service"), as_root=True, may_fail=True)


def _user_folder(machine: ThisMachine) -> Path:
    return machine.config_home / "systemd" / "user"


def _hardening(machine: ThisMachine) -> Path:
    """The file in which an earlier release put a user's service into a user namespace.

    There what udev tells seems to come from nobody, so that libudev and libusb do not believe it: boards that were
    plugged in later were not found.
    """
    return _user_folder(machine) / f"{_UNIT}.d" / "hardening.conf"


def _user_places(machine: ThisMachine) -> list[Path]:
    folder = _user_folder(machine)
    units = [folder / _UNIT, _hardening(machine), folder / _SOCKET]
    return [*units, *_completion_places(machine, system=False).values(), *_man_pages(machine, system=False)]


def _system_places(machine: ThisMachine) -> list[Path]:
    completions = _completion_places(machine, system=True).values()
    return [SYSTEM_UNITS / _TEMPLATE, *completions, *_man_pages(machine, system=True)]


def _man_pages(machine: ThisMachine, *, system: bool) -> list[Path]:
    folder = (SYSTEM_DATA if system else machine.data_home) / "man" / "man1"
    return [folder / "flashdeck.1", folder / "flashdeckd.1"]


def _completion_places(machine: ThisMachine, *, system: bool) -> dict[str, Path]:
    data = SYSTEM_DATA if system else machine.data_home
    fish = data / "fish" / "vendor_completions.d" if system else machine.config_home / "fish" / "completions"
    return {
        "bash": data / "bash-completion" / "completions" / "flashdeck",
        "zsh": data / "zsh" / "site-functions" / "_flashdeck",
        "fish": fish / "flashdeck.fish",
    }


def _written(path: Path, text: str, files: Files, *, as_root: bool = False, comment: str = "# ") -> Iterator[Line]:
    wanted, there = marked(text, comment), files(path)
    if there is None or (there != wanted and is_ours(there)):
        yield WriteFile(path, wanted, as_root=as_root)
    elif there != wanted:
        yield Remark(f"{path} stays: it is not as flashdeck wrote it; move it away and install again")


def _ours(path: Path, files: Files) -> str:
    """Return the text of a file that flashdeck has written and nobody has changed; "" where there is none."""
    there = files(path)
    return there if there is not None and is_ours(there) else ""


def _removed(path: Path, files: Files, *, as_root: bool) -> Iterator[Line]:
    there = files(path)
    if there is None:
        return
    if is_ours(there):
        yield RemoveFile(path, as_root=as_root)
    else:
        yield Remark(f"{path} stays: it is not as flashdeck wrote it")
