"""Serial ports of the simulated machine: pairs of lines in memory, in the place of the kernel's pseudo-terminals."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flashdeckd.host.serial_lines import DeviceNumber, LineSettings, LineState

MAJOR = 136
"""Of all of them, as of the kernel's."""


@dataclass(slots=True)
class _Line:
    node: Path
    number: DeviceNumber
    baud: int = 9600
    opened: int = 0


class SimSerialLines:
    """See `flashdeckd.host.serial_lines.SerialLines`."""

    def __init__(self, touched: Callable[[], object]) -> None:
        """`touched` is told when somebody sets the speed of a port."""
        self._touched = touched
        self._count = 0
        self._ours: dict[int, _Line] = {}
        """The lines that are there, by the descriptor of our side."""
        self._theirs: dict[int, _Line] = {}
        """The same by the descriptors of those who have opened a port."""

    def open(self, node: Path, /) -> int:
        """See the base."""
        line = next((each for each in self._ours.values() if each.node == node), None)
        if line is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(node))
        line.opened += 1
        descriptor = self._new_number()
        self._theirs[descriptor] = line
        return descriptor

    def number(self, descriptor: int, /) -> DeviceNumber | None:
        """See the base."""
        return self._theirs[descriptor].number

    def set_speed(self, descriptor: int, baud: int, /) -> None:
        """See the base."""
        self._touched()
        self._theirs[descriptor].baud = baud

    def drop_dtr(self, descriptor: int, /) -> None:
        """See the base: there are no such lines."""

    def close(self, descriptor: int, /) -> None:
        """See the base."""
        if (line := self._theirs.pop(descriptor, None)) is not None:
            line.opened -= 1
        self._ours.pop(descriptor, None)

    def open_to_hear(self, node: Path, settings: LineSettings, /) -> int:
        """See the base."""
        descriptor = self.open(node)
        self.set_speed(descriptor, settings.baud)
        return descriptor

    def share(self, descriptor: int, /) -> None:
        """See the base: nobody is kept away."""

    def read(self, descriptor: int, _size: int, /) -> bytes:
        """See the base: no application says anything."""
        if self._theirs[descriptor].node not in {each.node for each in self._ours.values()}:
            return b""
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def watch(self, descriptor: int, come: Callable[[], object], /) -> None:
        """See the base: nothing comes."""

    def unwatch(self, descriptor: int, /) -> None:
        """See the base."""

    def new_pair(self) -> tuple[int, Path, DeviceNumber]:
        """See the base."""
        ours = self._new_number()
        line = self._ours[ours] = _Line(Path(f"/dev/pts/{ours}"), (MAJOR, ours))
        return ours, line.node, line.number

    def speak(self, descriptor: int, data: bytes, /) -> int:
        """See the base: no board of a simulation says anything."""
        return len(data)

    def line_state(self, descriptor: int, /) -> LineState:
        """See the base."""
        line = self._ours[descriptor]
        return LineState(line.baud, line.opened > 0)

    def _new_number(self) -> int:
        self._count += 1
        return self._count
