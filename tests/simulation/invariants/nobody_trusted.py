"""Rule 8: nobody is trusted."""

import re
from collections.abc import Iterator

from flashdeck.model import Event, JobState
from simulation.invariants.rule import Rule

LONGEST_TEXT = 4096
"""Characters of anything that is shown: paths are the longest."""
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class NobodyTrusted(Rule):
    """What is shown has no control characters, and the daemon opens only its own files and the watched ones."""

    name = "8"
    sentence = (
        "Lengths, strings, poll times, states from a device, file or client are bounded; text is stripped of control "
        "characters before it reaches a log, a terminal or a table cell. No shell, no path opened for a client."
    )

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge the texts of what is shown."""
        for text in _texts(event):
            if _HARMFUL.search(text):
                raise self.broken(f"a control character is shown: {text!r}")
            if len(text) > LONGEST_TEXT:
                raise self.broken(f"a text of {len(text)} characters is shown: {text[:80]!r}")

    def opened_path(self, path: str) -> None:
        """Judge whether it has any business there."""
        if not path.startswith(self.seen.allowed_paths):
            raise self.broken(f"the daemon has opened {path}")


def _texts(event: Event) -> Iterator[str]:
    if (log := event.log) is not None:
        yield log.text
    if (job := event.job) is not None:
        yield from (job.text, job.version)
    if (board := event.board) is not None:
        yield from (board.text, board.serial, board.port, board.product, board.trouble, *board.doubts)
        yield from () if board.hold is None else (board.hold.reason,)
        yield from () if board.lease is None else (board.lease.by, board.lease.reason)
        for place in board.partitions:
            yield from (place.image, place.trouble, place.kept_open)
    if (artifact := event.artifact) is not None:
        yield from (artifact.source, artifact.reason, artifact.version, artifact.text, *artifact.notes)
    for device in event.devices or ():
        yield from (device.serial, device.product, device.note, device.manufacturer, *device.setting_names)
    if (daemon := event.daemon) is not None:
        yield from daemon.degraded
