"""A clock of the daemon's that stands still until a test sets it."""

import pytest

from flashdeckd.host import clock


class SetClock:
    """Any time, which both clocks show."""

    seconds = 100_000.0

    def time(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float, /) -> None:
        self.seconds += seconds


def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Give the daemon such a clock."""
    made = SetClock()
    monkeypatch.setattr(clock, "system", made)
    return made
