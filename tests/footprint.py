"""The room that a daemon takes: memory, descriptors and threads of its process, and the files of its state."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOKS: Final = 50
"""The most looks at a process that is coming to rest."""
PAUSE: Final = 0.2


@dataclass(frozen=True)
class Footprint:
    """The memory, descriptors, threads and files of one life of a daemon at one moment."""

    pid: int
    memory: int
    """Bytes that are resident."""
    descriptors: int
    threads: int
    spool: int
    """Bytes of all images that are kept."""
    journal: int
    """Bytes of the journal and its write-ahead log."""

    @classmethod
    def of(cls, pid: int, state: Path) -> "Footprint":
        """Look at a process and a state directory."""
        process = Path("/proc") / str(pid)
        resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        status = (process / "status").read_text()
        (threads,) = [line.split()[1] for line in status.splitlines() if line.startswith("Threads:")]
        descriptors = len(list((process / "fd").iterdir()))
        spool, journal = _size(state, "spool/*"), _size(state, "journal.sqlite3*")
        return cls(pid, resident, descriptors, int(threads), spool, journal)

    def text(self) -> str:
        """Return it in words."""
        return (
            f"{self.memory >> 10} KiB of memory, {self.descriptors} descriptors, {self.threads} threads, "
            f"spool {self.spool >> 10} KiB, journal {self.journal >> 10} KiB"
        )


async def at_rest(pid: int, state: Path, *, spool: int, below: Footprint | None = None) -> Footprint:
    """Return what a process takes once that stays the same, and its spool has come down to so many bytes.

    With `below`, once it has no more open than that. Returns the last look where that does not come: nobody tells when
    a thread has ended.
    """
    last = Footprint.of(pid, state)
    for _ in range(LOOKS):
        await asyncio.sleep(PAUSE)
        before, last = last, Footprint.of(pid, state)
        if (last.descriptors, last.threads) != (before.descriptors, before.threads) or last.spool > spool:
            continue
        if below is None or (last.descriptors <= below.descriptors and last.threads <= below.threads):
            break
    return last


def _size(state: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in state.glob(pattern))
