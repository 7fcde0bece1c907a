"""The time for which a file has rested, by its own time of last status change (ctime). Pure.

Only the kernel sets that time, and nothing sets it back: `cp -p`, `rsync -t` and `objcopy -p` change the modification
time afterwards, which is itself a status change. It is believed as far as the clock that it came from is the one that
is read here, and has not been set meanwhile.
"""

CLOCK_STEP = 0.01
"""Seconds by which wall clock and monotonic clock may part between two looks: slewing does that; more means that the
clock was set, or the machine slept."""
WHOLE_SECONDS = 1.0
"""Seconds by which a time of change may be too early where the file system keeps whole ones, as ext3 does."""


class StatusClock:
    """The two clocks of this machine, as they were read at each look. One for all files."""

    def __init__(self, tick: float) -> None:
        """`tick`: seconds by which a time of change may be too early, by the clock of the kernel."""
        self._tick = tick
        self._steady_since: float | None = None
        self._offset = (0.0, 0.0)
        self._wall = 0.0
        self._steady_for = 0.0

    def read(self, before: float, wall: float, after: float) -> None:
        """Take the time since the epoch, `wall`, which was read between `before` and `after` (monotonic).

        To be called at every look, whatever was seen there: what lies before the first is not known.
        """
        self._wall, self._steady_for = wall, 0.0
        if after - before > CLOCK_STEP:
            return  # too far apart to tell whether the clock was set
        low, high = wall - after, wall - before
        if self._steady_since is None or low > self._offset[1] + CLOCK_STEP or high < self._offset[0] - CLOCK_STEP:
            self._steady_since = before
        self._offset = (low, high)
        self._steady_for = before - self._steady_since

    def rested(self, changed_ns: int) -> float:
        """Return for how many seconds a file whose status changed last at `changed_ns` is known to have rested by now.

        A change in the future, and what lies before the clock was set, are not believed: 0, or
        as much as is known since.
        """
        early = WHOLE_SECONDS if changed_ns % 1_000_000_000 == 0 else self._tick
        return max(0.0, min(self._wall - changed_ns / 1e9 - early, self._steady_for))
