"""The words of boards on the disk: for each board a file that does not grow for ever.

Nothing waits for it, and no flash depends on it. What fails here is told once, and costs only lines.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from flashdeck.console_kinds import ConsoleKind
from flashdeck.model import ConsoleEntry
from flashdeck.text import clean
from flashdeckd.host import clock, files, threads

LARGEST_FILE: Final = 1024 * 1024
"""Bytes of one file; then the next one begins."""
OLDER_FILES: Final = 3
"""Full files of one board that are kept beside the one that grows: `NAME.log.1` is the newest of them."""
GATHER_SECONDS: Final = 0.25
"""Seconds in which entries are gathered before they are written at once."""
REST_SECONDS: Final = 5.0
"""Seconds for which nothing is written after that has failed."""
MOST_WAITING: Final = 20_000
"""Entries of one board that wait to be written: the oldest ones are left out."""
_HINT: Final = "only what boards said is missing on the disk; nothing else depends on it"


class ConsoleFiles:
    """The files of all boards in one directory. Methods are for the event loop, and raise nothing."""

    def __init__(self, directory: Path, report: Callable[[str, str], object]) -> None:
        """`report` is told what does not work, and what to do; "" once it works."""
        self._directory = directory
        self._report = report
        self._waiting: dict[str, deque[ConsoleEntry]] = {}
        self._added = asyncio.Event()
        self._writer: threads.OwnThread | None = None
        """Begun with the first entry: most daemons have none."""

    def add(self, board: str, entry: ConsoleEntry) -> None:
        """Keep an entry of a board; it is written soon."""
        waiting = self._waiting.get(board)
        if waiting is None:
            waiting = self._waiting[board] = deque(maxlen=MOST_WAITING)
        waiting.append(entry)
        self._added.set()

    async def run(self) -> None:
        """Write what is added, until cancelled."""
        while True:
            await self._added.wait()
            await asyncio.sleep(GATHER_SECONDS)
            if not await self.write():
                await asyncio.sleep(REST_SECONDS)

    async def close(self) -> None:
        """Write the rest, behind what is being written."""
        await self.write()
        if self._writer is not None:
            self._writer.let_go()

    async def write(self) -> bool:
        """Write all that waits; return whether that went well."""
        self._added.clear()
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return True
        try:
            self._writer = self._writer or threads.OwnThread("consoles")
            await self._writer.run(_write, self._directory, waiting)
        except OSError as error:
            self._report(f"{clean(str(self._directory))} cannot be written: {clean(str(error.strerror))}", _HINT)
            return False
        self._report("", "")
        return True


def file_of(directory: Path, board: str) -> Path:
    """Return the file that grows of a board."""
    return directory / f"{board}.log"


def _write(directory: Path, waiting: Mapping[str, Sequence[ConsoleEntry]]) -> None:
    if not files.is_directory(directory):
        files.make_directory(directory, 0o700)
    for board, entries in waiting.items():
        for piece in _pieces(entries):
            _append(file_of(directory, board), piece)


def _pieces(entries: Iterable[ConsoleEntry]) -> Iterator[bytes]:
    """Yield entries as they are written, so many at once as fit into a file."""
    piece = bytearray()
    for entry in entries:
        line = _written(entry).encode()
        if len(piece) + len(line) > LARGEST_FILE:
            yield bytes(piece)
            piece.clear()
        piece += line
    yield bytes(piece)


def _append(path: Path, data: bytes) -> None:
    """Add data to a file; where that would be too large by it, the next one begins."""
    if files.is_named(path) and files.link_status(path).st_size + len(data) > LARGEST_FILE:
        for number in range(OLDER_FILES, 1, -1):
            _rename(_older(path, number - 1), _older(path, number))
        _rename(path, _older(path, 1))
    descriptor = files.open_to_append(path) if files.is_named(path) else files.create(path)
    try:
        files.write(descriptor, data)
    finally:
        files.close(descriptor)


def _older(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _rename(source: Path, target: Path) -> None:
    if files.is_named(source):
        files.rename(source, target)


def _written(entry: ConsoleEntry) -> str:
    """Return an entry as a line: its time, and what is no line of the board's in angle brackets."""
    text = entry.text if entry.kind is ConsoleKind.LINE else f"<{entry.text}>"
    return f"{clock.local_stamp(entry.at)} {text}\n"
