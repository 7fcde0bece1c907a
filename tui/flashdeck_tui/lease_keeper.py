"""A process that ends a command, and all that it has started, where `flashdeck take` is killed before it.

It is run by its path, by an interpreter that is isolated: nothing but the standard library is imported. `take` alone
holds the other end of its stdin: the first line is the token of the lease, and a second one says that the command has
ended. When stdin is closed before, the command has no lease any more. Whatever has the token in its environment is
asked to end, and killed a little later.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

VARIABLE = "FLASHDECK_LEASE"
READY = b"ready\n"
"""Its answer to the first line: from now on it keeps watch."""
KILL_AFTER = 2.0
"""Seconds that a process has to end after SIGTERM."""
PAUSE = 0.1
"""Seconds between two looks at what still runs."""
QUIET_LOOKS = 5
"""Looks in a row that have to find nothing: a process that is just being started shows its environment only then."""
GIVE_UP_AFTER = 20.0
"""Seconds until it leaves what cannot be ended, as a process that hangs in the kernel."""


def keep() -> None:
    """Wait for the end of the command, or of `take`."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # whoever ends all of us ends `take`, and its end is seen here
    token = sys.stdin.readline().strip()
    os.write(sys.stdout.fileno(), READY)
    if token and not sys.stdin.readline():
        end_all(lambda: holders(token))


def end_all(
    look: Callable[[], Iterator[tuple[int, int]]],
    *,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """End the processes that `look` finds, by number and file descriptor, until there are no more."""
    began = now()
    asked: set[int] = set()
    quiet = 0
    while quiet < QUIET_LOOKS and now() - began < GIVE_UP_AFTER:
        quiet += 1
        for pid, process in look():
            quiet = 0
            number = signal.SIGTERM if now() - began < KILL_AFTER else signal.SIGKILL
            if number == signal.SIGKILL or pid not in asked:
                asked.add(pid)
                with suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(process, number)
        pause(PAUSE)


def holders(token: str) -> Iterator[tuple[int, int]]:
    """Yield number and file descriptor, open until the next, of each process with the token in its environment."""
    wanted = f"\0{VARIABLE}={token}\0".encode()
    for name in os.listdir("/proc"):  # noqa: PTH208 - as below
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            process = os.pidfd_open(int(name))
        except OSError:
            continue  # it has ended
        try:
            # Read only now: the descriptor is of the process that it is read of, whoever gets the number next.
            if wanted in b"\0" + _environment(name):
                yield int(name), process
        finally:
            os.close(process)


def _environment(name: str) -> bytes:
    try:
        with open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123 - pathlib takes longer to import than all the rest
            return file.read()
    except OSError:
        return b""  # it has ended, or is not ours


if __name__ == "__main__":
    keep()
