"""The step of the watch on build directories: quick while anybody builds, slower after quiet hours. Pure.

watchfiles wakes up once a step to see whether the kernel has told of a change, and hands changes on when none was added
for a step. So the step decides how late a hint is (one to two steps) and how often an idle daemon wakes up.
"""

QUICK_STEP_MS = 22
"""Milliseconds of a step while anybody builds: 46 wake-ups a second, which leaves four for the rest of the daemon."""
QUIET_STEP_MS = 500
"""Milliseconds of a step after quiet hours: two wake-ups a second."""
QUIET_AFTER = 5400.0
"""Seconds without a hint after which hours count as quiet."""


class WatchPace:
    """Chooses the step by when something was heard last; a start counts as a hint."""

    def __init__(self, now: float, quiet_after: float = QUIET_AFTER) -> None:
        self._quiet_after = quiet_after
        self._heard_at = now

    def heard(self, now: float) -> None:
        """Note a hint."""
        self._heard_at = now

    def step_ms(self, now: float) -> int:
        """Return the milliseconds of the next step."""
        return QUIET_STEP_MS if now - self._heard_at >= self._quiet_after else QUICK_STEP_MS
