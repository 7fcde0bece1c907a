"""Standard input, for a process that ends with it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from flashdeckd.host import files, threads

LONGEST_LINE: Final = 4096
"""Bytes of a line, where nobody says otherwise, and of what is read at once; of a longer line only the end counts."""
_DESCRIPTOR: Final = 0


async def lines_of_stdin(longest: int = LONGEST_LINE) -> AsyncIterator[bytes]:
    """Yield the lines of standard input, at most `longest` bytes of each.

    Its thread is left behind where nothing ends it.
    """
    thread = threads.OwnThread("stdin")
    try:
        rest = b""
        while data := await thread.run(_read):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-longest:]
            for line in lines:
                yield (line + b"\n")[-longest:]
    finally:
        thread.let_go()


def _read() -> bytes:
    with suppress(OSError):
        return files.read(_DESCRIPTOR, LONGEST_LINE)
    return b""
