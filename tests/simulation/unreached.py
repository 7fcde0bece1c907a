"""The code of the daemon that a simulation never reaches, and why: patterns of `module:function`, by the reason."""

from collections.abc import Mapping
from typing import Final

UNREACHED: Final[Mapping[str, tuple[str, ...]]] = {
    "real USB: a daemon of emulated boards loads neither libusb nor udev (rule 10)": (
        "usb/hotplug.py:*",
        "usb/libusb.py:*",
        "usb/sysfs.py:*",
        "usb/device_reads.py:*",
        "usb/udev*.py:*",
        "usb/serial_ports.py:*",
        "boards/real_usb.py:*",
    ),
    "the machine itself, whose place the simulation takes at the seams": (
        "host/clock.py:*",
        "host/commands.py:*",
        "host/executor.py:*",
        "host/open_files.py:*",
        "host/processes.py:*",
        "host/randomness.py:*",
        "host/serial_lines.py:*",
        "host/service_manager.py:*",
        "host/standard_input.py:*",
        "host/threads.py:_Python*",
        "builds/inotify.py:*",
        "builds/source.py:*",
        "builds/filesystem.py:*",
    ),
    "consoles, which no board of the world has": (
        "consoles/*:*",
        "requests/following_consoles.py:*",
        "usb/port_keeper.py:*",
    ),
    "other programs of the daemon's package: the doctor without a daemon, `scan`, `follow`, the command line": (
        "__main__.py:*",
        "following.py:*",
        "log_format.py:*",
        "offline_doctor.py:*",
        "scanning/*:*",
        "signals.py:*",
    ),
    "recordings of a board, which are an aid for whoever looks into one": (
        "usb/record*.py:*",
        "virtual/replay.py:*",
    ),
    "the doctor, which writes nothing": ("diagnosis/*:*",),
}
