"""How long a file has rested, by its own time of last status change (ctime). Pure.

Only the kernel sets that time, and nothing sets it back: `cp -p`, `rsync -t` and `objcopy -p` change the modification
time afterwards, which is itself a status change. It is believed as far as the clock that it came from is the one that
is read here, and has not been set meanwhile.
"""

CLOCK_STEP = 0.01
"""Seconds by which wall clock and monotonic clock may part between two looks: slewing does that; more means that the
clock was set, or the machine slept."""
TICK = 0.01
"""Seconds by which a time of change may be too early: the kernel stamps with the time of its last tick."""


class StatusClock:
    """The two clocks of this machine, as they were read at each look. One for all files."""

    def __init__(self) -> None:
        self._steady_since: float | None = None
        self._offset = (0.0, 0.0)

    def rested(self, changed_ns: int, before: float, wall: float, after: float) -> float:
        """Return for how many seconds a file whose status changed last at `changed_ns` is known to have rested.

        `wall` (since the epoch) was read between `before` and `after` (monotonic). A change in the future, and what
        lies before the wall clock was set, are not believed: 0, or as much as is known since.
        """
        if after - before > CLOCK_STEP:
            return 0.0  # too far apart to tell whether the clock was set
        low, high = wall - after, wall - before
        if self._steady_since is None or low > self._offset[1] + CLOCK_STEP or high < self._offset[0] - CLOCK_STEP:
            self._steady_since = before
        self._offset = (low, high)
        age = wall - changed_ns / 1e9 - TICK
        return max(0.0, min(age, before - self._steady_since))
