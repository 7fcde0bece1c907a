"""The whole daemon in one line. Pure."""

from flashdeck.model import Snapshot
from flashdeck.problems import counts
from flashdeck.text import counted
from flashdeck.words.conditions import counts_text


def summary(snapshot: Snapshot) -> str:
    """Return how many boards are in which condition, and what does not work, for `systemctl status` and its like."""
    told = counts_text(counts(snapshot.boards, snapshot.jobs))
    daemon = snapshot.daemon
    if not daemon.degraded:
        return told
    first = daemon.degraded[0]
    more = f", and {counted(len(daemon.degraded) - 1, 'trouble')} more" if len(daemon.degraded) > 1 else ""
    return f"{told}; degraded: {first}{more}"
