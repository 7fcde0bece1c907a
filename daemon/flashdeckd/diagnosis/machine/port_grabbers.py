"""Programs that open every serial port that comes: they talk to an application, and keep a touch from its port."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from flashdeck.diagnosis import Finding, Severity
from flashdeckd.diagnosis.machine.surroundings import LONGEST_ANSWER, Surroundings, ids_of
from flashdeckd.host import files

MAX_PROCESSES = 20_000
"""Processes whose names are looked at."""
IGNORED: Final = "E:ID_MM_DEVICE_IGNORE=1"
"""The line in udev's database by which ModemManager leaves a device alone."""
_MEND: Final[Mapping[str, str]] = {
    "ModemManager": "`flashdeck install` writes a rule by which it leaves the boards of the configuration alone; or "
    "take it out: sudo systemctl disable --now ModemManager",
    "brltty": "where there is no Braille display, take it out: sudo systemctl mask --now brltty-udev.service "
    "brltty.service",
}


def findings(around: Surroundings) -> Iterator[Finding]:
    """Yield the ones that run here, where a board has a running application that they could open."""
    if not any(profile.app is not None for profile in around.config.profiles.values()):
        return
    running = _running(around.proc)
    for name, mend in _MEND.items():
        if name not in running or (name == "ModemManager" and _is_told_to_ignore(around)):
            continue
        yield Finding(
            code="port-grabber",
            severity=Severity.WARNING,
            seen=f"{name} runs here (pid {running[name]})",
            means="it opens the serial ports of devices that are plugged in and writes to them, which may keep a board "
            "from being brought into DFU mode for some seconds, and confuse its application",
            mend=mend,
        )


def _running(proc: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    names: list[str] = []
    with suppress(OSError):
        names = files.names(proc)
    for pid in [name for name in names if name.isdecimal()][:MAX_PROCESSES]:
        with suppress(OSError):  # it has ended
            name = files.contents(proc / pid / "comm", LONGEST_ANSWER).decode(errors="replace").strip()
            if name in _MEND:
                found.setdefault(name, int(pid))
    return found


def _is_told_to_ignore(around: Surroundings) -> bool:
    """Tell whether udev has noted that for each device of the configuration that is here, of which there is one."""
    ids = ids_of(around.config)
    noted = [_noted(around, device.bus, device.address) for device in around.devices if device.usb_id in ids]
    return bool(noted) and all(IGNORED in text.splitlines() for text in noted)


def _noted(around: Surroundings, bus: int, address: int) -> str:
    # The database is by device number: USB devices have major 189, and 128 of them on a bus (Linux, usbcore).
    entry = around.run / "udev" / "data" / f"c189:{(bus - 1) * 128 + address - 1}"
    with suppress(OSError):
        return files.contents(entry, LONGEST_ANSWER).decode(errors="replace")
    return ""
