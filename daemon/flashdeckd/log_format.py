"""The form of the daemon's log on stderr: times for people, priorities for journald."""

import logging
import sys
from typing import Final, TextIO

from flashdeckd.host import clock, files, processes

_PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""syslog's, as journald takes them at the start of a line (sd-daemon(3))."""


class _Format(logging.Formatter):
    """Lines of the log; `for_journald` it gives the priority, and leaves out the time, which journald notes itself."""

    def __init__(self, *, for_journald: bool) -> None:
        super().__init__("%(message)s")
        self._for_journald = for_journald

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`; each line of a traceback counts as a line."""
        text = super().format(record)
        if self._for_journald:
            priority = _PRIORITIES.get(record.levelno, 6)
            return "\n".join(f"<{priority}>{line}" for line in text.splitlines() or [""])
        stamp = clock.local_stamp(record.created)
        return f"{stamp} {record.levelname[0]} {text}"


def begin_log(*, level: int, stream: TextIO = sys.stderr) -> None:
    """Write the log of this process to `stream` from now on, from `level` on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Format(for_journald=_is_journald(stream)))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it counts every change it sees
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _is_journald(stream: TextIO) -> bool:
    """Tell whether journald reads a stream: $JOURNAL_STREAM names its device and inode (systemd.exec(5))."""
    named = processes.variable("JOURNAL_STREAM")
    try:
        seen = files.open_status(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{seen.st_dev}:{seen.st_ino}"
