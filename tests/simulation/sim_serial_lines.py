"""Serial ports of the simulated machine: pairs of lines in memory, in the place of the kernel's pseudo-terminals."""

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flashdeckd.host.serial_lines import DeviceNumber, LineSettings, LineState

MAJOR = 136
"""Of all of them, as of the kernel's."""
ROOM = 4096
"""Bytes that a line keeps for whoever has it open, as the kernel's."""


@dataclass(slots=True)
class _Line:
    node: Path
    number: DeviceNumber
    baud: int = 9600
    opened: int = 0
    is_gone: bool = False
    """True once our side is closed."""
    spoken: bytearray = field(default_factory=bytearray)
    """The bytes that whoever has it open has not read."""

    @property
    def is_readable(self) -> bool:
        """Return whether a read returns at once: with something, or with the news that the line has gone."""
        return self.is_gone or bool(self.spoken)


@dataclass(slots=True)
class _Watch:
    """Somebody who wants to be called while there is anything to be read."""

    loop: asyncio.AbstractEventLoop
    come: Callable[[], object]
    is_called: bool = False
    """True while a call of it is due."""


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
        self._watches: dict[int, _Watch] = {}
        """By the same descriptors."""

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
        """See the base: what nobody has read is gone once the last one closes."""
        self._watches.pop(descriptor, None)
        if (line := self._theirs.pop(descriptor, None)) is not None:
            line.opened -= 1
            if not line.opened:
                line.spoken.clear()
        if (line := self._ours.pop(descriptor, None)) is not None:
            line.is_gone = True
            self._tell(line)

    def open_to_hear(self, node: Path, settings: LineSettings, /) -> int:
        """See the base."""
        descriptor = self.open(node)
        self._theirs[descriptor].baud = settings.baud
        return descriptor

    def share(self, descriptor: int, /) -> None:
        """See the base: nobody is kept away."""

    def read(self, descriptor: int, size: int, /) -> bytes:
        """See the base."""
        line = self._theirs[descriptor]
        if not line.is_readable:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        data = bytes(line.spoken[:size])
        del line.spoken[:size]
        return data

    def watch(self, descriptor: int, come: Callable[[], object], /) -> None:
        """See the base."""
        self._watches[descriptor] = _Watch(asyncio.get_running_loop(), come)
        self._tell(self._theirs[descriptor])

    def unwatch(self, descriptor: int, /) -> None:
        """See the base."""
        self._watches.pop(descriptor, None)

    def end_readers(self) -> None:
        """The process that has the lines open has ended: the kernel closes them."""
        for descriptor in tuple(self._theirs):
            self.close(descriptor)

    def _tell(self, line: _Line) -> None:
        """Call those who watch a line, in their loop, while there is anything to be read."""
        for descriptor, watch in self._watches.items():
            if self._theirs[descriptor] is line and line.is_readable and not watch.is_called:
                watch.is_called = True
                with suppress(RuntimeError):  # the loop is closed: nobody is there any more
                    watch.loop.call_soon_threadsafe(self._call, descriptor, watch)

    def _call(self, descriptor: int, watch: _Watch) -> None:
        watch.is_called = False
        if self._watches.get(descriptor) is not watch:
            return
        line = self._theirs[descriptor]
        if line.is_readable:
            watch.come()
            self._tell(line)

    def new_pair(self) -> tuple[int, Path, DeviceNumber]:
        """See the base."""
        ours = self._new_number()
        line = self._ours[ours] = _Line(Path(f"/dev/pts/{ours}"), (MAJOR, ours))
        return ours, line.node, line.number

    def speak(self, descriptor: int, data: bytes, /) -> int:
        """See the base: where nobody has the line open, all of it is lost."""
        line = self._ours[descriptor]
        if not line.opened:
            return len(data)
        taken = data[: ROOM - len(line.spoken)]
        line.spoken += taken
        self._tell(line)
        return len(taken)

    def line_state(self, descriptor: int, /) -> LineState:
        """See the base."""
        line = self._ours[descriptor]
        return LineState(line.baud, line.opened > 0)

    def _new_number(self) -> int:
        self._count += 1
        return self._count
