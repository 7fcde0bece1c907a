"""Names for a shell to complete of the daemons of other machines: asked through ssh, in silence, and only so long."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Final

from flashdeck.errors import FlashdeckError
from flashdeck.hosts import find_host, members
from flashdeck_tui.tab_key.going_on import GoingOn, Word
from flashdeck_tui.tab_key.live_words import ALWAYS_VIRTUAL, words_of

PATIENCE: Final = 2.0
"""Seconds that a person who pressed Tab waits at the most for all other machines."""
MOST_HOSTS: Final = 8
"""Machines that are asked, the first that were named."""
_OF_A_HOST: Final = frozenset({"boards", "slots", "lots", "lots going on"})
"""Kinds of which a name is typed with its machine, as HOST/BOARD."""
_UNITED: Final = _OF_A_HOST | {"partitions"}
"""Kinds of which names from several machines mean something in one command."""
_TYPED: Final = re.compile(r"[A-Za-z0-9_.+%@:/-]+", re.ASCII)
"""Names of machines that a shell takes as they are."""


def names(asked: GoingOn, kinds: Sequence[str]) -> list[Word]:
    """Return the names that begin so, of boards as HOST/BOARD where several machines are named or one is typed.

    A machine that does not answer in time, or cannot be reached without asking anybody, has none.
    """
    try:
        hosts = members(asked.hosts)[:MOST_HOSTS]
    except (FlashdeckError, OSError, ValueError):
        return []
    wanted = [kind for kind in kinds if len(hosts) == 1 or kind in _UNITED]
    found: list[Word] = []
    with ExitStack() as ways:
        until = time.monotonic() + PATIENCE
        open_ways = [(host, ways.enter_context(way)) for host in hosts if (way := _way(host, asked)) is not None]
        for host, connection in open_ways:
            with suppress(OSError, ValueError, LookupError, TypeError):
                answered = words_of(connection, wanted, until)
                found += [
                    _named(host, word, kind, asked, is_one_of_several=len(hosts) > 1)
                    for kind, words in answered.items()
                    for word in words
                ]
    return [word for word in dict.fromkeys(found) if word.text.startswith(asked.begun)]


def _named(host: str, word: Word, kind: str, asked: GoingOn, *, is_one_of_several: bool) -> Word:
    is_named = kind in _OF_A_HOST and (is_one_of_several or asked.begun.startswith(f"{host}/"))
    return Word(f"{host}/{word.text}", word.help) if is_named and _TYPED.fullmatch(host) else word


@contextmanager
def _running(argv: Sequence[str]) -> Generator[socket.socket]:
    """Give the stdin and stdout of ssh as one socket; at the end it is gone, with the programs that it has started."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - the user's own ssh, to a destination that was checked
                argv, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.DEVNULL, start_new_session=True
            )
        try:
            yield ours
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _way(host: str, asked: GoingOn) -> AbstractContextManager[socket.socket] | None:
    """Return the way to a machine; None for what can be none."""
    is_virtual = asked.is_virtual or not ALWAYS_VIRTUAL.isdisjoint(asked.kinds)
    with suppress(FlashdeckError, OSError, ValueError):
        return _running(find_host(host, virtual=is_virtual).argv)
    return None
