"""Signals to the daemon: some end it in order, at whatever moment they come; one asks it to reload; others do no harm.

SIGHUP is two signals in one: a terminal that closes, or an ssh that drops, sends it to what ran there, and a service
manager sends it for a reload. A daemon that had a controlling terminal when it started takes it for the first.
"""

import asyncio
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

from flashdeckd.host import files

ENDING: Final = (signal.SIGTERM, signal.SIGINT)
"""With SIGHUP among them where there is a terminal: that it closes must cost no more than being stopped."""
HARMLESS: Final = (signal.SIGUSR1, signal.SIGUSR2)
"""Would end a process that says nothing of them."""
START_SECONDS = 10.0
"""Longest time that a start goes on once the daemon is to end: what it waits for may never come back."""
_AT_ONCE: Final = 4096
"""Signals read at once; the kernel puts one byte for each into the socket."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The events of the running loop that signals set."""

    to_end: asyncio.Event = field(default_factory=asyncio.Event)
    to_reload: asyncio.Event = field(default_factory=asyncio.Event)
    """To be cleared by whoever reloads, before it begins: a signal that comes meanwhile asks for another time."""
    started: asyncio.Event = field(default_factory=asyncio.Event)
    """To be set by the daemon, as soon as it ends by itself once it is asked to."""


class Signals:
    """The signals of one daemon, heard from its start to the last moment of its process."""

    def __init__(self) -> None:
        self._asked: Asked | None = None
        self._is_to_end = False
        """True once it was asked to end. What is raised then gets lost where it meets a callback of the interpreter, as
        those of weak references are in the middle of an import."""
        self._ending = frozenset({*ENDING, signal.SIGHUP} if _has_terminal() else ENDING)

    @contextmanager
    def heard(self) -> Generator[None]:
        """Hear them for the length of the block, which is the rest of the process: afterwards all are ignored.

        Until `asked` is entered, one that ends the daemon raises SystemExit with code 0: nothing is open yet. One that
        asks it to reload does nothing then: what it would read again is not read yet.
        """
        numbers = [number for number in (*ENDING, signal.SIGHUP, *HARMLESS) if not _is_nohup(number)]
        for number in numbers:
            # Not SIG_IGN for those that are harmless: a child would inherit it.
            signal.signal(number, self._note if number in self._ending else _nothing)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def asked(self) -> Generator[Asked]:
        """The events of the running loop that are set once the daemon is asked for something. To be entered once.

        A daemon that is to end and does not get through its start, as where a disk does not answer, ends with
        SystemExit and code 0 after `START_SECONDS`.
        """
        loop = asyncio.get_running_loop()
        asked = Asked()
        ours, signalled = socket.socketpair()

        def end() -> None:
            asked.to_end.set()
            loop.call_later(START_SECONDS, give_up)

        def give_up() -> None:
            if not asked.started.is_set():
                raise SystemExit(0)

        def told() -> None:
            numbers = ours.recv(_AT_ONCE)
            if not self._ending.isdisjoint(numbers):
                end()
            elif signal.SIGHUP in numbers:
                asked.to_reload.set()

        with ours, signalled:
            ours.setblocking(False)  # noqa: FBT003 - the socket module's own way
            signalled.setblocking(False)  # noqa: FBT003 - the same
            # The kernel may hand a signal to any thread: only what is written here is sure to wake the loop.
            signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
            loop.add_reader(ours, told)
            self._asked = asked
            if self._is_to_end:
                end()
            try:
                yield asked
            finally:
                loop.remove_reader(ours)
                signal.set_wakeup_fd(-1)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked is None:
            self._is_to_end = True
            raise SystemExit(0)


def _has_terminal() -> bool:
    """Return whether this process has a controlling terminal."""
    try:
        files.close(files.open_to_read("/dev/tty"))
    except OSError:
        return False
    return True


def _is_nohup(number: signal.Signals) -> bool:
    """Say whether whoever started us wants the end of the terminal to be ignored."""
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def _nothing(_number: int, _frame: FrameType | None) -> None:
    pass
