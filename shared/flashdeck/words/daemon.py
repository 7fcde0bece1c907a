"""The whole daemon in one line. Pure."""

from flashdeck.model import Snapshot
from flashdeck.problems import counts
from flashdeck.text import counted
from flashdeck.words.conditions import counts_text


def summary(snapshot: Snapshot) -> str:
    """Return how boards and slots are, and what does not work, for `systemctl status` and its like."""
    boards = [board for board in snapshot.boards if not board.slot]
    told = counts_text(counts(boards, snapshot.jobs), [slot.condition for slot in snapshot.slots])
    daemon = snapshot.daemon
    if not daemon.degraded:
        return told
    first = daemon.degraded[0]
    more = f", and {counted(len(daemon.degraded) - 1, 'trouble')} more" if len(daemon.degraded) > 1 else ""
    return f"{told}; degraded: {first}{more}"
