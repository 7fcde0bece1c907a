"""The rule by which a file counts as written: nobody has it open for writing, and it stayed the same. Pure."""

from dataclasses import dataclass

from flashdeckd.host import files

BUSY_RETRY = 0.05
"""Seconds until a file that somebody has open for writing is looked at again: closing it changes nothing that a watch
would report."""
ROUNDING = 1e-6
"""Seconds: less is no time to wait for."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One state of a file, told from the next without reading it.

    The time of the last status change is part of it: `cp -p`, `tar` and `rsync` set the modification time back. So a
    chmod or a touch makes a new state too, with the same bytes in it.
    """

    path: str
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, path: str, status: files.Status) -> "Fingerprint":
        """Return the state of `path` by its stat()."""
        return cls(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Gate:
    """The settle rule of one watched file, fed with what is seen and when (in seconds, from any origin)."""

    def __init__(self, settle: float) -> None:
        self.settle = settle
        """Seconds; may be changed at any time."""
        self._seen: Fingerprint | None = None
        self._busy = False
        self._quiet_since = 0.0
        self.passed: Fingerprint | None = None
        """The state that has been dealt with; set by the caller, and never waited for again."""

    def see(self, now: float, fingerprint: Fingerprint | None, *, busy: bool = False) -> float | None:
        """Takes what is there now (None: no file), and whether somebody has it open for writing.

        Returns the seconds after which to look again; 0 says that it has settled and can be read; None that there
        is nothing to wait for. The rest begins anew when the file changes and when its last writer is seen gone: a
        step after the link may patch it.
        """
        if fingerprint != self._seen or busy or self._busy:
            self._quiet_since = now
        self._seen = fingerprint
        self._busy = busy
        if fingerprint is None or fingerprint == self.passed:
            return None
        if busy:
            return BUSY_RETRY
        left = self._quiet_since + self.settle - now
        return left if left > ROUNDING else 0.0
