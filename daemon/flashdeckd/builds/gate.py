"""The rule by which a file counts as written: nobody has it open for writing, and it stayed the same. Pure."""

from dataclasses import dataclass

from flashdeckd.host import files

BUSY_RETRY = 0.02
"""Seconds until a file that somebody has open for writing is looked at again: closing it changes nothing that a watch
would report."""
BUSY_SHARE = 0.01
"""The same as a share of the time for which it is kept open already, where that is more; its end is seen so late."""
MAX_BUSY_RETRY = 2.0
"""Longest time until such a file is looked at again, in seconds."""
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
        self._busy_since: float | None = None
        self._busy_until = float("-inf")
        self._quiet_since = 0.0
        self.passed: Fingerprint | None = None
        """The state that has been dealt with; set by the caller, and never waited for again."""

    def kept_open(self, now: float) -> float:
        """Return for how many seconds a writer has been seen at the file without a break; 0 for none."""
        return 0.0 if self._busy_since is None else now - self._busy_since

    def see(
        self,
        now: float,
        fingerprint: Fingerprint | None,
        *,
        busy: bool = False,
        rested: float = 0.0,
        least: float = 0.0,
    ) -> float | None:
        """Takes what is there now (None: no file), and whether somebody has it open for writing.

        `rested` is the time for which the file itself shows that it has not changed, and `least` the shortest settle
        time. Returns the seconds after which to look again; 0 says that it has settled and can be read; None that there
        is nothing to wait for. The rest begins anew when the file changes and when its last writer is seen gone: a
        step after the link may patch it.
        """
        if busy or self._busy_since is not None:
            self._busy_until = now
        if fingerprint != self._seen:
            self._quiet_since = now
        self._quiet_since = max(min(self._quiet_since, now - rested), self._busy_until)
        self._seen = fingerprint
        if not busy:
            self._busy_since = None
        elif self._busy_since is None:
            self._busy_since = now
        if fingerprint is None or fingerprint == self.passed:
            return None
        if busy:
            return min(max(BUSY_RETRY, BUSY_SHARE * self.kept_open(now)), MAX_BUSY_RETRY)
        left = self._quiet_since + max(self.settle, least) - now
        return left if left > ROUNDING else 0.0
