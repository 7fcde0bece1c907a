"""The state directory: what journal, log and spool take, and what is left on their disk."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from flashdeck.diagnosis import Finding, Severity
from flashdeck.text import clean, counted, format_size
from flashdeckd.diagnosis.machine.surroundings import Surroundings
from flashdeckd.host import files

LEAST_FREE = 64 * 1024 * 1024
"""Bytes that should be free on the disk of the state directory: some images, and the journal."""
_JOURNAL: Final = ("journal.sqlite3", "journal.sqlite3-wal")
_LOG: Final = ("log.sqlite3", "log.sqlite3-wal")


def findings(around: Surroundings) -> Iterator[Finding]:
    """Yield how much there is, and too little room."""
    directory = around.state_dir
    journal, log = (sum(_size(directory / name) for name in names) for names in (_JOURNAL, _LOG))
    images: list[str] = []
    with suppress(OSError):
        images = files.names(directory / "spool")
    spool = sum(_size(directory / "spool" / name) for name in images)
    kept = f"{counted(len(images), 'image')} in the spool, {format_size(spool)}"
    told = f"{clean(str(directory))}: journal {format_size(journal)}, log {format_size(log)}, {kept}"
    free = None
    with suppress(OSError):
        free = files.free_bytes(directory)
    if free is None:
        yield Finding(
            code="no-state",
            severity=Severity.ERROR,
            seen=f"the state directory {clean(str(directory))} cannot be looked at",
            means="nothing that happens can be recorded there, so nothing is flashed",
            mend="make it again with mode 0700, or start flashdeckd with another --state-dir",
        )
    elif free < LEAST_FREE:
        yield Finding(
            code="disk-full",
            severity=Severity.WARNING,
            seen=f"{told}; only {format_size(free)} are free",
            means="where the disk is full, builds are not taken and jobs wait",
            mend=f'make room there; what takes how much: du -xh "{clean(str(directory))}"',
        )
    else:
        yield Finding(
            code="storage",
            severity=Severity.GOOD,
            seen=f"{told}; {format_size(free)} are free",
            means="what happens is recorded, and images are kept",
        )


def _size(path: Path) -> int:
    with suppress(OSError):
        return files.status(path).st_size
    return 0
