"""Signals to the daemon: some end it in order, at whatever moment they come; others do it no harm."""

import asyncio
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""A terminal that closes and an ssh that drops must not cost more than a service manager that stops us."""
HARMLESS: Final = (signal.SIGUSR1, signal.SIGUSR2)
"""Would end a process that says nothing of them."""
_AT_ONCE: Final = 4096
"""Signals read at once; the kernel puts one byte for each into the socket."""


class Signals:
    """The signals of one daemon, heard from its start to the last moment of its process."""

    def __init__(self) -> None:
        self._asked: asyncio.Event | None = None

    @contextmanager
    def heard(self) -> Generator[None]:
        """Hear them for the length of the block, which is the rest of the process: afterwards all are ignored.

        Until `asked` is entered, one that ends the daemon raises SystemExit with code 0: nothing is open yet.
        """
        numbers = [number for number in (*ENDING, *HARMLESS) if not _is_nohup(number)]
        for number in numbers:
            # Not SIG_IGN for those that are harmless: a child would inherit it.
            signal.signal(number, self._note if number in ENDING else _nothing)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def asked(self) -> Generator[asyncio.Event]:
        """An event of the running loop that is set once the daemon is asked to end. To be entered once."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        ours, signalled = socket.socketpair()

        def told() -> None:
            if not set(ENDING).isdisjoint(ours.recv(_AT_ONCE)):
                asked.set()

        with ours, signalled:
            ours.setblocking(False)  # noqa: FBT003 - the socket module's own way
            signalled.setblocking(False)  # noqa: FBT003 - the same
            # The kernel may hand a signal to any thread: only what is written here is sure to wake the loop.
            signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
            loop.add_reader(ours, told)
            self._asked = asked
            try:
                yield asked
            finally:
                loop.remove_reader(ours)
                signal.set_wakeup_fd(-1)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked is None:
            raise SystemExit(0)


def _is_nohup(number: signal.Signals) -> bool:
    """Say whether whoever started us wants the end of the terminal to be ignored."""
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def _nothing(_number: int, _frame: FrameType | None) -> None:
    pass
