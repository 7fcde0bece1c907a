"""The systemd units, udev rules and man pages as they are written on one machine. Pure, but for packaged templates."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from flashdeck.config import Config, UsbId
from flashdeck.paths import data_file

_PROGRAM: Final = "@FLASHDECKD@"
_ST: Final = ('"0483"', '"df11"')
"""The id in the shipped rules."""
_RULE: Final = re.compile(
    r'^SUBSYSTEM=="(usb|tty)".*ATTRS?\{idVendor\}=="([0-9a-f]{4})", ATTRS?\{idProduct\}=="([0-9a-f]{4})"', re.MULTILINE
)
_UNSAFE: Final = frozenset("\\\"'")
"""systemd takes no program whose path has one of these, however it is quoted."""
_EXAMPLE: Final = ('"0483"', '"5740"')
"""The id in the lines for "your own", which are commented out."""


def user_service(program: Sequence[str]) -> str:
    """Return the unit of a user's daemon; `program` starts it."""
    return _unit(program, "user", "flashdeckd.service")


def user_socket() -> str:
    """Return the unit of its socket."""
    return data_file("systemd", "user", "flashdeckd.socket").read_text()


def system_service(program: Sequence[str]) -> str:
    """Return the template of units that each run the daemon of one account."""
    return _unit(program, "system", "flashdeckd@.service")


def rules(config: Config, former: str = "") -> str:
    """Return the udev rules for the devices of a configuration, and for ST's bootloaders.

    The devices of `former` rules stay in them: they may be those of another account.
    """
    lines = data_file("udev", "70-flashdeck.rules").read_text().splitlines()
    devices = {each for profile in config.profiles.values() for each in (profile.dfu, profile.app) if each is not None}
    ports = {profile.app for profile in config.profiles.values() if profile.app is not None}
    for subsystem, vendor, product in _RULE.findall(former):
        (ports if subsystem == "tty" else devices).add(UsbId(int(vendor, 16), int(product, 16)))
    own: list[str] = []
    for line in lines:
        own.append(line)
        if line.startswith("#SUBSYSTEM==") and all(part in line for part in _EXAMPLE):
            wanted = ports if "tty" in line.split(",")[0] else devices
            own += _lines_for(line.removeprefix("#"), sorted(each for each in wanted if _quoted(each) != _ST))
    return "\n".join(own) + "\n"


def man_page(name: str) -> str:
    """Return a page of the manual, as "flashdeck.1"."""
    return data_file("man", name).read_text()


def quoted(words: Sequence[str]) -> str:
    """Return a command line as it stands behind ExecStart= (systemd.service(5), "Command lines")."""
    if _UNSAFE & set(words[0]):
        words = ("/usr/bin/env", *words)
    # In the program itself no variable is looked for, so that a dollar stays one.
    return " ".join((_quoted_word(words[0]), *(_quoted_word(word).replace("$", "$$") for word in words[1:])))


def _unit(program: Sequence[str], *place: str) -> str:
    return data_file("systemd", *place).read_text().replace(_PROGRAM, quoted(program))


def _lines_for(example: str, ids: Iterable[UsbId]) -> list[str]:
    made: list[str] = []
    for each in ids:
        vendor, product = _quoted(each)
        made.append(example.replace(_EXAMPLE[0], vendor).replace(_EXAMPLE[1], product))
    return made


def _quoted(usb_id: UsbId) -> tuple[str, str]:
    return f'"{usb_id.vendor:04x}"', f'"{usb_id.product:04x}"'


def _quoted_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
