"""A stand-in for the monitors of udev: the kernel's alone can be had, and speaks when a test wants it to."""

import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from flashdeckd.usb import hotplug


class KernelEvents:
    """Monitors of which one speaks, or none can be had."""

    def __init__(self, devices: Callable[[], Iterable[Path]], *, deaf: bool = False) -> None:
        self.usb_devices = devices
        self._deaf = deaf
        self._ours, self._theirs = socket.socketpair()

    def monitor(self, source: str) -> hotplug.Monitor:
        if self._deaf or source == "udev":
            raise OSError("Could not create udev monitor")
        return self

    def fileno(self) -> int:
        return self._theirs.fileno()

    def poll(self, timeout: float) -> object | None:
        assert timeout == 0
        try:
            return self._theirs.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None

    def speak(self) -> None:
        self._ours.send(b"e")

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()
